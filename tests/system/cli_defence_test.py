# SPDX-License-Identifier: Apache-2.0
#
# What must hold when somebody is careless or hostile: signals that come again, secrets and roles.
# Run as: cli_defence_test.py BIN_FOLDER [TEST...]
import json
import os
import signal
import subprocess
import sys
import time
import unittest

import processes
from cli_cluster import SharedCluster


class Stopping(processes.ClusterTest):
    NODES = ()

    def test_signals_that_come_again_and_again_only_stop_it(self):
        for i in range(5):
            for name, program in ((f"n{i}", "cobus-node"), (f"b{i}", "cobus-broker")):
                state = os.path.join(self.state, name)
                flags = ("--join", "@" + os.path.join(self.state, "join", "node"), "--name", name)
                process = self.start(name, program, *(flags if program == "cobus-node" else ("--listen", "tcp://127.0.0.1:0")), state=state)
                while process.poll() is None:
                    process.send_signal(signal.SIGTERM)
                    time.sleep(0.0001)
                self.assertEqual(process.returncode, 0, self.log_of(name))

    def test_signals_while_it_joins_only_stop_it(self):
        os.makedirs(os.path.join(self.state, "alone"), 0o700)
        with open(os.path.join(self.state, "join", "node"), encoding="utf-8") as file:
            join = file.read().strip()
        self.stop_all()  # nobody answers from here on
        for _ in range(5):
            node = subprocess.Popen([os.path.join(processes.BIN, "cobus-node"), "--state", os.path.join(self.state, "alone"),
                                     "--name", "alone", "--join", join], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            self.addCleanup(node.stderr.close)
            self.assertIn("not joined yet", node.stderr.readline())
            while node.poll() is None:
                node.send_signal(signal.SIGTERM)
                time.sleep(0.0001)
            self.assertEqual(node.returncode, 0, node.stderr.read())


class Roles(SharedCluster):
    NODES = ("alpha",)

    def test_the_join_string_says_with_which_rights_the_client_acts(self):
        me = os.path.join(self.state, "me")
        acts = {"submit": (0, 77), "observe": (77, 0), "admin": (0, 0)}
        for role in ("submit", "admin", "observe", "submit"):
            flags = ("--join", "@" + os.path.join(self.state, "join", role))
            call, tap = acts[role]
            self.cobus("call", "Echo", *flags, state=me, code=call)
            self.cobus("tap", "--for", "100ms", *flags, state=me, code=tap)
        with open(os.path.join(self.state, "join", "submit"), encoding="utf-8") as file:
            token = file.read().strip().split("token=")[1]
        for folder, _, files in os.walk(os.path.join(me, "client")):
            for name in files:
                self.assertNotIn(token, os.path.join(folder, name))
                with open(os.path.join(folder, name), "rb") as file:
                    self.assertNotIn(token.encode(), file.read())

    def test_a_node_that_was_given_the_wrong_join_string_can_be_given_the_right_one(self):
        command = [os.path.join(processes.BIN, "cobus-node"), "--state", os.path.join(self.state, "wrong"), "--name", "late", "--join"]
        wrong = subprocess.run(command + ["@" + os.path.join(self.state, "join", "submit")], capture_output=True, text=True,
                               timeout=60, check=False)
        self.assertEqual(wrong.returncode, 77, wrong.stderr)
        node = self.cluster.start("late", "cobus-node", "--name", "late", "--join", "@" + os.path.join(self.state, "join", "node"),
                                  state=os.path.join(self.state, "wrong"))
        node.terminate()
        self.assertEqual(node.wait(timeout=30), 0)


class Input(SharedCluster):
    NODES = ("alpha",)
    DEEP = "[" * 300_000 + "]" * 300_000

    def test_what_is_nested_without_bound_is_wrong_usage(self):
        for request in (self.DEEP, '{"text":' + self.DEEP + "}"):
            self.fails(2, "call", "Echo", "@" + self.file(request), says="nested over 100 levels deep")
            self.fails(2, "submit", "Echo", "@" + self.file(request), says="nested over 100 levels deep")

    def test_a_line_that_is_nested_without_bound_fails_alone(self):
        lines = self.DEEP + '\n{"text":"a"}\n{"text":' + self.DEEP + "}\n"
        for ledger in ((), ("--no-ledger",)):
            out, err = self.cobus("map", "Echo", "-", "-k", "-o", "jsonl", *ledger, stdin=lines, code=1)
            self.assertEqual([json.loads(line)["state"] for line in out.splitlines()], ["failed", "succeeded", "failed"])
            self.assertIn("nested over 100 levels deep", err)

    def test_a_job_gets_a_year_for_an_attempt_at_most(self):
        year = 31_557_600_000_000
        for timeout, code in ((year, 0), (year + 1, 1), (9_223_372_036_854_776, 1), (2**64 - 1, 1)):
            request = json.dumps({"method": "echo.Echo/Echo", "timeout_us": str(timeout)})
            err = self.cobus("call", "cobus.v1.Jobs/Submit", request, code=code)[1]
            if code:
                self.assertIn("INVALID_ARGUMENT: timeout_us: an attempt may take a year", err)
        self.cobus("submit", "Echo", "--attempt-timeout", "31557600s", "--wait")


if __name__ == "__main__":
    processes.BIN = sys.argv.pop(1)
    unittest.main(verbosity=2)
