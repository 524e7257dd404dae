# SPDX-License-Identifier: Apache-2.0
"""The source tree as the checks of tests/tidy see it: what git tracks or would track, and helpers to read it."""
import re
import subprocess
from pathlib import Path


class Tree:
    def __init__(self, root):
        self.root = Path(root).resolve()
        self.files = sorted(path for path in self._listed() if (self.root / path).is_file())
        self._file_set = set(self.files)
        self._texts = {}

    def __contains__(self, path):
        return path in self._file_set

    def text(self, path):
        if path not in self._texts:
            self._texts[path] = (self.root / path).read_text(encoding="utf-8", errors="replace")
        return self._texts[path]

    def lines(self, path):
        return self.text(path).splitlines()

    def matching(self, *suffixes):
        return [path for path in self.files if path.endswith(suffixes)]

    def folders(self, inside=""):
        """Names of the folders directly in `inside` ("" is the root) that hold at least one file."""
        prefix = inside + "/" if inside else ""
        return {path[len(prefix):].split("/")[0] for path in self.files
                if path.startswith(prefix) and "/" in path[len(prefix):]}

    def _listed(self):
        if (self.root / ".git").exists():
            listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                                    cwd=self.root, capture_output=True, text=True, check=True)
            return [path for path in listed.stdout.split("\0") if path]
        found = (path.relative_to(self.root) for path in self.root.rglob("*"))  # a copy without its history
        return [path.as_posix() for path in found if path.parts[0] != "build" and "__pycache__" not in path.parts]


class Problem:
    def __init__(self, path, line, text):
        self.path, self.line, self.text = path, line, text

    def __str__(self):
        return f"{self.path}:{self.line}: {self.text}" if self.line else f"{self.path}: {self.text}"


_NOISE = re.compile(
    r"""//[^\n]*|/\*.*?\*/|R"(?P<tag>[^()\s\\]*)\(.*?\)(?P=tag)"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])*'""",
    re.DOTALL)


def bare_code(text):
    """C++ text with comments and literals blanked; every line stays where it was."""
    return _NOISE.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)
