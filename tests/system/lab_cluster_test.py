# SPDX-License-Identifier: Apache-2.0
#
# A cluster over several hosts: the broker on one, a node on each of the others, as network namespaces.
# The main job runs across them, a cut cable is noticed and work goes elsewhere. Exits 77 (skipped, loudly)
# where this machine allows no network namespaces. Run as: lab_cluster_test.py LAB_SCRIPT BIN_FOLDER
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

SCRIPT = BIN = ""
LAB = f"c{os.getpid()}"
LICENSES = sorted(glob.glob("/usr/share/common-licenses/*"))


def lab(*arguments, **options):
    return subprocess.run([SCRIPT, "--name", LAB, *arguments], capture_output=True, text=True, check=False, **options)


class Cluster(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="cobus-lab-")
        self.processes = []
        up = lab("up", "4")
        self.assertEqual(up.returncode, 0, up.stderr)
        self.start("h1", "cobus-broker", "--listen", "tcp://10.77.0.1:7700", state="h1")
        join = "@" + os.path.join(self.folder, "h1", "join", "node")
        for host in ("h2", "h3", "h4"):
            # The address that peers dial is found from the route to the broker.
            self.start(host, "cobus-node", "--join", join, "--listen", "tcp://0.0.0.0:0", "--name", host, state=host)
        self.wait_for_nodes({"h2", "h3", "h4"})

    def tearDown(self):
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            process.wait(timeout=20)
            process.stderr.close()
        lab("down")
        shutil.rmtree(self.folder)

    def start(self, host, program, *flags, state):
        process = subprocess.Popen(
            [SCRIPT, "--name", LAB, "exec", host, os.path.join(BIN, program), "--state",
             os.path.join(self.folder, state), *flags], stderr=subprocess.PIPE, text=True)
        self.processes.append(process)
        for line in process.stderr:
            if "is ready" in line:
                return process
        self.fail(f"{program} on {host} ended with {process.wait()}")

    def cobus(self, *arguments):
        return lab("exec", "h1", os.path.join(BIN, "cobus"), "--state", os.path.join(self.folder, "h1"), *arguments,
                   timeout=120)

    def nodes(self):
        return [json.loads(line) for line in self.cobus("nodes", "-o", "jsonl").stdout.splitlines()]

    def wait_for_nodes(self, names, seconds=20):
        end = time.monotonic() + seconds
        while {node["name"] for node in self.nodes() if node["state"] == "up"} != names:
            self.assertLess(time.monotonic(), end, f"the nodes are not {names} after {seconds} s: {self.nodes()}")

    def word_counts(self):
        done = self.cobus("map", "text.Text/WordCount", "--files", "text", *LICENSES, "--keep-order", "-o", "jsonl")
        self.assertEqual(done.returncode, 0, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def test_the_main_job_runs_across_hosts_and_a_cut_host_is_left_out(self):
        self.assertEqual({node["address"].split(":")[1] for node in self.nodes()},
                         {"//10.77.0.2", "//10.77.0.3", "//10.77.0.4"})
        expected = []
        for file in LICENSES:
            counts = subprocess.run(["wc", file], env={"LC_ALL": "C"}, capture_output=True, text=True, check=True)
            expected.append([file, *counts.stdout.split()[:3]])
        got = self.word_counts()
        self.assertEqual([[line["input"], line["result"]["lines"], line["result"]["words"], line["result"]["bytes"]]
                          for line in got], expected)
        self.assertEqual({line["node"] for line in got}, {"h2", "h3", "h4"}, "every host took part")

        self.assertEqual(lab("cut", "h3").returncode, 0)
        self.wait_for_nodes({"h2", "h4"})
        self.assertEqual({line["node"] for line in self.word_counts()}, {"h2", "h4"})
        self.assertEqual(lab("heal", "h3").returncode, 0)
        self.wait_for_nodes({"h2", "h3", "h4"})


if __name__ == "__main__":
    SCRIPT, BIN = sys.argv.pop(1), sys.argv.pop(1)
    probe = lab("up", "1")
    lab("down")
    if probe.returncode == 77:
        print("SKIPPED: this machine allows no network namespaces, so nothing across hosts was tested:", probe.stderr)
        sys.exit(77)
    unittest.main()
