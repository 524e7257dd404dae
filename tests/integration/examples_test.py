# SPDX-License-Identifier: Apache-2.0
#
# Each program of the tutorial prints what its first lines say that it prints.
# Run as: examples_test.py FOLDER-OF-PROGRAMS
import pathlib
import subprocess
import sys
import unittest

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "node/examples"
BIN = ""


def promised(source):
    """The lines behind `// Prints:` at the top of an example."""
    lines = source.read_text(encoding="utf-8").splitlines()
    block = []
    for line in lines[lines.index("// Prints:") + 1:]:
        if not line.startswith("//   "):
            break
        block.append(line.removeprefix("//   "))
    return block


class Examples(unittest.TestCase):
    def test_each_prints_what_it_promises(self):
        programs = sorted(path for path in EXAMPLES.glob("[0-9]*.cpp") if "COBUS_SERVICE(" not in path.read_text())
        self.assertGreaterEqual(len(programs), 8)
        for source in programs:
            with self.subTest(source.stem):
                wanted = promised(source)
                self.assertTrue(wanted, "it says nothing of what it prints")
                ran = subprocess.run([pathlib.Path(BIN, "example_" + source.stem)], capture_output=True, text=True,
                                     timeout=60, check=False, stdin=subprocess.DEVNULL)
                self.assertEqual(ran.returncode, 0, ran.stderr)
                self.assertEqual(ran.stdout.splitlines(), wanted)


if __name__ == "__main__":
    BIN = sys.argv.pop(1)
    unittest.main()
