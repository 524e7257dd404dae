# SPDX-License-Identifier: Apache-2.0
"""Connections that carry whole frames and prove a key: ZeroMQ over TCP with CURVE, on asyncio.

A `Connection` tells its `receiver` two things: on_frame(connection, bytes) and, once, on_closed(connection). Nobody
else here knows what a frame holds. libzmq has no way to end one connection of a ROUTER, nor to say which one a frame
came over, so `Door` goes by descriptors: the monitor names them when a connection begins and ends, and each frame has
that of its own.
"""
import asyncio
import contextlib
import os
import socket as tcp
import struct

import zmq
import zmq.asyncio

from .wire import CURVE_BYTES, FIRST_FRAME_S, FRAME_BYTES_MAX, HANDSHAKE_S, log

ZAP_DOMAIN = b"cobus"
SOURCE_DESCRIPTOR = 2  # ZMQ_SRCFD, which pyzmq has no name for
LINGER_MS = 200  # for what was sent just before a connection is closed
READ_ON_S = 0.05  # what came before the end of a connection may be read a little after the news of it


def make_context():
    """One I/O thread, so the news of one descriptor comes in the order in which it happened."""
    return zmq.asyncio.Context(io_threads=1)


def _prepare(socket, identity, endpoint):
    socket.maxmsgsize = FRAME_BYTES_MAX + CURVE_BYTES
    socket.sndhwm = 0  # the window of the session bounds what waits; a ROUTER drops frames above a mark
    socket.linger = LINGER_MS
    socket.ipv6 = "[" in endpoint
    socket.reconnect_ivl = -1
    socket.handshake_ivl = socket.connect_timeout = HANDSHAKE_S * 1000
    socket.curve_publickey, socket.curve_secretkey = identity.public_key, identity.secret_key


def _watch(socket, events):
    """A socket on which the events of another come."""
    monitor = socket.get_monitor_socket(events)
    monitor.linger = 0
    return monitor


async def _next_event(monitor):
    """(event, value)"""
    return struct.unpack("=Hi", (await monitor.recv_multipart())[0])


def _send(socket, parts):
    """Sends now or when there is room; a connection that is gone says so by its end, not here."""
    sent = socket.send_multipart(parts)
    sent.add_done_callback(lambda done: done.cancelled() or done.exception())


class Connection:
    """The half that both ends share: who listens, and that the end is told once."""

    def __init__(self, key):
        self.key = key  # CURVE, proven by the other side
        self.receiver = None
        self.closed = False

    def end(self):
        """The connection is over, whoever ended it; its receiver hears of it once."""
        if not self.closed:
            self.closed = True
            if self.receiver:
                self.receiver.on_closed(self)


class Dialled(Connection):
    """A DEALER of its own for each connection that we dial."""

    def __init__(self, context, identity, endpoint, key):
        super().__init__(key)
        self._socket = context.socket(zmq.DEALER)
        _prepare(self._socket, identity, endpoint)
        self._socket.curve_serverkey = key
        self._monitor = _watch(self._socket, zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_CLOSED | zmq.EVENT_DISCONNECTED)
        self._socket.connect(endpoint)
        self._tasks = []

    @classmethod
    async def open(cls, context, identity, endpoint, key):
        """A connection whose handshake is done. ConnectionRefusedError: nobody listens there; OSError: else."""
        connection = cls(context, identity, endpoint, key)
        try:
            event, _ = await asyncio.wait_for(_next_event(connection._monitor), HANDSHAKE_S)
            if event == zmq.EVENT_CLOSED:
                await _probe(endpoint)
            if event != zmq.EVENT_HANDSHAKE_SUCCEEDED:
                raise ConnectionError(f"no CURVE handshake with {endpoint}")
        except asyncio.TimeoutError as error:
            connection.close()
            raise ConnectionError(f"no answer from {endpoint}") from error
        except BaseException:
            connection.close()
            raise
        return connection

    def start(self, receiver):
        self.receiver = receiver
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._await_end())]

    def send(self, data):
        if not self.closed:
            _send(self._socket, [data])

    def close(self):
        self.closed = True
        for task in self._tasks:
            task.cancel()
        asyncio.get_running_loop().call_later(READ_ON_S, self._release)

    def _release(self):
        """Later, since pyzmq may be about to look at the sockets once more."""
        if not self._socket.closed:
            self._socket.disable_monitor()
            self._monitor.close()
            self._socket.close()

    async def _read(self):
        while not self.closed:
            parts = await self._socket.recv_multipart()
            if len(parts) == 1:
                self.receiver.on_frame(self, parts[0])
            else:
                self.end()

    async def _await_end(self):
        await _next_event(self._monitor)
        await asyncio.sleep(READ_ON_S)
        self.end()


async def _probe(endpoint):
    """Says why libzmq could not connect, which it does not: raises ConnectionRefusedError if nobody listens."""
    host, _, port = endpoint.removeprefix("tcp://").rpartition(":")
    _, writer = await asyncio.wait_for(asyncio.open_connection(host.strip("[]"), int(port)), HANDSHAKE_S)
    writer.close()


