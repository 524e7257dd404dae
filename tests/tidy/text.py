# SPDX-License-Identifier: Apache-2.0
"""What every hand-written file has (a licence line, headers also their purpose) and none has (leftovers)."""
import re

from tree import Problem

SPDX = "SPDX-License-Identifier: Apache-2.0"
LICENSED = (".hpp", ".cpp", ".proto", ".py", ".sh", ".cmake", "CMakeLists.txt", ".clang-tidy", ".ci/run",
            ".service", ".toml", ".ts", ".js", ".css", "Dockerfile", ".yaml", ".yml")
PURPOSE_LINES_MAX = 10

# Written in pieces, so that this file does not find itself.
LEFTOVERS = {
    r"^\s*#\s*if\s+" + r"0\b": "code that is switched off: remove it, history keeps it",
    r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b": "an open end: do it, or file an issue",
    r"\bDISA" + r"BLED_": "a test that never runs",
    r"^(<{7}|>{7}) ": "a merge conflict",
    r"[ \t]+$": "white space at the end of the line",
}
_LEFTOVERS = [(re.compile(pattern), why) for pattern, why in LEFTOVERS.items()]


def _licence(tree, path):
    lines = tree.lines(path)
    first = 1 if lines and lines[0].startswith("#!") else 0
    if len(lines) <= first or SPDX not in lines[first]:
        yield Problem(path, first + 1, f"the first line is not: {SPDX}")


def _purpose(tree, path):
    lines = tree.lines(path)[1:]
    length = next((number for number, line in enumerate(lines) if not line.startswith("//")), len(lines))
    said = [line for line in lines[:length] if line.strip("/ ")]
    if not said or lines[0].strip() != "//":
        yield Problem(path, 2, "a header begins with its purpose: an empty comment line, then which problem it solves, "
                               "who owns it, which thread uses it")
    elif len(said) > PURPOSE_LINES_MAX:
        yield Problem(path, 2, f"{len(said)} lines of purpose; above {PURPOSE_LINES_MAX} it is an essay")


def check(tree):
    for path in tree.files:
        if path.endswith(LICENSED):
            yield from _licence(tree, path)
        if path.endswith(".hpp"):
            yield from _purpose(tree, path)
        if path.endswith((*LICENSED, ".md", ".json", ".txt", ".sql")) and path != "LICENSE":
            for number, line in enumerate(tree.lines(path), 1):
                for pattern, why in _LEFTOVERS:
                    if pattern.search(line):
                        yield Problem(path, number, why)
