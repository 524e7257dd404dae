#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
#
# Programs of an earlier release and of this one, in every pairing of broker, home, runner and client: they find one another,
# call, stream, submit, map, tap, go on over new connections, and come back after a kill. Then an upgrade, program by program.
# It takes some minutes and needs the earlier programs, so ctest does not run it; recorded_test holds what each build must.
# Run as: skew_test.py BIN_FOLDER (--old FOLDER | --old-commit COMMIT) [TEST...]
import argparse
import itertools
import json
import os
import pathlib
import socket
import subprocess
import sys
import time
import unittest

import processes
from cli_cluster import start
from forwarder import Forwarder
from processes import ClusterTest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = ("cobus", "cobus-node", "cobus-broker")
FOLDERS = {}  # "old" and "new": where their programs are
RELEASES = {"test_an_upgrade_program_by_program_keeps_names_keys_and_jobs": dict.fromkeys(
    ("broker", "home", "runner", "client"), "old")}  # test -> role -> release; add_pairings adds the others
LARGE = 1_200_000  # goes in fragments


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class SkewTest(ClusterTest):
    """A broker, the home of all jobs and a runner, each behind a forwarder and with a port that it keeps over a restart."""
    NODES = ("home", "runner")
    ROLES = ("broker", *NODES, "client")

    def setUp(self):
        self.release = dict(RELEASES[self._testMethodName])
        super().setUp()

    def start_cluster(self):
        self.forwarders = {name: Forwarder() for name in ("broker", *self.NODES)}
        for forwarder in self.forwarders.values():
            self.addCleanup(forwarder.close)
            forwarder.port_behind = free_port()
        for name in self.forwarders:
            self.start_again(name)
        self.both_are_up()

    def start_again(self, name):
        """Starts it, for the first time too, in the release that it has now."""
        forwarder = self.forwarders[name]
        where = ("--listen", f"tcp://127.0.0.1:{forwarder.port_behind}", "--advertise", f"tcp://127.0.0.1:{forwarder.port}")
        if name == "broker":
            return self.start(name, "cobus-broker", *where)
        flags = ("--ledger", "none") if name == "runner" else ()
        return self.start(name, "cobus-node", "--name", name, "--pool", "1", *flags, *where)

    def start(self, name, program, *flags, state=None):
        before, processes.BIN = processes.BIN, FOLDERS[self.release[name]]
        try:
            return super().start(name, program, *flags, state=state)
        finally:
            processes.BIN = before

    def command(self, *arguments, state=None):
        return [os.path.join(FOLDERS[self.release["client"]], "cobus"), *super().command(*arguments, state=state)[1:]]

    def both_are_up(self):
        self.wait_until(lambda: self.names_up() == sorted(self.NODES), "both nodes to be up")

    def cut(self):
        for forwarder in self.forwarders.values():
            forwarder.cut()

    # --- what they do with one another; each asserts that the result is right

    def calls(self):
        for node in self.NODES:
            reply = self.json("call", "echo.Echo/Echo", '{"text":"hi"}', "--node", node, "-o", "json")
            self.assertEqual(reply, {"text": "hi", "node": node})
        _, said = self.cobus("call", "math.Primes/Count", '{"from":9,"to":1}', "--node", "home", code=1)
        self.assertIn("INVALID_ARGUMENT", said)
        self.cobus("call", "math.Primes/Count", '{"to":400000000000}', "--timeout", "300ms", code=124)
        large = self.json("call", "echo.Echo/Echo", "-", "-o", "json", stdin=json.dumps({"text": "x" * LARGE}))
        self.assertEqual(len(large["text"]), LARGE)

    def streams(self):
        lines = self.lines("call", "text.Text/Grep", '{"text":"one\\ntwo\\nthree","pattern":"o"}', "-o", "jsonl")
        self.assertEqual([line["text"] for line in lines], ["one", "two"])
        said = [f"line {number}" for number in range(300)]
        texts = "".join(json.dumps({"text": text}) + "\n" for text in said)
        for node in self.NODES:
            echoed = self.lines("call", "echo.Echo/Chat", "-", "--node", node, "-o", "jsonl", stdin=texts)
            self.assertEqual([reply["text"] for reply in echoed], said)
            collected = self.json("call", "echo.Echo/Collect", "-", "--node", node, "-o", "json", stdin=texts)
            self.assertEqual(int(collected["count"]), len(said))

    def jobs(self):
        to, count = min(processes.PRIMES.items())
        request = json.dumps({"from": 0, "to": to})
        waited = self.json("submit", "math.Primes/Count", request, "--wait", "-o", "json")
        self.assertEqual(int(waited["result"]["count"]), count)
        ids = [self.json("submit", "math.Primes/Count", request, "--key", f"key {number}", "--label", "of=skew",
                         "-o", "json")["id"] for number in range(4)]
        again = self.json("submit", "math.Primes/Count", request, "--key", "key 0", "-o", "json")
        self.assertEqual(again["id"], ids[0])
        for job in ids:
            over = self.json("wait", job, "-o", "json")
            self.assertEqual((over["state"], over["attempt"], over["home"]), ("succeeded", 1, "home"))
            self.assertEqual(int(self.json("result", job, "-o", "json")["result"]["count"]), count)
        listed = self.lines("jobs", "--label", "of=skew", "-o", "jsonl")
        self.assertTrue(set(ids) <= {job["id"] for job in listed})
        self.wait_until(lambda: self.runs_at("runner"), "the home to give a job to the runner")

    def runs_at(self, node):
        """Whether this node gets one of some jobs that come together: more than the pool of the home takes."""
        requests = '{"to":20000000}\n' * 8
        replies = self.lines("map", "math.Primes/Count", "-o", "jsonl", stdin=requests)
        self.assertEqual({reply["result"]["count"] for reply in replies}, {"1270607"})
        return node in {reply["node"] for reply in replies}

    def map(self):
        requests = "".join(json.dumps({"text": "a " * number}) + "\n" for number in range(40))
        for flags in ((), ("--no-ledger",)):
            replies = self.lines("map", "-k", "text.Text/WordCount", *flags, "-o", "jsonl", stdin=requests)
            counts = [int(reply["result"]["words"]) for reply in replies]
            self.assertEqual(counts, list(range(40)))

    def tap(self):
        watching = start(self, self.command("tap", "echo.Echo/Echo", "--body", "--for", "20s", "--count", "2", "-o", "jsonl"))
        deadline = time.monotonic() + 20
        while watching.poll() is None:  # until it is on, it sees nothing
            self.assertLess(time.monotonic(), deadline, "the tap to see a call")
            self.cobus("call", "echo.Echo/Echo", '{"text":"watched"}')
        out, err = watching.communicate(timeout=20)
        self.assertEqual(watching.returncode, 0, err)
        self.assertIn("watched", out)

    def looks(self):
        self.cobus("ps", "--window", "0")
        self.cobus("services")
        self.assertIn("rpc WordCount", self.cobus("describe", "text.Text")[0])
        self.cobus("tree")

    def resumes(self):
        """Connections are cut while there is traffic over all of them, and nobody notices."""
        to, count = self.known_primes_for(1.5)
        request = json.dumps({"from": 0, "to": to})
        called = start(self, self.command("call", "math.Primes/Count", request, "--node", "runner", "--timeout", "60s"))
        job = self.json("submit", "math.Primes/Count", request, "-o", "json")["id"]
        chat = start(self, self.command("call", "echo.Echo/Chat", "-", "--node", "home", "-o", "jsonl"), stdin=subprocess.PIPE)
        said = [f"line {number}" for number in range(12)]
        echoed = []
        for text in said:
            chat.stdin.write(json.dumps({"text": text}) + "\n")
            chat.stdin.flush()
            if len(echoed) % 3 == 2:
                self.cut()
            echoed.append(json.loads(chat.stdout.readline())["text"])
        rest, err = chat.communicate(timeout=60)
        self.assertEqual((echoed, rest, chat.returncode), (said, "", 0), err)
        out, err = called.communicate(timeout=60)
        self.assertEqual((called.returncode, str(count) in out), (0, True), out + err)
        over = self.json("wait", job, "-o", "json")
        self.assertEqual((over["state"], over["attempt"]), ("succeeded", 1))
        self.assertNotIn("is gone", self.log_of("broker"))

    def comes_back(self):
        for name in ("runner", "broker", "home"):
            self.kill(name)
            if name != "broker":
                self.wait_until(lambda gone=name: gone not in self.names_up(), f"{name} to be missed")
            self.start_again(name)
            self.both_are_up()
            for node in self.NODES:
                self.wait_until(lambda at=node: self.answers(at), f"{node} to answer")
        self.assertEqual({job["state"] for job in self.lines("jobs", "-o", "jsonl")}, {"succeeded"})

    def answers(self, node):
        return subprocess.run(self.command("call", "echo.Echo/Echo", '{"text":"hi"}', "--node", node), capture_output=True,
                              timeout=60, check=False).returncode == 0

    def leaves(self):
        self.processes["runner"].terminate()
        self.processes["runner"].wait(timeout=30)
        self.wait_until(lambda: self.names_up() == ["home"], "the runner to be missed")


