# SPDX-License-Identifier: Apache-2.0
#
# The restart of the only broker, with real processes: jobs that run from node to node, calls of the client and first
# looks while the broker is killed and restarted, and a node whose handlers hold every shard meanwhile. So many
# restarts as COBUS_RESTARTS says, else a few.
# Run as: broker_restart_test.py BIN_FOLDER MODULE [TEST...], MODULE being unruly.so
import json
import os
import re
import subprocess
import sys
import time
import unittest

import processes
from processes import ClusterTest

MODULE = ""
RESTARTS = int(os.environ.get("COBUS_RESTARTS", "4"))


class Restarts(ClusterTest):
    NODES = ("alpha", "beta", "gamma")

    def restart_broker(self, away=0.0):
        """Kills it, and starts it at the same address."""
        address = re.search(r"is ready at (tcp://\S+);", self.log_of("broker")).group(1)
        self.kill("broker")
        time.sleep(away)  # what is tested is what happens while there is none
        self.start("broker", "cobus-broker", "--listen", address)

    def counted(self, *arguments):
        """Runs the client; gives its stdout, or None and remembers why it failed."""
        done = subprocess.run(self.command(*arguments), capture_output=True, text=True, timeout=60, check=False)
        if done.returncode == 0:
            return done.stdout
        self.failed.append((arguments, done.returncode, done.stderr))
        return None

    def setUp(self):
        super().setUp()
        self.failed = []

    def test_d6_no_call_fails_no_job_runs_twice_and_no_first_look_misses_a_living_node(self):
        some_seconds = json.dumps({"from": 0, "to": self.primes_for(1)})
        jobs, missed = [], []
        for round_number in range(RESTARTS):
            jobs += [self.json("submit", "math.Primes/Count", some_seconds, "-o", "json")["id"] for _ in range(3)]
            self.restart_broker(away=1.5 * (round_number % 4))
            seen = self.counted("nodes", "-o", "jsonl")
            names = [node["name"] for node in map(json.loads, (seen or "").splitlines()) if node["state"] == "up"]
            if names != ["alpha", "beta", "gamma"]:
                missed.append(names)
            for _ in range(3):
                self.counted("call", "Echo", '{"text":"x"}')
        self.assertEqual((missed, self.failed), ([], []), f"in {RESTARTS} restarts")
        for job in jobs:
            self.assertEqual(self.cobus("wait", job)[1:] and self.json("job", job, "-o", "json")["attempt"], 1, job)

    def test_d3_a_node_whose_handlers_hold_every_shard_stays_in_the_directory(self):
        held = self.start_node("held", "--service", MODULE, "--shards", "2", "--ledger", "none")
        self.wait_until(lambda: "held" in self.names_up(), "held to be there")
        loops = [subprocess.Popen(self.command("call", "unruly.Unruly/Loop", "--timeout", "60s"), stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(4)]
        try:
            # One line for each of the two shards.
            self.wait_until(lambda: len(set(re.findall(r"shard (\d)\b.*", self.log_of("held")))) == 2, "both shards to be held")
            until = time.monotonic() + 10  # longer than a lease
            while time.monotonic() < until:
                self.assertIn("held", self.names_up())
            self.restart_broker()
            until = time.monotonic() + 10
            while time.monotonic() < until:
                self.assertIn("held", self.names_up())
        finally:
            held.kill()
            held.wait()
            for loop in loops:
                loop.kill()
                loop.wait()


class TwoBrokers(ClusterTest):
    NODES = ()

    def test_a_join_string_of_two_brokers_joins_with_the_one_that_knows_the_token(self):
        other = os.path.join(self.state, "other")
        os.mkdir(other, 0o700)
        os.mkdir(os.path.join(other, "broker"), 0o700)
        with open(os.path.join(self.state, "broker", "cluster.key"), "rb") as file:
            key = file.read()
        with open(os.open(os.path.join(other, "broker", "cluster.key"), os.O_CREAT | os.O_WRONLY, 0o600), "wb") as file:
            file.write(key)
        self.start("other", "cobus-broker", "--listen", "tcp://127.0.0.1:0", state=other)
        address = re.search(r"is ready at tcp://(\S+);", self.log_of("other")).group(1)
        with open(os.path.join(self.state, "join", "node"), encoding="utf-8") as file:
            line = file.read().strip()
        for number, both in enumerate((line.replace("cobus://", f"cobus://{address},"), line.replace("?", f",{address}?"))):
            name = f"n{number}"
            self.start(name, "cobus-node", "--name", name, "--join", both, state=os.path.join(self.state, name))
            for folder in (self.state, other):
                self.wait_until(lambda at=folder, n=name: n in [node["name"] for node in self.lines("nodes", "-o", "jsonl", state=at)],
                                f"{name} at the broker of {folder}")

    def test_a_token_that_no_broker_knows_ends_the_node(self):
        with open(os.path.join(self.state, "join", "node"), encoding="utf-8") as file:
            line = re.sub("token=.", "token=" , file.read().strip())
        line += "a"
        done = subprocess.run([os.path.join(processes.BIN, "cobus-node"), "--name", "x", "--join", line, "--state",
                               os.path.join(self.state, "x")], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 77, done.stderr)


class Names(ClusterTest):
    NODES = ()

    def test_a_broker_by_name_is_found_and_one_that_cannot_be_looked_up_is_waited_for(self):
        with open(os.path.join(self.state, "join", "node"), encoding="utf-8") as file:
            line = file.read().strip()
        self.start("named", "cobus-node", "--name", "named", "--join", line.replace("127.0.0.1", "localhost"),
                   state=os.path.join(self.state, "named"))
        self.assertIn("named", self.names_up())
        log = open(os.path.join(self.state, "lost.log"), "w", encoding="utf-8")
        self.addCleanup(log.close)
        lost = subprocess.Popen([os.path.join(processes.BIN, "cobus-node"), "--name", "lost", "--state", os.path.join(self.state, "lost"),
                                 "--join", line.replace("127.0.0.1", "no-such-host.invalid")], stdin=subprocess.DEVNULL, stderr=log)
        self.processes["lost"] = lost
        self.wait_until(lambda: "not joined yet: cannot resolve 'no-such-host.invalid'" in self.log_of("lost"), "a warning")
        self.assertIsNone(lost.poll(), "it waits")
        err = self.cobus("nodes", "--join", line.replace("127.0.0.1", "no-such-host.invalid"), "--connect-timeout", "20s",
                         state=os.path.join(self.state, "me"), code=69)[1]
        self.assertIn("cannot resolve 'no-such-host.invalid'", err)


if __name__ == "__main__":
    processes.BIN = sys.argv.pop(1)
    MODULE = sys.argv.pop(1)
    unittest.main(verbosity=2)
