# SPDX-License-Identifier: Apache-2.0
"""Layers point one way: every include of a room goes to itself or to a room below it."""
import re

from tree import Problem

# What each room may include besides itself. A room is a folder; the longest that matches counts.
# An entry may also be a single header, without its ending.
BASE = ["proto"]
CORE = BASE + ["node/runtime", "node/link", "node/worker", "node/include"]
NODE = CORE + ["node/cluster", "node/observe"]
MAY_INCLUDE = {
    "proto": [],
    "proto/plugin": BASE,
    "node/runtime": BASE,
    "node/link": BASE + ["node/runtime/check", "node/runtime/clock", "node/runtime/descriptor_limit",
                         "node/runtime/io_status", "node/runtime/random", "node/runtime/reminder"],
    "node/worker": BASE + ["node/runtime", "node/link"],
    "node/include": BASE + ["node/runtime", "node/link", "node/worker"],
    "node/cluster": CORE,
    "node/observe": CORE,
    "node/services": CORE,
    "node/job": NODE,
    "node/host": NODE,
    "node/daemon": NODE + ["node/job", "node/host", "node/services"],
    "node/examples": CORE + ["client/include"],
    "broker": NODE,
    "client": NODE + ["client/include"],
    "client/include": NODE + ["client"],
    "deploy": [],
}
# Foreign headers that stay in one room, so that what they bring with them stays there too.
ONLY_IN = {
    r"zmq(\.hpp|\.h|_addon\.hpp)": ["node/link"],
    r"SQLiteCpp/.*|sqlite3\.h": ["node/job", "broker"],
    r"coroutine": ["node", "client", "deploy"],
    r"thread|mutex|condition_variable|sys/socket\.h": ["node", "broker", "client"],
}
# The public headers are spelled <cobus/...>.
PUBLIC = ["node/include/cobus/", "client/include/cobus/"]
INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')


def room_of(path):
    rooms = [room for room in MAY_INCLUDE if path.startswith(room + "/")]
    return max(rooms, key=len, default=None)


def _target(tree, quote, name):
    """The path an include means; None where it is foreign, generated beside its user, or missing."""
    if quote == "<" and name.startswith("cobus/") and not name.startswith("cobus/v1/"):
        return next((base + name[6:] for base in PUBLIC if base + name[6:] in tree), None)
    if name in tree:
        return name
    if name.startswith("cobus/v1/"):  # generated: the messages are the contract's, the coroutines a node's
        return "proto/" + name if name.endswith(".pb.h") else "node/include/cobus/" + name
    return None


def _allowed(room, target):
    rooms = [room, *MAY_INCLUDE[room]]
    stem = target.rsplit(".", 1)[0]
    return any(target.startswith(allowed + "/") and room_of(target) in (allowed, None) or stem == allowed
               for allowed in rooms)


def _judge(tree, path, room, quote, name):
    target = _target(tree, quote, name)
    if target:
        if _allowed(room, target):
            return None
        below = ", ".join(MAY_INCLUDE[room]) or "nothing else"
        return f"{room} -> {room_of(target)}: includes {name}, but {room} may include only itself and: {below}"
    if quote == '"':
        stem = name.removesuffix(".pb.h").removesuffix(".cobus.h")
        if stem != name and any(proto.endswith("/" + stem + ".proto") for proto in tree.matching(".proto")):
            return None
        return f'includes "{name}", which is no file under the root (foreign headers are spelled <{name}>)'
    if name.startswith("cobus/"):
        return f"includes <{name}>, which is not in {' or '.join(PUBLIC)}"
    for pattern, rooms in ONLY_IN.items():
        if re.fullmatch(pattern, name) and not any((room + "/").startswith(allowed + "/") for allowed in rooms):
            return f"{room} -> <{name}>: only {', '.join(rooms)} may include it"
    return None


def check(tree):
    for path in tree.matching(".hpp", ".cpp"):
        room = room_of(path)
        if path.startswith("tests/"):
            continue  # tests may look everywhere
        if room is None:
            yield Problem(path, 0, "stands in no room that tests/tidy/layers.py knows")
            continue
        for number, line in enumerate(tree.lines(path), 1):
            match = INCLUDE.match(line)
            complaint = match and _judge(tree, path, room, *match.groups())
            if complaint:
                yield Problem(path, number, complaint)
