# SPDX-License-Identifier: Apache-2.0
#
# Jobs and calls while nodes stop: what is promised of them when a home or a node that runs them is asked to end, and what a
# key promises while its home does not answer. Run as: jobs_test.py BIN_FOLDER [TEST...]
import json
import signal
import subprocess
import sys
import time
import unittest

import processes
from cli_cluster import LONG
from processes import ClusterTest

METHOD = "math.Primes/Count"


class JobsTest(ClusterTest):
    NODES = ()

    def submit(self, request, *flags):
        return self.json("submit", METHOD, request, "-o", "json", *flags)["id"]

    def request_for(self, seconds):
        """A request that takes about so long on this machine and build. A node must be up."""
        return json.dumps({"from": 0, "to": self.primes_for(seconds)})

    def shown(self, job):
        return self.json("job", job, "-o", "json")

    def wait_for(self, job, state, seconds=60):
        self.wait_until(lambda: self.shown(job)["state"] == state, f"job {job} to be {state}", seconds)
        return self.shown(job)

    def terminate(self, name):
        self.processes[name].send_signal(signal.SIGTERM)

    def ended(self, name, seconds=60):
        self.assertEqual(self.processes[name].wait(timeout=seconds), 0, self.log_of(name))


class Homes(JobsTest):
    def test_w9_a_home_that_stops_lets_its_jobs_end_and_loses_none(self):
        self.start_node("home", "--drain", "60", "--pool", "1")
        self.start_node("runner", "--ledger", "none", "--pool", "4")
        some_seconds = self.request_for(4)
        jobs = [self.submit(some_seconds) for _ in range(3)]
        running = [self.wait_for(job, "running") for job in jobs]
        self.assertIn("runner", {job["node"] for job in running})
        self.terminate("home")
        self.ended("home")
        self.start_node("home")
        for job in jobs:
            shown = self.shown(job)
            self.assertEqual((shown["state"], shown["attempt"]), ("succeeded", 1), shown)

    def test_j1_what_a_stop_cuts_short_runs_again_and_uses_no_attempt(self):
        self.start_node("home", "--drain", "1")
        self.start_node("runner", "--ledger", "none", "--drain", "1")
        jobs = [self.submit(LONG, "--attempts", "1") for _ in range(2)]
        for job in jobs:
            self.wait_for(job, "running")
        for _ in range(2):
            self.terminate("home")
            self.ended("home")
            self.start_node("home", "--drain", "1")
            for job in jobs:
                self.assertEqual(self.wait_for(job, "running")["attempt"], 1)

    def test_an_idle_home_stops_at_once(self):
        self.start_node("home", "--drain", "60")
        begin = time.monotonic()
        self.terminate("home")
        self.ended("home")
        self.assertLess(time.monotonic() - begin, 5)


class Runners(JobsTest):
    def test_j5_a_runner_that_stops_while_no_broker_can_say_so_costs_no_job(self):
        self.start_node("home", "--pool", "1")
        self.start_node("runner", "--ledger", "none", "--pool", "1", "--drain", "4")
        half_a_second = self.request_for(0.5)
        held = [self.submit(LONG, "--attempts", "1") for _ in range(2)]
        self.wait_until(lambda: {self.shown(job)["node"] for job in held} == {"home", "runner"}, "both to have one")
        jobs = [self.submit(half_a_second) for _ in range(24)]
        self.kill("broker")
        self.terminate("runner")
        self.ended("runner")
        self.start("broker2", "cobus-broker", "--listen", "tcp://127.0.0.1:" + self.broker_port())
        self.wait_until(lambda: self.names_up() == ["home"], "the home to be back")
        for job in jobs:
            self.assertEqual(self.wait_for(job, "succeeded", 100)["state"], "succeeded")

    def broker_port(self):
        return self.log_of("broker").split("tcp://127.0.0.1:")[1].split(";")[0]


class Calls(JobsTest):
    def test_w9_calls_that_run_end_while_new_ones_are_refused(self):
        self.start_node("only", "--drain", "60")
        running = self.call(self.request_for(4))
        self.terminate("only")
        self.wait_until(lambda: "no new work" in self.log_of("only"), "the node to drain")
        self.cobus("call", METHOD, '{"to":10}', "--timeout", "2s", code=1)
        out, err = running.communicate(timeout=60)
        self.assertEqual(running.returncode, 0, err)
        self.assertIn("count", out)
        self.ended("only")

    def test_w9_calls_that_take_longer_than_the_drain_end_with_an_error(self):
        self.start_node("only", "--drain", "1")
        running = self.call(LONG)
        self.terminate("only")
        self.ended("only")
        out, err = running.communicate(timeout=60)
        self.assertEqual((running.returncode, out), (1, ""), err)
        self.assertIn("UNAVAILABLE", err)

    def call(self, request):
        """A call of the client, once it runs at a node."""
        running = subprocess.Popen(self.command("call", METHOD, request), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True)
        self.addCleanup(running.kill)
        self.wait_until(lambda: any(row["kind"] == METHOD for row in self.lines("ps", "--window", "0")), "it to run")
        return running



class Keys(JobsTest):
    NODES = ("alpha", "beta", "gamma")

    def test_j7_a_key_whose_home_does_not_answer_makes_no_second_job(self):
        request = self.request_for(0.5)
        first = self.submit(request, "--key", "k")
        home = self.processes[self.wait_for(first, "succeeded")["home"]]
        home.send_signal(signal.SIGSTOP)
        try:
            err = self.cobus("submit", METHOD, request, "--key", "k", code=75)[1]
        finally:
            home.send_signal(signal.SIGCONT)
        self.assertIn("repeat this", err)
        self.wait_until(lambda: self.names_up() == sorted(self.NODES), "all nodes to be back")
        self.assertEqual(self.submit(request, "--key", "k"), first)
        self.assertEqual(len(self.lines("jobs", "-o", "jsonl")), 1)


if __name__ == "__main__":
    processes.BIN = sys.argv.pop(1)
    unittest.main()
