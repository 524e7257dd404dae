# SPDX-License-Identifier: Apache-2.0
"""Nothing dead: what is compiled is in a CMakeLists.txt, what is tested is registered, and every other file is
named by some other one."""
import posixpath
import re

from tree import Problem

# Found by their place, not by being named.
KNOWN = {"README.md", "CMakeLists.txt", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "CMakePresets.json",
         ".clang-format", ".clang-tidy", ".gitignore", ".gitattributes", ".ci/run", "tests/run.sh"}

# Tests that ctest does not run, for a reason that tests/README.md gives.
LONG = {"tests/system/skew_test.py"}


def _cmake_files(tree, path):
    """The CMakeLists.txt of the file's folder and of those above it, and the modules they share."""
    folder = posixpath.dirname(path)
    while True:
        candidate = posixpath.join(folder, "CMakeLists.txt")
        if candidate in tree:
            yield folder, candidate
        if not folder:
            break
        folder = posixpath.dirname(folder)
    for module in tree.matching(".cmake"):
        yield posixpath.dirname(module), module


def _built(tree, path):
    for folder, cmake in _cmake_files(tree, path):
        relative = posixpath.relpath(path, folder or ".")
        code = re.sub(r"#.*", "", tree.text(cmake))
        if re.search(r"(?<![\w./-])(\$\{\w+\}/)?" + re.escape(relative) + r"(?![\w./-])", code):
            return True
        if re.search(r"(?<![\w./-])" + re.escape(path) + r"(?![\w./-])", code):
            return True
    return False


def _is_registered(tree, path):
    """Whether a CMakeLists.txt names this test: in full anywhere, or in its own folder without its ending, as a loop over
    names does."""
    base = posixpath.basename(path)
    own = posixpath.join(posixpath.dirname(path), "CMakeLists.txt")
    names = {cmake: re.escape(base) for cmake in tree.matching("CMakeLists.txt")}
    if own in names:
        names[own] = re.escape(base.removesuffix("_test.py")) + r"(_test(\.py)?)?"
    return any(re.search(r"(?<![\w-])" + name + r"(?![\w-])", re.sub(r"#.*", "", tree.text(cmake)))
               for cmake, name in names.items())


def _included(tree, path):
    names = {path}
    for base in ("node/include/", "client/include/"):
        if path.startswith(base):
            names.add(path[len(base):])
    wanted = re.compile(r'#\s*include\s*["<](' + "|".join(re.escape(name) for name in names) + r')[">]')
    own = path.removesuffix(".hpp") + ".cpp"
    # A public header is there for others; any other must serve someone besides its own .cpp.
    return path.startswith(("node/include/", "client/include/")) or any(
        wanted.search(tree.text(other)) for other in tree.matching(".hpp", ".cpp", ".h.in") if other not in (path, own))


def _named(tree, path):
    base = posixpath.basename(path)
    patterns = [r"(?<![\w-])" + re.escape(base) + r"(?![\w-])"]
    if base.endswith(".py"):
        patterns.append(r"^\s*(import|from)\s+" + re.escape(base.removesuffix(".py")) + r"\b")
    if base.endswith(".cmake"):
        patterns.append(r"^\s*include\(" + re.escape(base.removesuffix(".cmake")) + r"\)")
    wanted = re.compile("|".join(patterns), re.MULTILINE)
    return any(wanted.search(tree.text(other)) for other in tree.files if other != path)


def check(tree):
    for path in tree.files:
        if path in KNOWN or posixpath.basename(path) in ("README.md", "CMakeLists.txt"):
            continue
        if path.endswith("_test.py"):
            where = "tests/README.md" if path in LONG else ""
            if where and posixpath.basename(path) not in (tree.text(where) if where in tree else ""):
                yield Problem(path, 0, f"ctest does not run this test, and {where} does not say when to")
            elif not where and not _is_registered(tree, path):
                yield Problem(path, 0, "this test is not registered: no CMakeLists.txt names it")
        elif path.endswith((".cpp", ".proto")):
            if not _built(tree, path):
                what = "test is not registered" if path.endswith("_test.cpp") else "file is not built"
                yield Problem(path, 0, f"this {what}: no CMakeLists.txt of its folder or above names it")
        elif path.endswith(".hpp"):
            if not _included(tree, path):
                yield Problem(path, 0, "nobody includes this header except its own .cpp")
        elif not _named(tree, path):
            yield Problem(path, 0, "no other file names this one: use it, mention it in a README, or remove it")
