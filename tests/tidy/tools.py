# SPDX-License-Identifier: Apache-2.0
"""Checks that a tool makes: clang-format over the C++ and the schemas, shellcheck over the shell scripts, and
Python's compiler over the Python."""
import re
import subprocess

from tree import Problem


def _run(tree, command, paths, found):
    if not paths:
        return
    ran = subprocess.run([*command, *paths], cwd=tree.root, capture_output=True, text=True, check=False)
    problems = {}
    for path, line, text in re.findall(found, ran.stdout + ran.stderr, re.MULTILINE):
        problems.setdefault(path, Problem(path, int(line), text))  # the first of each file is enough to act on
    yield from problems.values()
    if ran.returncode != 0 and not problems:
        yield Problem(command[0], 0, (ran.stderr or ran.stdout).strip() or f"exit code {ran.returncode}")


def check_format(tree):
    paths = [path for path in tree.matching(".hpp", ".cpp")]
    for problem in _run(tree, ["clang-format-19", "--dry-run", "-Werror"], paths, r"^([^\s:]+):(\d+):\d+: (error: .*)$"):
        problem.text = f"not formatted; clang-format-19 -i {problem.path}" if problem.line else problem.text
        yield problem


def check_scripts(tree):
    shell = [path for path in tree.files if path.endswith(".sh") or tree.text(path).startswith("#!/usr/bin/env bash")]
    yield from _run(tree, ["shellcheck", "--format=gcc"], shell, r"^([^\s:]+):(\d+):\d+: (.*)$")
    for path in shell:
        if not (tree.root / path).stat().st_mode & 0o100:
            yield Problem(path, 0, "is not executable")
    for path in tree.matching(".py"):
        try:
            compile(tree.text(path), path, "exec")
        except SyntaxError as error:
            yield Problem(path, error.lineno or 0, f"is no Python: {error.msg}")
