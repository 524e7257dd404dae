# SPDX-License-Identifier: Apache-2.0
#
# A cluster of real processes on loopback, for system tests: a state folder of its own, port 0 everywhere, waits
# for conditions, ends only what it started.
import json
import os
import shutil
import subprocess
import tempfile
import time
import unittest

BIN = ""
PRIMES = {100_000_000: 5_761_455, 300_000_000: 16_252_325, 1_000_000_000: 50_847_534, 2_000_000_000: 98_222_287}


class ClusterTest(unittest.TestCase):
    NODES = ("alpha", "beta", "gamma")
    primes_per_second = 0  # that this machine and build look at; not measured yet

    def setUp(self):
        self.state = tempfile.mkdtemp(prefix="cobus-test-")
        self.processes = {}
        self.addCleanup(shutil.rmtree, self.state)
        self.addCleanup(self.stop_all)
        self.start_cluster()

    def start_cluster(self):
        self.start("broker", "cobus-broker", "--listen", "tcp://127.0.0.1:0")
        for name in self.NODES:
            self.start_node(name)

    def start(self, name, program, *flags, state=None):
        """Starts a daemon and returns once it is ready."""
        log = open(os.path.join(self.state, f"{name}.log"), "w", encoding="utf-8")
        self.addCleanup(log.close)
        process = subprocess.Popen([os.path.join(BIN, program), "--state", state or self.state, *flags],
                                   stdin=subprocess.DEVNULL, stderr=log)
        self.processes[name] = process
        self.wait_until(lambda: "is ready at" in self.log_of(name) or process.poll() is not None, f"{name} to be ready")
        self.assertIsNone(process.poll(), self.log_of(name))
        return process

    def start_node(self, name, *flags):
        return self.start(name, "cobus-node", "--name", name, *flags)

    def log_of(self, name):
        with open(os.path.join(self.state, f"{name}.log"), encoding="utf-8") as log:
            return log.read()

    def assert_logged(self, name, text):
        """Waits for it: a program writes its log in a thread of its own."""
        self.wait_until(lambda: text in self.log_of(name), f"{name} to log {text!r}; it logged:\n{self.log_of(name)}")

    def stop_all(self):
        for process in reversed(self.processes.values()):
            if process.poll() is None:
                process.terminate()
        for name, process in self.processes.items():
            code = process.wait(timeout=30)
            self.assertIn(code, (0, -9), f"{name} ended with {code}:\n{self.log_of(name)}")

    def kill(self, name):
        self.processes[name].kill()
        self.processes[name].wait()

    def wait_until(self, done, what, seconds=30):
        end = time.monotonic() + seconds
        while not done():
            self.assertLess(time.monotonic(), end, f"waited {seconds} s for {what}")
            time.sleep(0.02)

    def command(self, *arguments, state=None):
        return [os.path.join(BIN, "cobus"), "--state", state or self.state, *arguments]

    def cobus(self, *arguments, code=0, state=None, stdin=None, env=None):
        """Runs the client; checks its exit code; gives (stdout, stderr)."""
        done = subprocess.run(self.command(*arguments, state=state), input=stdin, capture_output=True, text=True,
                              timeout=120, check=False, env={**os.environ, **(env or {})})
        self.assertEqual(done.returncode, code, f"cobus {' '.join(arguments)}\n{done.stdout}\n{done.stderr}")
        return done.stdout, done.stderr

    def json(self, *arguments, **options):
        return json.loads(self.cobus(*arguments, **options)[0])

    def lines(self, *arguments, **options):
        return [json.loads(line) for line in self.cobus(*arguments, **options)[0].splitlines()]

    def primes_for(self, seconds):
        """How far math.Primes/Count gets in about that time. A node must be up."""
        def took(to):
            begin = time.monotonic()
            self.cobus("call", "math.Primes/Count", json.dumps({"from": 0, "to": to}))
            return time.monotonic() - begin
        if not ClusterTest.primes_per_second:
            ClusterTest.primes_per_second = 200_000_000 / min(max(took(300_000_000) - took(100_000_000), 0.1), 20)
        return int(seconds * ClusterTest.primes_per_second)

    def known_primes_for(self, seconds):
        """(to, count): a number up to which it takes about that time, or less but for the first, and how many there are."""
        far = self.primes_for(seconds)
        return max((known for known in PRIMES.items() if known[0] <= far), default=min(PRIMES.items()))

    def names_up(self):
        return [node["name"] for node in self.lines("nodes", "-o", "jsonl") if node["state"] == "up"]
