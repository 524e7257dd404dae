# SPDX-License-Identifier: Apache-2.0
#
# What must hold when somebody is careless or hostile: signals that come again, secrets and roles.
# Run as: cli_defence_test.py BIN_FOLDER [TEST...]
import os
import signal
import subprocess
import sys
import time
import unittest

import processes


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


if __name__ == "__main__":
    processes.BIN = sys.argv.pop(1)
    unittest.main(verbosity=2)
