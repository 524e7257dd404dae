# SPDX-License-Identifier: Apache-2.0
"""proto/docs/guarantees.md and the tests agree: each test it names exists, and each test that is named after a
guarantee (M1_...) stands under that guarantee."""
import re

from tree import Problem

PAGE = "proto/docs/guarantees.md"
_TEST = re.compile(r"^TEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\)", re.MULTILINE)
_CITED = re.compile(r"`(\w+)\.(\w+)`")
_HEAD = re.compile(r"^\*\*([A-Z]\d+)\*\*")


def _tests(tree):
    """(suite, test) -> (path, line) of every C++ test."""
    found = {}
    for path in tree.matching("_test.cpp"):
        text = tree.text(path)
        for match in _TEST.finditer(text):
            found[match.groups()] = (path, text.count("\n", 0, match.start()) + 1)
    return found


def check(tree):
    if PAGE not in tree:
        return
    tests = _tests(tree)
    under = {}  # guarantee -> the tests that stand under it
    guarantee = None
    for number, line in enumerate(tree.lines(PAGE), 1):
        if line.startswith("#"):
            guarantee = None
        elif head := _HEAD.match(line):
            guarantee = head.group(1)
            under.setdefault(guarantee, set())
        for cited in _CITED.findall(line):
            if cited not in tests:
                yield Problem(PAGE, number, f"names {'.'.join(cited)}, which is no test")
            if guarantee:
                under[guarantee].add(cited)
    for (suite, name), (path, line) in sorted(tests.items(), key=lambda entry: entry[1]):
        promise = re.match(r"([A-Z]\d+)_", name)
        if promise and (suite, name) not in under.get(promise.group(1), set()):
            yield Problem(path, line, f"{suite}.{name} shows {promise.group(1)}, but does not stand under it in {PAGE}")
