# SPDX-License-Identifier: Apache-2.0
#
# Installs cobus to an empty prefix, compiles each public header alone, builds the project in outside_project against it, runs
# its programs, one for each library, and calls its services in a running node of the installed cobus. Nothing of the source
# tree or the build may be needed for that. Takes more than 30 s: compiling without precompiled headers is what it tests.
# Run as: outside_project_test.py BUILD_FOLDER COMPILER
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

# The compiler runs this many at a time.
TOGETHER = 2
HERE = pathlib.Path(__file__).resolve().parent
BUILD, COMPILER = "", ""


def run(*command, **options):
    ran = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, **options)
    if ran.returncode != 0:
        raise AssertionError(f"exit code {ran.returncode}: {' '.join(map(str, command))}\n{ran.stdout}{ran.stderr}")
    return ran.stdout


class OutsideProject(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="cobus-outside-")
        cls.addClassCleanup(folder.cleanup)
        cls.prefix, cls.built = pathlib.Path(folder.name, "prefix"), pathlib.Path(folder.name, "build")
        source = pathlib.Path(folder.name, "source")
        run("cp", "-r", HERE / "outside_project", source)
        run("cmake", "--install", BUILD, "--prefix", cls.prefix)
        run("cmake", "-S", source, "-B", cls.built, "-G", "Ninja", f"-DCMAKE_CXX_COMPILER={COMPILER}",
            f"-DCMAKE_PREFIX_PATH={cls.prefix}", "-DCMAKE_BUILD_TYPE=Debug")
        run("cmake", "--build", cls.built)
        cls.environment = {**os.environ, "COBUS_STATE": str(pathlib.Path(folder.name, "state"))}
        cls.log = open(pathlib.Path(folder.name, "log"), "w+", encoding="utf-8")
        cls.addClassCleanup(cls.log.close)

    def start(self, program, *arguments):
        daemon = subprocess.Popen([self.prefix / "bin" / program, *arguments], env=self.environment,
                                  stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.addCleanup(daemon.wait)
        self.addCleanup(daemon.terminate)

    def cobus(self, *arguments):
        return subprocess.run([self.prefix / "bin" / "cobus", *arguments], env=self.environment, capture_output=True,
                              text=True, check=False, stdin=subprocess.DEVNULL)

    def wait_for(self, what, condition):
        deadline = time.monotonic() + 30
        while not condition():
            if time.monotonic() > deadline:
                self.log.seek(0)
                self.fail(f"waited 30 s in vain for {what}; the daemons said:\n{self.log.read()}")
            time.sleep(0.05)

    def test_it_is_built_from_the_installed_files_alone(self):
        self.assertTrue((self.built / "greet.so").is_file())
        used = run("ninja", "-C", self.built, "-t", "deps")
        self.assertIn(f"{self.prefix}/include/cobus/service.hpp", used)
        self.assertNotIn(str(HERE.parents[1]) + "/", used)

    def test_each_public_header_compiles_alone(self):
        public = self.prefix / "include/cobus"
        headers = sorted(header.name for header in public.glob("*.hpp"))
        for name in ("client", "local_node", "node", "service", "status", "task", "testing", "worker"):
            self.assertIn(name + ".hpp", headers)

        def compile_alone(header):
            return header, subprocess.run(
                [COMPILER, "-std=c++23", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", f"-I{self.prefix}/include",
                 f"-isystem{public}/internal", "-x", "c++", "-"], input=f"#include <cobus/{header}>\n", capture_output=True,
                text=True, check=False)

        with concurrent.futures.ThreadPoolExecutor(TOGETHER) as pool:
            for header, compiled in pool.map(compile_alone, headers):
                with self.subTest(header):
                    self.assertEqual(compiled.returncode, 0, compiled.stderr)

    def test_a_program_has_workers_of_its_own(self):
        self.assertEqual(run(self.built / "alone"), "5050\n")

    def test_handlers_have_unit_tests_on_simulated_time(self):
        begin = time.monotonic()
        run(self.built / "greet_test")
        self.assertLess(time.monotonic() - begin, 9, "its handler waits for ten seconds")

    def test_an_installed_node_serves_it(self):
        self.start("cobus-broker", "--listen", "tcp://127.0.0.1:0")
        join = pathlib.Path(self.environment["COBUS_STATE"], "join", "node")
        self.wait_for("the join string", join.is_file)
        self.start("cobus-node", "--name", "alpha", "--listen", "tcp://127.0.0.1:0", "--service", self.built / "greet.so")
        self.wait_for("the service", lambda: "greet.Greeter" in self.cobus("services", "-o", "json").stdout)

        greeted = self.cobus("call", "greet.Greeter/Greet", '{"name": "bus"}', "-o", "json")
        self.assertEqual(greeted.returncode, 0, greeted.stderr)
        self.assertEqual(json.loads(greeted.stdout), {"text": "Hello, bus!"})
        counted = self.cobus("call", "greet.Greeter/Count", '{"to": 3}', "-o", "jsonl")
        self.assertEqual([json.loads(line) for line in counted.stdout.splitlines()], [{"number": n} for n in (1, 2, 3)])
        refused = self.cobus("call", "greet.Greeter/Greet", "{}")
        self.assertEqual(refused.returncode, 1)
        self.assertIn("whom to greet?", refused.stderr)
        self.assertIn("greet.Farewell", self.cobus("services", "-o", "json").stdout, "the second service of the module")
        self.assertEqual(run(self.built / "ask", "client", env=self.environment), "Hello, client!\n")


if __name__ == "__main__":
    COMPILER = sys.argv.pop(2)
    BUILD = sys.argv.pop(1)
    unittest.main()
