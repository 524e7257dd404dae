# SPDX-License-Identifier: Apache-2.0
"""Runs the named checks over the source tree and prints every problem as PATH:LINE: TEXT. Exits 1 if there is one.

Usage: tidy.py [--root FOLDER] [CHECK...]     (all checks without a name)
"""
import argparse
import sys
from pathlib import Path

import dead_files
import guarantees
import layers
import readmes
import sizes
import text
import tools
from tree import Tree

CHECKS = {
    "layers": layers.check,
    "sizes": sizes.check,
    "text": text.check,
    "dead_files": dead_files.check,
    "readmes": readmes.check,
    "guarantees": guarantees.check,
    "format": tools.check_format,
    "scripts": tools.check_scripts,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default=Path(__file__).resolve().parents[2])
    parser.add_argument("checks", nargs="*", metavar="CHECK", help=", ".join(CHECKS))
    arguments = parser.parse_args()
    unknown = set(arguments.checks) - CHECKS.keys()
    if unknown:
        parser.error(f"no check named {', '.join(sorted(unknown))}; there are: {', '.join(CHECKS)}")
    tree = Tree(arguments.root)
    problems = 0
    for name in arguments.checks or CHECKS:
        for problem in CHECKS[name](tree):
            problems += 1
            print(f"{problem} [{name}]")
    if problems:
        print(f"tidy: {problems} problem{'s' if problems > 1 else ''} in {len(tree.files)} files", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
