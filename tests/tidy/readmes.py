# SPDX-License-Identifier: Apache-2.0
"""The agreed top level, a README of at most a page in every room, and folder tables that equal the disk."""
import posixpath
import re

from tree import Problem

TOP_LEVEL = {"proto", "node", "broker", "client", "tests", "deploy", ".ci", "CMakeLists.txt", "README.md", "LICENSE",
             "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "CMakePresets.json", ".clang-format", ".clang-tidy",
             ".gitignore", ".gitattributes"}
ROOMS = {"proto", "node", "broker", "client", "tests", "deploy"}
PAGE_LINES_MAX = 120


def _tables(lines):
    """Each table of a page as (line of its header, cells of the header, [(line, first cell)])."""
    rows = []
    for number, line in enumerate([*lines, ""], 1):
        if line.startswith("|"):
            rows.append((number, [cell.strip() for cell in line.strip().strip("|").split("|")]))
        elif rows:
            if len(rows) > 2:
                yield rows[0][0], rows[0][1], [(at, cells[0]) for at, cells in rows[2:]]
            rows = []


def _name(cell):
    match = re.search(r"`([^`]+)`", cell)
    return (match.group(1) if match else cell).strip().rstrip("/")


def _folder_table(tree, path, header_line, rows):
    folder = posixpath.dirname(path)
    said = {_name(cell): number for number, cell in rows}
    there = {name for name in tree.folders(folder) if not name.startswith(".")}
    for name in sorted(there - said.keys()):
        yield Problem(path, header_line, f"the folder table leaves out {name}/")
    for name in sorted(said.keys() - there):
        yield Problem(path, said[name], f"the folder table lists {name}/, which is not there")


def _file_table(tree, path, rows):
    folder = posixpath.dirname(path)
    for number, cell in rows:
        name = posixpath.join(folder, _name(cell))
        if name not in tree and not any(other.startswith((name + ".", name + "/")) for other in tree.files):
            yield Problem(path, number, f"the file table lists {_name(cell)}, which is not there")


def _links(tree, path):
    folder = posixpath.dirname(path)
    for number, line in enumerate(tree.lines(path), 1):
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", line):
            if "://" in target or target.startswith("mailto:"):
                continue
            there = posixpath.normpath(posixpath.join(folder, target))
            if there not in tree and not any(other.startswith(there + "/") for other in tree.files):
                yield Problem(path, number, f"links to {target}, which is not there")


def check(tree):
    for entry in sorted({path.split("/")[0] for path in tree.files} - TOP_LEVEL):
        yield Problem(entry, 0, "is not part of the agreed top level (tests/tidy/readmes.py)")
    rooms = [room for room in ROOMS if room in tree.folders()]
    rooms += ["node/" + room for room in tree.folders("node")]
    for room in sorted(rooms):
        if room + "/README.md" not in tree:
            yield Problem(room, 0, "has no README.md: what belongs here, what does not, where to start")
    if "README.md" in tree and not any(head[0].lower() == "folder" for _, head, _ in _tables(tree.lines("README.md"))):
        yield Problem("README.md", 0, "has no folder table")
    for path in tree.matching(".md"):
        yield from _links(tree, path)
        if posixpath.basename(path) != "README.md":
            continue
        lines = tree.lines(path)
        if len(lines) > PAGE_LINES_MAX:
            yield Problem(path, 0, f"{len(lines)} lines; a README is at most a page of {PAGE_LINES_MAX}")
        for header_line, head, rows in _tables(lines):
            if head[0].lower() == "folder":
                yield from _folder_table(tree, path, header_line, rows)
            elif head[0].lower() == "file":
                yield from _file_table(tree, path, rows)
