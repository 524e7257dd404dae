# SPDX-License-Identifier: Apache-2.0
"""One broker: being registered there for as long as this node lives, and what it says about the others.

`Membership` is a loop for each broker of the join string: dial, register, watch, renew; and anew when the session ends.
"""
import asyncio
import random
import socket

from cobus.v1 import directory_pb2

from .links import Address
from .wire import Code, CobusError, log

WATCH_CREDIT = 12  # events of at most 512 KiB
REDIAL_FIRST_S, REDIAL_MAX_S = 0.05, 2
FINAL = frozenset((Code.UNAUTHENTICATED, Code.PERMISSION_DENIED, Code.ALREADY_EXISTS))  # trying again changes nothing


class View:
    """The records of all nodes, as one broker tells them."""

    def __init__(self):
        self.records = {}  # node id -> NodeRecord
        self._sequence = 0
        self._parts = {}

    def apply(self, event):
        """Takes an event; False when numbers have a gap, and the watch must begin anew."""
        if event.snapshot:
            if event.part == 0:
                self._parts = {}
            self._parts.update((record.node, record) for record in event.changed)
            if not event.more:
                self.records = self._parts
            self._sequence = event.sequence
            return True
        if event.sequence > self._sequence + 1:
            return False
        self._sequence = max(self._sequence, event.sequence)
        for record in event.changed:
            known = self.records.get(record.node)
            if not known or (known.incarnation, known.revision) <= (record.incarnation, record.revision):
                self.records[record.node] = record
        for departure in event.gone:
            self.records.pop(departure.node, None)
        return True


class Membership:
    """Our place at one broker. `record()` gives what the node says of itself now."""

    def __init__(self, links, calls, host, port, broker_key, record):
        self.view = View()
        self.registered = asyncio.Event()
        self.refusal = asyncio.get_running_loop().create_future()  # why this broker will never have us
        self.link = None
        self._links = links
        self._calls = calls
        self._host, self._port = host, port
        self._key = broker_key
        self._record = record
        self._task = asyncio.create_task(self._run())

    async def leave(self):
        """Takes the record out of the directory."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        if self.registered.is_set() and not self.link.over:
            try:
                await self._call("Leave", directory_pb2.LeaveRequest(node=self._record().node), directory_pb2.LeaveReply)
            except CobusError as error:
                log.info("leaving the directory: %s", error)

    async def _run(self):
        pause = REDIAL_FIRST_S
        while not self.refusal.done():
            try:
                await self._join()
                pause = REDIAL_FIRST_S
                await self._stay()
            except CobusError as error:
                log.info("broker %s:%s: %s", self._host, self._port, error)
                if error.code in FINAL:
                    self.refusal.set_result(error)
            except OSError as error:
                log.info("broker %s:%s: %s", self._host, self._port, error)
            self.registered.clear()
            await asyncio.sleep(random.random() * pause)
            pause = min(2 * pause, REDIAL_MAX_S)

    async def _join(self):
        found = await asyncio.get_running_loop().getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        hosts = [f"[{address[0]}]" if family == socket.AF_INET6 else address[0] for family, _, _, _, address in found]
        address = Address(tuple(f"tcp://{host}:{self._port}" for host in hosts), self._key)
        self.link = await self._links.connect(address)
        await self._register()

    async def _register(self):
        request = directory_pb2.RegisterRequest(record=self._record())
        self.lease = await self._call("Register", request, directory_pb2.RegisterReply)
        self.registered.set()

    async def _stay(self):
        """Watches and renews until one of the two fails."""
        tasks = [asyncio.create_task(self._watch()), asyncio.create_task(self._renew())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            done.pop().result()
        finally:
            for task in tasks:
                task.cancel()

    async def _watch(self):
        while True:
            with self.begin("Watch", directory_pb2.WatchRequest(), directory_pb2.DirectoryEvent) as events:
                async for event in events:
                    if not self.view.apply(event):
                        break

    async def _renew(self):
        while True:
            await asyncio.sleep(self.lease.renew_ms / 1000)
            record = self._record()
            renewal = directory_pb2.RenewRequest(node=record.node, incarnation=record.incarnation, load=record.load)
            reply = await self._call("Renew", renewal, directory_pb2.RenewReply)
            if not reply.known:
                await self._register()

    async def _call(self, method, request, reply_type):
        with self.begin(method, request, reply_type, timeout=5) as call:
            return await call.reply()

    def begin(self, method, request, reply_type, timeout=None):
        return self._calls.begin(self.link, f"cobus.v1.Directory/{method}", request, reply_type, timeout, WATCH_CREDIT,
                                 hidden=True)
