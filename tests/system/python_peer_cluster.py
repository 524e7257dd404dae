# SPDX-License-Identifier: Apache-2.0
#
# What the tests of the node in Python share: its event loop in a thread beside the test, a forwarder that breaks
# connections, and a raw client that says whatever a test wants it to say.
import asyncio
import os
import tempfile
import threading
import time

from cobus.v1 import envelope_pb2, session_pb2
from nacl import bindings
from python_peer import Node
from python_peer.greeter import SERVICE, Greeter
from python_peer.hello import Greeter as HelloMaker
from python_peer.identity import SIGNED_PREFIX, Identity, JoinString
from python_peer.transport import Dialled, make_context

from cli_cluster import SharedCluster

SECONDS = 40


class PeerTest(SharedCluster):
    """A broker and a node in C++, alpha, for all tests of a class; each test makes its own nodes in Python."""
    NODES = ("alpha",)

    def setUp(self):
        super().setUp()
        self.running = set()
        self.loop = asyncio.new_event_loop()
        thread = threading.Thread(target=self.loop.run_forever)
        thread.start()
        self.addCleanup(self.loop.close)
        self.addCleanup(thread.join)
        self.addCleanup(self.loop.call_soon_threadsafe, self.loop.stop)

    def run_in_loop(self, coroutine):
        """What a coroutine gives, or raises, in the loop where the nodes live."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(SECONDS)

    def join_string(self, role="node"):
        with open(os.path.join(self.state, "join", role), encoding="utf-8") as file:
            return file.read().strip()

    def folder(self):
        return tempfile.mkdtemp(dir=self.state)

    def node(self, name="py", folder=None, join=None, listen="tcp://127.0.0.1:*", advertise=None, offer=Greeter, kinds=None):
        """A node in Python that is registered and knows the others, and is stopped after the test."""
        node = self.run_in_loop(self._start(name, folder or self.folder(), join or self.join_string(), offer(), kinds or {},
                                            listen, advertise))
        self.running.add(node)
        self.addCleanup(self.stop, node)
        for other in self.NODES:
            self.wait_for_record(node, other)
        return node

    def stop(self, node):
        if node in self.running:
            self.running.remove(node)
            self.run_in_loop(node.stop())

    @staticmethod
    async def _start(name, folder, join, implementation, kinds, listen, advertise):
        node = Node(name, join, folder)
        node.offer(SERVICE, implementation)
        for kind, function in kinds.items():
            node.offer_kind(kind, function)
        try:
            await node.start(listen, advertise)
        except BaseException:
            await node.stop()
            raise
        return node

    def wait_for_record(self, node, name):
        async def read():
            return [record.name for record in node.records().values()]
        self.wait_until(lambda: name in self.run_in_loop(read()), f"{name} in its view")

    def hello(self, name, at=None):
        """What the client hears from python.Greeter/Hello."""
        flags = ("--node", at) if at else ()
        return self.json("call", "python.Greeter/Hello", f'{{"name":"{name}"}}', "-o", "json", *flags)["text"]

    def states(self):
        return {node["name"]: node["state"] for node in self.lines("nodes", "-o", "jsonl")}


class Numbers(Greeter):
    """python.Greeter whose Count goes on until it is stopped, and whose Hello counts its calls."""

    def __init__(self):
        self.stopped = threading.Event()
        self.hellos = []

    async def Hello(self, request, call):
        self.hellos.append(request.name)
        return await super().Hello(request, call)

    async def Count(self, request, call):
        try:
            while True:
                async for number in super().Count(request, call):
                    yield number
        finally:
            self.stopped.set()


class Raw:
    """A client that says what the test wants, over a connection of its own; in the loop of the nodes."""

    def __init__(self, join, folder, name="raw"):
        self.context = make_context()
        join = JoinString.parse(join)
        self.identity = Identity(folder, join.fingerprint)
        self.maker = HelloMaker(self.identity, name, join.token)
        self.frames = []
        self.connection = None
        self.closed = False

    async def dial(self, endpoint, key, *data):
        """A new connection, on which these frames are said at once."""
        self.drop()
        self.frames, self.closed = [], False
        self.connection = await Dialled.open(self.context, self.identity, endpoint, key)
        self.connection.start(self)
        for each in data:
            self.connection.send(each if isinstance(each, bytes) else each.SerializeToString())

    def on_frame(self, _, data):
        self.frames.append(envelope_pb2.Frame.FromString(data))

    def on_closed(self, _):
        self.closed = True

    def drop(self):
        if self.connection:
            self.connection.close()
            self.connection = None

    async def close(self):
        self.drop()
        self.context.destroy(linger=0)

    async def until(self, done, what):
        end = time.monotonic() + SECONDS
        while not done():
            if time.monotonic() > end:
                raise AssertionError(f"waited {SECONDS} s for {what}; there came {self.frames}")
            await asyncio.sleep(0.01)

    async def answer(self):
        """The Hello that answers ours; None when the connection was closed without a word."""
        await self.until(lambda: self.frames or self.closed, "an answer")
        return self.frames[0].hello if self.frames else None


def forged_certificate(body, secret=None):
    """A certificate with this body, from a cluster of another key."""
    secret = secret or bindings.crypto_sign_keypair()[1]
    data = body.SerializeToString()
    signature = bindings.crypto_sign(SIGNED_PREFIX + data, secret)[:64]
    return session_pb2.Certificate(body=data, signature=signature)


def request(number):
    """A call that every node answers with one REPLY: of its schemas."""
    return envelope_pb2.Envelope(kind=envelope_pb2.REQUEST, to_name="cobus.v1.Schemas/Fetch", call=number, credit=64,
                                 payload=b"", **{"from": 5})
