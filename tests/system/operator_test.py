# SPDX-License-Identifier: Apache-2.0
#
# What an operator meets: starts that must be refused, with which exit code and what stays as it was; nodes that
# come and go; what the daemons log meanwhile. Run as: operator_test.py BIN_FOLDER [TEST...]
import os
import subprocess
import sys
import unittest

import processes
from processes import ClusterTest


def snapshot(folder):
    """Every file below the folder with its content."""
    files = {}
    for where, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(where, name), "rb") as file:
                files[os.path.join(where, name)] = file.read()
    return files


class OperatorTest(ClusterTest):
    NODES = ()

    def refused(self, code, program, *flags, says=(), env=None, **options):
        """Runs a program that must end by itself with this exit code and these words; gives its stderr."""
        done = subprocess.run([os.path.join(processes.BIN, program), *flags], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=30, check=False,
                              env={**os.environ, **(env or {})}, **options)
        self.assertEqual(done.returncode, code, done.stderr)
        for text in [says] if isinstance(says, str) else says:
            self.assertIn(text, done.stderr)
        return done.stderr


class Brokers(OperatorTest):
    def test_a_second_broker_on_the_same_folder_leaves_everything_as_it_was(self):
        before = snapshot(self.state + "/join") | snapshot(self.state + "/broker")
        self.refused(69, "cobus-broker", "--state", self.state, "--listen", "tcp://127.0.0.1:0",
                     says=f"is in use by process {self.processes['broker'].pid}")
        self.assertEqual(snapshot(self.state + "/join") | snapshot(self.state + "/broker"), before)
        self.cobus("nodes")


if __name__ == "__main__":
    processes.BIN = sys.argv.pop(1)
    unittest.main(verbosity=2)
