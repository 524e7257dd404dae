# SPDX-License-Identifier: Apache-2.0
#
# The three descriptors that a program is started with: some are closed, and nobody reads the other end of some.
# Run as: descriptors_test.py BIN_FOLDER [TEST...]
import fcntl
import json
import os
import re
import subprocess
import sys
import time
import unittest

import processes
from cli_cluster import SharedCluster
from processes import ClusterTest


class Closed(SharedCluster):
    NODES = ("alpha",)

    def run_closed(self, *descriptors, program="cobus", arguments=(), seconds=20):
        """Runs a program with these descriptors closed; gives its exit code and what it wrote to the others."""
        redirections = " ".join(f"{descriptor}>&-" for descriptor in descriptors)
        done = subprocess.run(["sh", "-c", f'exec "$0" "$@" {redirections}', os.path.join(processes.BIN, program),
                               "--state", self.state, *arguments],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds, check=False)
        return done.returncode, done.stdout, done.stderr

    def test_who_reads_a_closed_stdin_is_told_so(self):
        for verb in (["call", "Echo/Echo", "-"], ["call", "Echo/Chat", "-"], ["submit", "Echo/Echo", "-"],
                     ["map", "Echo/Echo"], ["map", "Echo/Echo", "-"]):
            code, out, err = self.run_closed(0, arguments=verb)
            self.assertEqual((code, out), (2, ""), err)
            self.assertIn("cannot read stdin: Bad file descriptor", err)

    def test_a_client_without_the_three_works_all_the_same(self):
        code, out, _ = self.run_closed(0, 2, arguments=["call", "Echo/Echo", '{"text":"x"}'])
        self.assertEqual((code, json.loads(out)["text"]), (0, "x"))
        code, _, err = self.run_closed(1, arguments=["nodes"])
        self.assertEqual(code, 1)
        self.assertIn("cannot write to stdout: Bad file descriptor", err)

    def test_daemons_without_the_three_keep_them_out_of_their_files(self):
        for program, arguments in (("cobus-broker", ("--listen", "tcp://127.0.0.1:0", "--log-level", "debug")),
                                   ("cobus-node", ("--log-level", "debug", "--name", "closed"))):
            state = self.state if program == "cobus-node" else os.path.join(self.state, "second")
            if program == "cobus-broker":
                os.mkdir(state, 0o700)
            process = subprocess.Popen(["sh", "-c", 'exec "$0" "$@" <&- >&- 2>&-', os.path.join(processes.BIN, program),
                                        "--state", state, *arguments])
            try:
                ready = os.path.join(state, "join", "node") if program == "cobus-broker" else None
                self.wait_until(lambda: process.poll() is not None or
                                (os.path.exists(ready) if ready else "closed" in self.cluster.names_up()), program)
                self.assertIsNone(process.poll())
                for descriptor in range(3):
                    self.assertEqual(os.readlink(f"/proc/{process.pid}/fd/{descriptor}"), "/dev/null")
                with open(os.path.join(state, "broker", "lock"), encoding="utf-8") as lock:
                    self.assertRegex(lock.read(), r"\A\d+\n\Z")
            finally:
                process.terminate()
                self.assertEqual(process.wait(timeout=30), 0)


class NobodyReads(ClusterTest):
    NODES = ("alpha",)

    def start_unread(self, name, program, *flags):
        """Starts a daemon whose stderr is a small pipe that nobody reads; gives the process and the reading end."""
        read, write = os.pipe()
        fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
        process = subprocess.Popen([os.path.join(processes.BIN, program), "--state", self.state, *flags],
                                   stdin=subprocess.DEVNULL, stderr=write)
        os.close(write)
        self.processes[name] = process
        self.addCleanup(os.close, read)
        return process, read

    def log_of(self, name):
        return super().log_of(name) if os.path.exists(os.path.join(self.state, f"{name}.log")) else ""

    def dropped(self, name):
        """How many lines of its log that node has dropped, as doctor says."""
        findings = self.cobus_any("doctor", "-o", "json")
        for finding in findings:
            if finding["code"] == "D014" and finding["object"] == "node " + name:
                return int(finding["cause"].split()[0])
        return 0

    def cobus_any(self, *arguments):
        done = subprocess.run(self.command(*arguments), capture_output=True, text=True, timeout=60, check=False)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        out = done.stdout.strip()
        return json.loads(out) if out.startswith("[") else [json.loads(line) for line in out.splitlines()]

    # It runs about 20 s, for lines of a megabyte; or for COBUS_TEST_SECONDS.
    def test_a_node_whose_stderr_nobody_reads_goes_on_and_counts(self):
        process, read = self.start_unread("mute", "cobus-node", "--name", "mute", "--log-level", "debug")
        self.wait_until(lambda: "mute" in self.names_up(), "mute to be up")
        end = time.monotonic() + float(os.environ.get("COBUS_TEST_SECONDS", "120"))
        calls = 0
        while time.monotonic() < end and (self.dropped("mute") == 0 or "COBUS_TEST_SECONDS" in os.environ):
            self.fill_log(process)
            self.json("call", "Echo/Echo", '{"text":"x"}', "--node", "mute")
            calls += 1
        self.assertGreater(calls, 0)
        dropped = self.dropped("mute")
        self.assertGreater(dropped, 0)
        print(f"{calls} calls, {dropped} lines dropped")
        # A reader who comes back finds the gap named.
        log = b""
        while not re.search(rb"\d+ lines of this log were dropped here", log):
            chunk = os.read(read, 65536)
            self.assertTrue(chunk)
            log += chunk
        # And who never does cannot keep it.
        self.fill_log(process)
        process.terminate()
        self.assertEqual(process.wait(timeout=20), 0)

    def fill_log(self, process):
        """SIGHUP is answered by a line of the log."""
        for _ in range(1000):
            process.send_signal(1)
            time.sleep(0.0002)

    def test_a_broker_whose_stderr_nobody_reads_ends(self):
        self.stop_all()
        self.processes.clear()
        process, _ = self.start_unread("broker2", "cobus-broker", "--listen", "tcp://127.0.0.1:0", "--log-level", "debug")
        answers = lambda: subprocess.run(self.command("nodes"), capture_output=True, timeout=60, check=False).returncode == 0
        self.wait_until(answers, "the broker to answer")
        for _ in range(5):
            self.fill_log(process)
        self.assertIsNone(process.poll())
        begin = time.monotonic()
        process.terminate()
        self.assertEqual(process.wait(timeout=20), 0)
        self.assertLess(time.monotonic() - begin, 15)

    def test_what_waits_is_written_at_the_end(self):
        process, read = self.start_unread("slow", "cobus-node", "--name", "slow", "--log-level", "debug")
        self.wait_until(lambda: "slow" in self.names_up(), "slow to be up")
        self.fill_log(process)
        process.terminate()
        log = b""
        while chunk := os.read(read, 512):
            log += chunk
        self.assertEqual(process.wait(timeout=20), 0)
        self.assertIn(b"stopping: no new work", log)
        self.assertNotIn(b"were dropped", log)


if __name__ == "__main__":
    processes.BIN = sys.argv.pop(1)
    unittest.main()
