# SPDX-License-Identifier: Apache-2.0
#
# What the tests of the command line share: one cluster for a whole class of tests that only use it, and a
# terminal to run the client in.
import fcntl
import os
import pty
import select
import struct
import subprocess
import tempfile
import termios
import time
import unittest

from processes import ClusterTest

LONG = '{"from":0,"to":400000000000}'  # primes for many minutes


class SharedCluster(unittest.TestCase):
    """One broker and three nodes for all tests of a class, which leave them as they are."""
    NODES = ("alpha", "beta", "gamma")

    @classmethod
    def setUpClass(cls):
        cls.cluster = ClusterTest()
        cls.cluster.NODES = cls.NODES
        cls.cluster.setUp()
        cls.state = cls.cluster.state

    @classmethod
    def tearDownClass(cls):
        cls.cluster.doCleanups()

    def setUp(self):
        self.cobus = self.cluster.cobus
        self.json = self.cluster.json
        self.lines = self.cluster.lines
        self.command = self.cluster.command
        self.wait_until = self.cluster.wait_until

    def file(self, content, suffix=".txt"):
        """A file with these bytes, gone after the test."""
        handle, name = tempfile.mkstemp(suffix=suffix, dir=self.state)
        with os.fdopen(handle, "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        self.addCleanup(os.unlink, name)
        return name

    def start(self, *arguments, **options):
        return start(self, self.command(*arguments), **options)

    def fails(self, code, *arguments, says=(), **options):
        """Checks the exit code, that stdout is empty, and that stderr says these things in one short text."""
        out, err = self.cobus(*arguments, code=code, **options)
        self.assertEqual(out, "")
        for text in [says] if isinstance(says, str) else says:
            self.assertIn(text, err)
        self.assertTrue(err.startswith("cobus: "), err)
        self.assertLess(len(err), 600)


def start(test, command, stdin=subprocess.DEVNULL, **options):
    """Runs a client that the test ends or waits for."""
    process = subprocess.Popen(command, **{"stdin": stdin, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
                                           "text": True, **options})

    def end():
        if process.poll() is None:
            process.kill()
        process.communicate()
    test.addCleanup(end)
    return process


def in_terminal(command, columns=100, env=None, seconds=60, on_output=None, typed=""):
    """Runs a command on a terminal, where somebody types that; gives (exit code, all that was shown)."""
    process, terminal = pty.fork()
    if process == 0:
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 25, columns, 0, 0))
        os.environ.update({"TERM": "xterm", "LANG": "C.UTF-8", **(env or {})})
        for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR", "LC_ALL"):
            if name not in (env or {}):
                os.environ.pop(name, None)
        os.execv(command[0], command)
    shown = b""
    os.write(terminal, typed.encode())
    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            if not select.select([terminal], [], [], 0.1)[0]:
                continue
            try:
                chunk = os.read(terminal, 65536)
            except OSError:  # EIO: the other end is closed
                break
            if not chunk:
                break
            shown += chunk
            if on_output:
                on_output(process, shown.decode(errors="replace"))
        else:
            os.kill(process, 9)
    finally:
        os.close(terminal)
    status = os.waitpid(process, 0)[1]
    return os.waitstatus_to_exitcode(status), shown.decode(errors="replace")