class Accepted(Connection):
    """One of the connections of a door."""

    def __init__(self, door, routing_id, descriptor, key):
        super().__init__(key)
        self.descriptor = descriptor
        self._door = door
        self.routing_id = routing_id

    def start(self, receiver):
        self.receiver = receiver

    def send(self, data):
        if not self.closed:
            _send(self._door.socket, [self.routing_id, data])

    def close(self):
        """Ends it once what was sent has had time to leave."""
        self.closed = True
        self._door.cut_later(LINGER_MS / 1000, self.descriptor, self)


class Door:
    """A ROUTER that others dial. `on_first(connection, bytes)` is called with the first frame of each connection and
    gives the connection a receiver, or closes it."""

    def __init__(self, context, identity, listen, on_first):
        self._on_first = on_first
        self._zap = context.socket(zmq.REP)
        self._zap.linger = 0
        self._zap.bind("inproc://zeromq.zap.01")  # before the door: without it CURVE lets anybody in
        self.socket = context.socket(zmq.ROUTER)
        _prepare(self.socket, identity, listen)
        self.socket.router_mandatory = True
        self.socket.curve_server = True
        self.socket.zap_domain = ZAP_DOMAIN
        self.socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
        self._monitor = _watch(self.socket, zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED)
        self.open = {}  # descriptor -> Accepted; before its first frame, a stand-in
        self._connections = {}  # routing id -> Accepted
        self.socket.bind(listen)
        self.endpoint = self.socket.last_endpoint.decode().rstrip("\0")
        self._tasks = {asyncio.create_task(self._answer_zap()), asyncio.create_task(self._read())}

    def close(self):
        for task in self._tasks:
            task.cancel()
        self.socket.disable_monitor()
        for socket in (self._monitor, self.socket, self._zap):
            socket.close()

    async def cut(self, descriptor, connection, after_s=0):
        """Ends the connection that has this descriptor, if it is still that one. The descriptor belongs to libzmq, which
        tells of an end before it closes one; so: hold it, read the news, and then decide."""
        await asyncio.sleep(after_s)
        if connection is None or self.open.get(descriptor) is not connection:
            return
        try:
            held = os.dup(descriptor)
        except OSError:
            return  # it has ended
        await self._read_events()
        if self.open.get(descriptor) is not connection:
            os.close(held)
            return
        with tcp.socket(fileno=held) as socket, contextlib.suppress(OSError):  # it may have ended by itself
            socket.shutdown(tcp.SHUT_RDWR)

    def cut_later(self, after_s, descriptor, connection):
        task = asyncio.create_task(self.cut(descriptor, connection, after_s))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer_zap(self):
        while True:
            _, request, domain, _, _, mechanism, *credentials = await self._zap.recv_multipart()
            good = mechanism == b"CURVE" and domain == ZAP_DOMAIN and len(credentials) == 1
            user_id = credentials[0].hex().encode() if good else b""
            status = [b"200", b"OK"] if good else [b"400", b"cobus needs CURVE"]
            await self._zap.send_multipart([b"1.0", request, *status, user_id, b""])

    async def _read(self):
        poller = zmq.asyncio.Poller()
        poller.register(self.socket, zmq.POLLIN)
        poller.register(self._monitor, zmq.POLLIN)
        while True:
            await poller.poll()
            await self._read_events()
            try:
                while True:
                    await self._take(await self.socket.recv_multipart(zmq.NOBLOCK, copy=False))
            except zmq.Again:
                pass

    async def _read_events(self):
        try:
            while True:
                event, descriptor = struct.unpack("=Hi", (await self._monitor.recv_multipart(zmq.NOBLOCK))[0])
                if event == zmq.EVENT_ACCEPTED:
                    self.open[descriptor] = silent = object()
                    self.cut_later(FIRST_FRAME_S, descriptor, silent)
                elif isinstance(ended := self.open.pop(descriptor, None), Accepted):
                    asyncio.get_running_loop().call_later(READ_ON_S, self._forget, ended)
        except zmq.Again:
            pass

    def _forget(self, connection):
        self._connections.pop(connection.routing_id, None)
        connection.end()

    async def _take(self, parts):
        routing_id, descriptor = parts[0].bytes, parts[-1].get(SOURCE_DESCRIPTOR)
        connection = self._connections.get(routing_id)
        if len(parts) != 2 or not routing_id.startswith(b"\0"):
            log.info("a connection that sent parts of a message, or chose its routing id, is cut off")
            await self.cut(descriptor, self.open.get(descriptor))
        elif connection is None:
            await self._read_events()  # libzmq tells of a connection before it hands out a frame of it
            if descriptor in self.open:
                connection = Accepted(self, routing_id, descriptor, bytes.fromhex(parts[1].get("User-Id")))
                self.open[descriptor] = self._connections[routing_id] = connection
                self._on_first(connection, parts[1].bytes)
        elif not connection.closed:
            connection.receiver.on_frame(connection, parts[1].bytes)
