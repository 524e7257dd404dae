# SPDX-License-Identifier: Apache-2.0
#
# Several modules in one node: two that share messages work together; what cannot be loaded beside what is there is refused
# with the reason, and the process lives to say it. Run as: modules_test.py BIN_FOLDER MODULE_FOLDER [TEST...]
import os
import subprocess
import sys
import unittest

import processes
from processes import ClusterTest

MODULES = ""


def module(name):
    folder = {"alone": "alone", "clash": "clash", "renamed": "clash"}.get(name, "")
    return os.path.join(MODULES, folder, name + ".so")


class ModulesTest(ClusterTest):
    NODES = ()

    def test_two_modules_share_messages(self):
        self.start_node("alpha", "--service", module("left"), "--service", module("right"))
        self.assertEqual(self.json("call", "left.Left/Write", '{"text": "hello"}', "-o", "json"), {"text": "read: hello"})

    def check(self, *names):
        """Of --check-config with these modules: the exit code and what it says."""
        words = [word for name in names for word in ("--service", module(name))]
        done = subprocess.run([os.path.join(processes.BIN, "cobus-node"), "--state", self.state, "--name", "beta",
                               "--check-config", *words], capture_output=True, text=True, check=False, timeout=60)
        return done.returncode, done.stderr

    def test_what_would_end_the_process_is_refused_with_the_reason(self):
        twice = "a process can hold the code of a .proto once: make it a library that both use (cobus_add_messages)"
        for names, told in (
                (("left", "alone"), ["alone.so cannot be loaded: it brings notes.proto, as module", "left.so does", twice]),
                (("alone", "left"), ["left.so cannot be loaded: it brings notes.proto, as module", "alone.so does", twice]),
                (("clash",), ["clash.so cannot be loaded: it brings echo.proto, as cobus-node itself does"]),
                (("left", "renamed"), ["renamed.so cannot be loaded: it would end this process", "notes.Note"]),
                (("throwing",), ["throwing.so cannot be loaded: it would end this process", "no luck today"])):
            with self.subTest(names):
                code, said = self.check(*names)
                self.assertGreater(code, 0, "not by a signal")
                for words in told:
                    self.assertIn(words, said)

    def test_each_of_them_can_be_loaded_where_nothing_is_in_its_way(self):
        for names in (("left", "right"), ("alone",), ("renamed",)):
            with self.subTest(names):
                self.assertEqual(self.check(*names), (0, ""))

    def test_a_module_that_is_named_twice_is_refused(self):
        code, said = self.check("left", "left")
        self.assertGreater(code, 0)
        self.assertIn("left.so is loaded already", said)


if __name__ == "__main__":
    processes.BIN = sys.argv.pop(1)
    MODULES = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