class Pairing(SkewTest):
    def everything(self):
        for step in (self.calls, self.streams, self.jobs, self.map, self.tap, self.looks, self.resumes, self.comes_back,
                     self.leaves):
            with self.subTest(step=step.__name__):
                step()


def add_pairings():
    for releases in itertools.product(("old", "new"), repeat=len(SkewTest.ROLES)):
        pairing = dict(zip(SkewTest.ROLES, releases))
        name = "test_" + "_".join(f"{role}_{release}" for role, release in pairing.items())
        setattr(Pairing, name, Pairing.everything)
        RELEASES[name] = pairing


class Upgrade(SkewTest):
    def test_an_upgrade_program_by_program_keeps_names_keys_and_jobs(self):
        self.jobs()
        before = {job["id"] for job in self.lines("jobs", "-o", "jsonl")}
        for name in ("broker", "runner", "home"):
            self.release[name] = "new"
            self.processes[name].terminate()
            self.assertEqual(self.processes[name].wait(timeout=30), 0, self.log_of(name))
            self.start_again(name)
            self.both_are_up()
            self.calls()
        self.release["client"] = "new"
        self.calls()
        self.assertTrue(before <= {job["id"] for job in self.lines("jobs", "-o", "jsonl")})
        self.jobs()


def build(commit):
    """The folder of that commit's programs, built if they are not there yet."""
    tree = ROOT / "build" / "skew" / commit
    if not tree.exists():
        subprocess.run(["git", "-C", ROOT, "worktree", "add", "--detach", tree, commit], check=True)
    subprocess.run(["cmake", "--preset", "release"], cwd=tree, check=True, stdout=sys.stderr)
    subprocess.run(["cmake", "--build", "build/release", "--target", *PROGRAMS], cwd=tree, check=True, stdout=sys.stderr)
    return tree / "build" / "release" / "bin"


def main():
    parser = argparse.ArgumentParser(description="Programs of two releases together.")
    parser.add_argument("new", help="the folder of today's programs")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--old", help="the folder of the earlier programs")
    which.add_argument("--old-commit", help="the commit that they are built of, in build/skew")
    arguments, rest = parser.parse_known_args()
    FOLDERS["new"] = os.path.abspath(arguments.new)
    FOLDERS["old"] = os.path.abspath(arguments.old or build(arguments.old_commit))
    for folder, program in itertools.product(FOLDERS.values(), PROGRAMS):
        if not os.access(os.path.join(folder, program), os.X_OK):
            parser.error(f"{folder} holds no program {program}")
    add_pairings()
    unittest.main(argv=[sys.argv[0], "-v", *rest])


if __name__ == "__main__":
    main()
