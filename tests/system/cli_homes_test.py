# SPDX-License-Identifier: Apache-2.0
#
# Jobs when the nodes that keep them come and go: a key stays one job, and a short id never means another one.
# Run as: cli_homes_test.py BIN_FOLDER [TEST...]
import json
import os
import signal
import sys
import unittest

import processes
from cli_cluster import start


class Keys(processes.ClusterTest):
    NODES = ("alpha", "beta")

    def submit(self, key, code=0, text="x"):
        out, err = self.cobus("submit", "Echo", json.dumps({"text": text}), "--key", key, "-o", "json", code=code)
        return err if code else json.loads(out)

    def test_a_key_is_one_job_when_nodes_join(self):
        before = {f"key-{i}": self.submit(f"key-{i}") for i in range(12)}
        for name in ("gamma", "delta"):
            self.start_node(name)
        for key, job in before.items():
            again = self.submit(key)
            self.assertEqual((again["id"], again["home"], again["existed"]), (job["id"], job["home"], True))
        self.assertEqual(len(self.lines("jobs")), len(before))
        key = next(iter(before))
        self.assertIn("ALREADY_EXISTS", self.submit(key, code=1, text="another"))

    def test_while_a_home_is_away_a_key_that_nobody_knows_waits(self):
        jobs = {}
        while len(jobs) < 2:
            key = f"key-{len(jobs)}-{os.urandom(4).hex()}"
            job = self.submit(key)
            jobs.setdefault(job["home"], (key, job["id"]))
        key, job = jobs["beta"]
        self.kill("beta")
        self.wait_until(lambda: self.names_up() == ["alpha"], "beta to be gone")
        for again in (key, "a-new-one"):
            err = self.submit(again, code=75)
            for text in ("beta (seen ", again, "start that node again", "another key"):
                self.assertIn(text, err)
        self.assertEqual(self.submit(jobs["alpha"][0])["id"], jobs["alpha"][1], "a key that is known needs nobody else")
        self.assertEqual(self.json("submit", "Echo", "-o", "json")["home"], "alpha", "without a key nothing can come twice")
        self.start_node("beta")
        self.wait_until(lambda: self.names_up() == ["alpha", "beta"], "beta to be back")
        self.assertEqual(self.submit(key)["id"], job)

    def test_an_empty_key_is_refused(self):
        self.assertIn("a variable that is not set?", self.submit("", code=2))


class ShortIds(processes.ClusterTest):
    NODES = ("alpha", "beta")

    def test_an_incomplete_answer_is_taken_for_a_whole_id_only(self):
        jobs = {}
        while len(jobs) < 2:
            job = self.json("submit", "Echo", "--wait", "-o", "json")
            jobs[job["home"]] = job["id"]
        self.processes["beta"].send_signal(signal.SIGSTOP)
        self.addCleanup(self.processes["beta"].send_signal, signal.SIGCONT)
        err = self.cobus("job", jobs["alpha"][:22], code=1)[1]
        self.assertIn("beta", err)
        self.assertIn("write the whole id", err)
        self.assertEqual(self.json("job", jobs["alpha"])["id"], jobs["alpha"])
        self.processes["beta"].send_signal(signal.SIGCONT)
        self.wait_until(lambda: len(self.names_up()) == 2, "beta to go on")
        self.assertEqual(self.json("job", jobs["alpha"][:22])["id"], jobs["alpha"])

    def test_a_node_that_was_once_seen_does_not_keep_short_ids_from_being_clear(self):
        jobs = {}
        while len(jobs) < 2:
            job = self.json("submit", "Echo", "--wait", "-o", "json")
            jobs[job["home"]] = job["id"]
        self.kill("beta")
        self.wait_until(lambda: self.names_up() == ["alpha"], "beta to be gone")
        for verb in ("job", "wait", "result"):
            err = self.cobus(verb, jobs["alpha"][:22])[1]
            self.assertRegex(err, rf"job {jobs['alpha']} is the only one here .* not asked: beta \(seen ")
        self.assertEqual(self.cobus("job", jobs["alpha"])[1], "")


class Down(processes.ClusterTest):
    NODES = ("alpha", "gamma")

    def test_a_call_to_a_node_that_is_down_says_so(self):
        self.kill("gamma")
        self.wait_until(lambda: self.names_up() == ["alpha"], "gamma to be gone")
        self.assertIn("node gamma is down", self.cobus("call", "Echo", "--node", "gamma", code=1)[1])


class Killed(processes.ClusterTest):
    def test_calls_right_after_a_kill_go_to_the_others(self):
        for name in ("gamma", "beta"):
            self.kill(name)
            calls = [start(self, self.command("call", "Echo", '{"text":"%d"}' % number)) for number in range(12)]
            calls += [start(self, self.command("call", "Chat", '[{"text":"%d"}]' % number)) for number in range(12)]
            for call in calls:
                out, err = call.communicate(timeout=60)
                self.assertEqual((call.returncode, err), (0, ""), out)


if __name__ == "__main__":
    processes.BIN = sys.argv.pop(1)
    unittest.main(verbosity=2)
