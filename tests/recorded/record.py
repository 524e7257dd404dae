#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Records what the programs of one release say to one another, for recorded_test.cpp: real frames, one of each sort.

A relay stands before the broker and before each node. It holds their keys, which lie in the state folder of a cluster
that lives for this recording only, so it reads every frame that it passes on. What was recorded goes to stdout.
Run with the messages of the build in PYTHONPATH:
  PYTHONPATH=build/release/tests/system/python_messages tests/recorded/record.py BIN_FOLDER NAME_OF_RELEASE >RELEASE.frames
"""
import asyncio
import base64
import glob
import os
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system"))
from cobus.v1 import (admin_pb2, directory_pb2, envelope_pb2 as wire, inspect_pb2, job_pb2,  # noqa: E402
                      observe_pb2, session_pb2, worker_pb2)
from nacl import bindings  # noqa: E402
from python_peer.session import whole  # noqa: E402
from python_peer.transport import Dialled, Door, make_context  # noqa: E402
from python_peer.wire import type_id  # noqa: E402

SECONDS = 30
MODULES = (admin_pb2, directory_pb2, wire, inspect_pb2, job_pb2, observe_pb2, session_pb2, worker_pb2)
FRAME_BYTES_MAX = 4 << 10  # of a frame that is kept
PART_BYTES = 128 << 10
# Messages by type id, as envelopes name them.
MESSAGES = {type_id(message.full_name): message._concrete_class for module in MODULES
            for message in module.DESCRIPTOR.message_types_by_name.values()}


class Keys:
    """A key pair, as the transport wants it."""

    def __init__(self, secret):
        self.secret_key = secret
        self.public_key = bindings.crypto_scalarmult_base(secret)


def unbase32(text):
    return base64.b32decode(text.strip().upper() + "====")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Recording:
    def __init__(self, state):
        self.state = state
        self.frames = []  # (who, to whom, bytes)

    def keys(self):
        """name -> Keys of everybody here: NODE, "client", and "other/client"."""
        all_keys = {}
        for path in sorted(glob.glob(os.path.join(self.state, "**", "curve.key"), recursive=True)):
            folder = os.path.relpath(os.path.dirname(path), self.state)
            with open(path, encoding="ascii") as file:
                all_keys[folder.removeprefix("nodes/")] = Keys(unbase32(file.read()))
        return all_keys

    def keys_of(self, public):
        return next((name, keys) for name, keys in self.keys().items() if keys.public_key == public)


class Relay:
    """Passes on what is said to one listener, and what that answers."""

    def __init__(self, recording, name, keys, port):
        self.name, self.keys = name, keys
        self._recording = recording
        self._target = f"tcp://127.0.0.1:{port}"
        self._context = make_context()
        self._open = []
        self._door = Door(self._context, keys, "tcp://127.0.0.1:*", self._on_first)
        self.port = self._door.endpoint.rpartition(":")[2]

    def cut(self):
        """Ends all connections, as a network does."""
        for pair in self._open:
            for connection in pair:
                connection.close()
        self._open = []

    def _on_first(self, accepted, data):
        Pair(self._recording, self, accepted, data, self._open)

    async def dial(self, keys):
        return await Dialled.open(self._context, keys, self._target, self.keys.public_key)


class Pair:
    """Two connections that are one for both ends."""

    def __init__(self, recording, relay, accepted, data, all_open):
        self._recording, self._relay, self._near, self._far = recording, relay, accepted, None
        self._waiting = [data]
        self._who, keys = recording.keys_of(accepted.key)
        self._all_open = all_open
        accepted.start(self)
        self._task = asyncio.create_task(self._dial(keys))

    async def _dial(self, keys):
        self._far = await self._relay.dial(keys)
        self._far.start(self)
        self._all_open.append((self._near, self._far))
        for data in self._waiting:
            self._pass_on(self._who, self._relay.name, self._far, data)

    def on_frame(self, connection, data):
        if connection is self._far:
            self._pass_on(self._relay.name, self._who, self._near, data)
        elif self._far:
            self._pass_on(self._who, self._relay.name, self._far, data)
        else:
            self._waiting.append(data)

    def on_closed(self, connection):
        other = self._near if connection is self._far else self._far
        if other and not other.closed:
            other.close()

    def _pass_on(self, who, whom, connection, data):
        self._recording.frames.append((who, whom, bytes(data)))
        connection.send(data)


class Cluster:
    """The programs of the release, each behind a relay."""

    def __init__(self, folder, state):
        self._folder, self._state = folder, state
        self._processes = []
        self.recording = Recording(state)
        self.relays = {}

    async def start(self, name, program, keys, *flags):
        port = free_port()
        relay = self.relays[name] = Relay(self.recording, name, keys, port)
        log = open(os.path.join(self._state, f"{name}.log"), "w+", encoding="utf-8")
        process = await asyncio.create_subprocess_exec(
            os.path.join(self._folder, program), "--state", self._state, "--listen", f"tcp://127.0.0.1:{port}",
            "--advertise", f"tcp://127.0.0.1:{relay.port}", *flags, stderr=log)
        self._processes.append(process)
        end = time.monotonic() + SECONDS
        while True:
            log.seek(0)
            text = log.read()
            if "is ready at" in text:
                return process
            if process.returncode is not None or time.monotonic() > end:
                raise RuntimeError(f"{name} is not ready: {text}")
            await asyncio.sleep(0.02)

    async def start_node(self, name, *flags):
        folder = os.path.join(self._state, "nodes", name)
        os.makedirs(folder, mode=0o700)
        os.chmod(os.path.dirname(folder), 0o700)
        secret = bindings.crypto_box_keypair()[1]
        with open(os.open(os.path.join(folder, "curve.key"), os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
            file.write(base64.b32encode(secret).decode().rstrip("=").lower() + "\n")
        return await self.start(name, "cobus-node", Keys(secret), "--name", name, *flags)

    async def client(self, *arguments, stdin=b"", codes=(0,), state=None):
        process = await asyncio.create_subprocess_exec(
            os.path.join(self._folder, "cobus"), "--state", state or self._state, *arguments, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, err = await asyncio.wait_for(process.communicate(stdin), SECONDS)
        if process.returncode not in codes:
            raise RuntimeError(f"cobus {arguments} ended with {process.returncode}: {err.decode()}")
        return out.decode()

    async def until(self, done, what):
        end = time.monotonic() + SECONDS
        while not done():
            if time.monotonic() > end:
                raise RuntimeError(f"waited {SECONDS} s for {what}")
            await asyncio.sleep(0.02)

    async def stop(self):
        for process in reversed(self._processes):
            if process.returncode is None:
                process.terminate()
                await process.wait()


def broker_keys(state):
    """Of a broker: made from the cluster's key, which lies there before it starts."""
    folder = os.path.join(state, "broker")
    os.makedirs(folder, mode=0o700)
    seed = os.urandom(32)
    with open(os.open(os.path.join(folder, "cluster.key"), os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
        file.write(base64.b32encode(seed).decode().rstrip("=").lower() + "\n")
    public, secret = bindings.crypto_sign_seed_keypair(seed)
    return Keys(bindings.crypto_sign_ed25519_sk_to_curve25519(secret)), public


async def use(cluster):
    """A little of everything that programs say to one another."""
    client = cluster.client
    alpha = await cluster.start_node("alpha", "--label", "zone=a", "--pool", "1")
    beta = await cluster.start_node("beta", "--ledger", "none", "--pool", "1")
    frames = cluster.recording.frames
    await client("nodes")
    await client("call", "echo.Echo/Echo", '{"text":"hi"}', "--node", "alpha", "--timeout", "7s")
    await client("call", "echo.Echo/Echo", '{"text":"hi"}', "--node", "beta")
    await client("call", "text.Text/Grep", '{"text":"one\\ntwo\\nthree","pattern":"o"}', "--node", "alpha")
    await client("call", "echo.Echo/Chat", "-", "--node", "alpha", stdin=b'{"text":"a"}\n{"text":"b"}\n')
    await client("call", "echo.Echo/Collect", "-", "--node", "alpha", stdin=b'{"text":"a"}\n{"text":"bc"}\n')
    await client("call", "math.Primes/Count", '{"from":9,"to":1}', "--node", "alpha", codes=(0, 1, 2))
    await client("call", "math.Primes/Count", '{"from":0,"to":400000000000}', "--node", "alpha", "--timeout", "500ms",
                 codes=(124,))
    large = os.path.join(cluster._state, "large")
    with open(large, "w", encoding="ascii") as file:
        file.write('{"text":"' + "x" * (9 * PART_BYTES + 50) + '"}')
    await client("call", "echo.Echo/Echo", "@" + large, "--node", "alpha")
    watching = asyncio.create_task(client("tap", "--body", "--for", "4s"))
    await cluster.until(lambda: any(b"cobus.v1.Observe/Tap" in each[2] for each in frames), "the tap")
    await asyncio.sleep(1)
    await client("submit", "math.Primes/Count", '{"from":0,"to":30000000}', "--key", "k1", "--label", "team=red", "--wait")
    await asyncio.gather(*(client("submit", "math.Primes/Count", '{"to":10000000}', "--wait") for _ in range(4)))
    await client("jobs")
    await client("map", "text.Text/WordCount", stdin=b'{"text":"a b"}\n{"text":"c"}\n')
    await watching
    await client("ps")
    await client("doctor", codes=(0, 1))
    await client("token", "create", "--role", "submit")
    with open(os.path.join(cluster._state, "join", "submit"), encoding="ascii") as file:
        joins = file.read().strip()
    other = os.path.join(cluster._state, "other")
    os.makedirs(other, mode=0o700)
    await client("--join", joins.split("token=")[0] + "token=nosuchtoken", "nodes", state=other, codes=(69, 77))
    await client("--join", joins, "nodes", state=other)
    before = len(frames)
    cluster.relays["broker"].cut()
    await cluster.until(lambda: any(hello_of(each[2]).resume for each in frames[before:]), "a Hello that resumes")
    await asyncio.sleep(2)
    keys = await client("keys")
    name = next(line for line in keys.splitlines() if '"role":"submit"' in line).split('"name":"')[1].split('"')[0]
    await client("revoke", name, "--reason", "lost", "--yes")
    await asyncio.sleep(1)
    for process in (beta, alpha):
        process.terminate()
        await process.wait()


def hello_of(data):
    return wire.Frame.FromString(data).hello


async def record(folder, release, state):
    cluster = Cluster(folder, state)
    keys, public = broker_keys(state)
    started = int(time.time())
    try:
        await cluster.start("broker", "cobus-broker", keys)
        await use(cluster)
    finally:
        await cluster.stop()
    print(f"# Frames of release {release}, recorded by tests/recorded/record.py: FROM TO BYTES, in the order in which they passed.")
    print(f"cluster {public.hex()}")
    print(f"time {started}")
    for name, each in {"broker": keys, **cluster.recording.keys()}.items():
        print(f"key {name} {each.public_key.hex()}")
    for who, whom, data in chosen(cluster.recording.frames):
        print(who, whom, data.hex())


def sort_of(who, whom, frame):
    """Frames of one sort say the same things; one of each is kept."""
    if frame.HasField("hello"):
        hello = frame.hello
        return ("hello", who, whom, bool(hello.token), hello.HasField("issued"), hello.HasField("refused"), bool(hello.resume),
                bool(hello.last_received))
    if frame.HasField("end"):
        return ("end", frame.end.code)
    if not frame.envelopes:
        return ("beat", bool(frame.sent))
    return frozenset(sort_of_envelope(each) for each in whole(frame.envelopes))


def sort_of_envelope(envelope):
    message = MESSAGES.get(envelope.type)
    fields = ()
    if message and envelope.kind != wire.PART:
        fields = tuple(field.name for field, _ in message.FromString(envelope.payload).ListFields())
    return (envelope.kind, envelope.to_name, envelope.type, envelope.flags, envelope.HasField("status"), fields)


def chosen(frames):
    seen = set()
    for who, whom, data in frames:
        sort = sort_of(who, whom, wire.Frame.FromString(data))
        if sort not in seen and len(data) <= FRAME_BYTES_MAX:
            seen.add(sort)
            yield who, whom, data


def main():
    folder, release = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="cobus-record-") as state:
        asyncio.run(record(folder, release, state))


if __name__ == "__main__":
    main()
