# SPDX-License-Identifier: Apache-2.0
"""A node: who it is, where it is registered, what it offers, and whom it calls. Start reading here.

    node = Node("greeter", join_string, "/path/of/its/own")
    node.offer(greeter_pb2.DESCRIPTOR.services_by_name["Greeter"], Greeter())
    await node.start("tcp://127.0.0.1:*")
    reply = await node.call("echo.Echo/Echo", echo_pb2.EchoRequest(text="hi"), echo_pb2.EchoReply)
    await node.stop()

All of it runs in one asyncio event loop.
"""
import asyncio
import random

from cobus.v1 import directory_pb2, session_pb2
from cobus.v1.envelope_pb2 import DEMONITOR, DOWN, MONITOR, UPSTREAM
from cobus.v1.session_pb2 import ADMIN, NODE, SUBMIT

from .calls import ANSWERS, Calls
from .directory import Membership
from .hello import BUILD, Greeter
from .identity import Identity, JoinString, check_certificate, is_name
from .kinds import SERVICE as WORKERS
from .kinds import Kinds
from .links import Address, Links
from .services import REQUESTS, Services
from .transport import LINGER_MS, make_context
from .wire import Code, CobusError
from .workers import KINDS, Workers

WATCHING = frozenset((MONITOR, DEMONITOR, DOWN))  # what SUBMIT may do as well


class Node:
    def __init__(self, name, join_string, folder):
        """Raises ValueError for a bad name or join string. `folder` keeps the key and the certificate."""
        if not is_name(name):
            raise ValueError(f"{name!r} is no name: 1 to 63 letters, digits, '.', '_', '-', a letter or digit first")
        self.join = JoinString.parse(join_string)
        self.identity = Identity(folder, self.join.fingerprint)
        self.greeter = Greeter(self.identity, name, self.join.token)
        self.workers = Workers()
        self._context = make_context()
        self.links = Links(self._context, self.identity, self.greeter, self)
        self._calls = Calls()
        self._services = Services(self.workers)
        self._kinds = Kinds(self.workers)
        self._services.offer(WORKERS, self._kinds, internal=True)
        self.memberships = []
        self._endpoints = []

    @property
    def id(self):
        return self.greeter.node

    def offer(self, service, implementation):
        """Offers a service (services.py says what an implementation is). Before `start`."""
        self._services.offer(service, implementation)

    def offer_kind(self, kind, function):
        """Lets others make workers here (kinds.py says what the function is). Before `start`."""
        self._kinds.offer(kind, function)

    async def start(self, listen=None, advertise=None):
        """Joins the cluster: returns when a broker has registered this node, and raises CobusError if none ever will.
        Others are told to dial `advertise`, else what `listen` came to be bound to. Without `listen` it has no door: it
        calls others, and nobody reaches it who has not been called."""
        if listen:
            bound = self.links.bind(listen)
            self._endpoints = [advertise or bound]
        for host, port in self.join.brokers:
            self.memberships.append(Membership(self.links, self._calls, host, port, self.join.broker_key, self._record))
        registered = [asyncio.ensure_future(each.registered.wait()) for each in self.memberships]
        refused = asyncio.gather(*(each.refusal for each in self.memberships))
        await asyncio.wait([*registered, refused], return_when=asyncio.FIRST_COMPLETED)
        for task in registered:
            task.cancel()
        if refused.done():
            raise refused.result()[0]

    async def stop(self):
        """Leaves the directory, ends all workers, and then the sessions."""
        for membership in self.memberships:
            await membership.leave()
        await self.workers.close()
        await self.links.close(CobusError(Code.UNAVAILABLE, "the node stops"))
        self._context.destroy(linger=LINGER_MS)

    def records(self):
        """What is known of all nodes; of two records of one node the later counts."""
        latest = {}
        for membership in self.memberships:
            for record in membership.view.records.values():
                known = latest.get(record.node)
                if not known or (known.incarnation, known.revision) < (record.incarnation, record.revision):
                    latest[record.node] = record
        return latest

    async def connect(self, name):
        """The session with the node of this name. NOT_FOUND, or UNAVAILABLE."""
        for record in self.records().values():
            if record.name == name:
                return await self._connect(record)
        raise CobusError(Code.NOT_FOUND, f"no node is called {name}")

    async def call(self, method, request, reply_type, at=None, timeout=30):
        """The answer of a node that offers the method, or of the one called `at`. Raises CobusError."""
        with self._calls.begin(await self._find(method, at), method, request, reply_type, timeout) as call:
            return await call.reply()

    async def stream(self, method, request, reply_type, at=None, timeout=None):
        """The same with a method that answers with a stream:
        `with await node.stream(...) as answers: async for answer in answers: ...`"""
        return self._calls.begin(await self._find(method, at), method, request, reply_type, timeout)

    # --- what links.py tells

    def on_envelope(self, link, envelope):
        role, kind = link.peer.role, envelope.kind
        if kind in ANSWERS and not envelope.flags & UPSTREAM:
            self._calls.on_envelope(link, envelope)
        elif kind in REQUESTS:
            self._services.on_envelope(link, envelope)
        elif kind in KINDS and (role in (NODE, ADMIN) or role == SUBMIT and kind in WATCHING):
            self.workers.on_envelope(link, envelope)

    def on_link_over(self, link):
        self._calls.on_link_over(link, link.over)
        self._services.on_link_over(link, link.over)
        self.workers.on_link_over(link, link.over)

    def key_of(self, node):
        """The key of a node that is in the directory, or None."""
        record = self.records().get(node)
        return session_pb2.CertificateBody.FromString(record.certificate.body).curve_key if record else None

    # --- inside

    async def _find(self, method, at):
        """The session with a node to ask."""
        if at:
            return await self.connect(at)
        offering = [record for record in self.records().values() if record.node != self.id and any(
            each.name == method for service in record.services for each in service.methods)]
        error = CobusError(Code.NOT_FOUND, f"nobody offers {method}")
        for record in random.sample(offering, len(offering)):
            try:
                return await self._connect(record)
            except CobusError as unreachable:
                error = unreachable
        raise error

    async def _connect(self, record):
        known = self.links.with_node(record.node)
        if known:
            return known
        body = check_certificate(record.certificate, self.identity.fingerprint)
        return await self.links.connect(Address(tuple(record.endpoints), body.curve_key, record.node))

    def _record(self):
        return directory_pb2.NodeRecord(
            node=self.id, incarnation=self.greeter.incarnation, revision=1, name=self.identity.body.name,
            certificate=self.identity.certificate, endpoints=self._endpoints,
            services=[*self._services.records(), *self._kinds.records()],
            load=directory_pb2.Load(shards=1), state=directory_pb2.UP, build=BUILD)
