# SPDX-License-Identifier: Apache-2.0
#
# A cluster over several hosts for system tests: the broker on h1, a node on each of the others, as network
# namespaces (deploy/lab/lab.sh). Remembers when each daemon said what.
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest

SCRIPT = BIN = ""
LAB = f"c{os.getpid()}"


def lab(*arguments, **options):
    return subprocess.run([SCRIPT, "--name", LAB, *arguments], capture_output=True, text=True, check=False, **options)


class Lines(threading.Thread):
    """Reads what a process says, with the time of each line."""

    def __init__(self, stream):
        super().__init__(daemon=True)
        self.stream = stream
        self.said = []  # (time, line)
        self.more = threading.Condition()
        self.over = False
        self.start()

    def run(self):
        for line in self.stream:
            with self.more:
                self.said.append((time.monotonic(), line))
                self.more.notify_all()
        with self.more:
            self.over = True
            self.more.notify_all()

    def first(self, fits, since=0.0, seconds=20.0):
        """When the first line at or behind `since` came that `fits`; None when there is none in time."""
        end = time.monotonic() + seconds
        with self.more:
            while True:
                for when, line in self.said:
                    if when >= since and fits(line):
                        return when
                left = end - time.monotonic()
                if left <= 0 or self.over:
                    return None
                self.more.wait(left)

    def count(self, fits, since=0.0):
        with self.more:
            return sum(when >= since and bool(fits(line)) for when, line in self.said)


class LabCluster(unittest.TestCase):
    HOSTS = ("h2", "h3", "h4")
    NODE_FLAGS = ()

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="cobus-lab-")
        cls.processes = {}
        cls.logs = {}
        cls.addClassCleanup(cls.end_all)
        up = lab("up", str(1 + len(cls.HOSTS)))
        assert up.returncode == 0, up.stderr
        cls.start("h1", "cobus-broker", "--listen", "tcp://10.77.0.1:7700")
        for host in cls.HOSTS:
            cls.start_node(host)
        cls.wait_for_nodes(set(cls.HOSTS))

    @classmethod
    def end_all(cls):
        lab("heal")
        for process in reversed(cls.processes.values()):
            process.terminate()
        for process in cls.processes.values():
            process.wait(timeout=20)
            process.stderr.close()
        lab("down")
        shutil.rmtree(cls.folder)

    @classmethod
    def start(cls, host, program, *flags):
        process = subprocess.Popen(
            [SCRIPT, "--name", LAB, "exec", host, os.path.join(BIN, program), "--state",
             os.path.join(cls.folder, host), *flags], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        cls.processes[host] = process
        cls.logs[host] = Lines(process.stderr)
        assert cls.logs[host].first(lambda line: "is ready" in line) is not None, f"{program} on {host} does not start"

    @classmethod
    def start_node(cls, host):
        # The address that peers dial is found from the route to the broker.
        cls.start(host, "cobus-node", "--join", "@" + os.path.join(cls.folder, "h1", "join", "node"), "--listen",
                  "tcp://0.0.0.0:0", "--name", host, *cls.NODE_FLAGS)

    @classmethod
    def command(cls, *arguments):
        return [SCRIPT, "--name", LAB, "exec", "h1", os.path.join(BIN, "cobus"), "--state",
                os.path.join(cls.folder, "h1"), *arguments]

    @classmethod
    def cobus(cls, *arguments):
        return subprocess.run(cls.command(*arguments), capture_output=True, text=True, check=False, timeout=120)

    @classmethod
    def nodes(cls):
        return [json.loads(line) for line in cls.cobus("nodes", "-o", "jsonl").stdout.splitlines()]

    @classmethod
    def wait_for_nodes(cls, names, seconds=20):
        end = time.monotonic() + seconds
        while {node["name"] for node in cls.nodes() if node["state"] == "up"} != names:
            assert time.monotonic() < end, f"the nodes are not {names} after {seconds} s: {cls.nodes()}"


def main(drops=False):
    """Runs the tests of the program, if this machine allows a lab, and dropping packets if it `drops` some.
    LAB_SCRIPT BIN_FOLDER come first on its command line."""
    global SCRIPT, BIN
    SCRIPT, BIN = sys.argv.pop(1), sys.argv.pop(1)
    probe = lab("up", "1")
    if drops and probe.returncode == 0:
        probe = lab("loss", "h1", "1")
    lab("down")
    if probe.returncode == 77:
        print("SKIPPED: this machine does not allow it, so nothing across hosts was tested:", probe.stderr)
        sys.exit(77)
    unittest.main("__main__")
