# SPDX-License-Identifier: Apache-2.0
"""Hand-written C++ outside the tests: no file above 400 lines, no function above 70."""
import re

from tree import Problem, bare_code

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70

_SCOPE = re.compile(r"\b(namespace|class|struct|union|enum|concept|extern)\b")
_NO_PARAMETERS = re.compile(r"\b(alignas|requires|decltype|__attribute__)\s*\(.*?\)+")
_INITIALISERS = re.compile(r"\)\s*(?:noexcept\s*)?:(?!:)")


def _opens(head):
    """What the brace after `head` (the text since the last statement) opens: scope, function, or a value."""
    if "(" not in _NO_PARAMETERS.sub("", head):
        return "scope" if _SCOPE.search(head) else "value"
    if _INITIALISERS.search(head) and re.search(r"[\w>]\s*$", head):
        return "value"  # a member's initialiser in a constructor
    if re.search(r"=\s*$|\breturn\s*$", head):
        return "value"
    return "function"


def functions(text):
    """(first line, last line) of each function body that is not inside another, its signature included."""
    code = re.sub(r"^[ \t]*#.*?(?<!\\)$", lambda match: re.sub(r"[^\n]", " ", match.group()), bare_code(text),
                  flags=re.MULTILINE | re.DOTALL)
    stack, head, head_line, parens, line = [], "", 1, 0, 1
    for character in code:
        if character == "\n":
            line += 1
        if stack and stack[-1][0] != "scope":  # inside a body or a value only its end matters
            kind, first, depth = stack[-1]
            depth += (character == "{") - (character == "}")
            stack[-1] = (kind, first, depth)
            if depth == 0:
                stack.pop()
                if kind == "function":
                    yield first, line
                    head = ""
                else:
                    head += "}"
            continue
        if character == "{" and parens == 0:
            kind = _opens(head)
            stack.append((kind, head_line, 1))
            head = head if kind == "value" else ""
        elif character == "}" and parens == 0:
            if stack:
                stack.pop()
            head = ""
        elif character == ";" and parens == 0:
            head = ""
        else:
            parens += (character == "(") - (character == ")")
            if not head.strip():
                head, head_line = "", line
            head += character


def check(tree):
    for path in tree.matching(".hpp", ".cpp"):
        if path.startswith("tests/"):
            continue
        count = len(tree.lines(path))
        if count > FILE_LINES_MAX:
            yield Problem(path, 0, f"{count} lines; above {FILE_LINES_MAX} a file holds a second idea: split it")
        for first, last in functions(tree.text(path)):
            if last - first + 1 > FUNCTION_LINES_MAX:
                yield Problem(path, first, f"a function of {last - first + 1} lines; the limit is {FUNCTION_LINES_MAX}")
