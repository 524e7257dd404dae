# SPDX-License-Identifier: Apache-2.0
"""All sessions of a node: whom we dial and who dials us, one session for each pair of nodes.

Dialling and being dialled meet here: the first frames each way, sessions that go on over another connection, and the
rule for two nodes that dial one another at once. `owner` is told on_envelope(link, envelope) and on_link_over(link), and asked key_of(node).
"""
import asyncio
import dataclasses
import secrets

from cobus.v1 import envelope_pb2
from google.protobuf.message import DecodeError

from .hello import Malformed, parse_first
from .link import Link
from .transport import Dialled, Door
from .wire import HANDSHAKE_S, Code, CobusError, log

CLOSING_S = 0.3  # for the last words on each connection
HELD_S = 1  # a Hello, while our own dial is under way


@dataclasses.dataclass(frozen=True)
class Address:
    """Where somebody can be dialled. `node` 0: a broker, whose id is not known before it answers."""
    endpoints: tuple
    key: bytes
    node: int = 0


class Superseded(ConnectionError):
    """A dial of ours was dropped, since the other node dials us at the same moment and its connection stays."""


class Dial:
    """A dial of ours that is under way."""

    def __init__(self):
        self.task = None
        self.session = 0  # that our Hello named as new
        self.ended = asyncio.Event()
        self.dropped = False

    def drop(self):
        self.dropped = True
        self.task.cancel()


class Early:
    """The receiver of a connection that belongs to no link yet: it keeps what comes."""

    def __init__(self):
        self._frames = []
        self._first = asyncio.get_running_loop().create_future()

    def on_frame(self, _, data):
        self._frames.append(data)
        if not self._first.done():
            self._first.set_result(None)

    def on_closed(self, _):
        if not self._first.done():
            self._first.set_result(None)

    def give_up(self):
        """Nobody waits for the first frame any more, though one may have come just now."""
        self._frames.clear()
        self.on_closed(None)

    async def first(self):
        """Waits for the first frame and gives it; ConnectionError when none comes."""
        try:
            await asyncio.wait_for(self._first, HANDSHAKE_S)
        except asyncio.TimeoutError:
            pass
        if not self._frames:
            raise ConnectionError("nothing was said on the connection")
        return self._frames[0]

    def forget_first(self):
        """It was the answer to our Hello, and no frame of the session."""
        del self._frames[0]

    def hand_over(self, link, connection):
        """The link has the connection now, and gets what came meanwhile."""
        for data in self._frames:
            link.on_frame(connection, data)


class Links:
    def __init__(self, context, identity, greeter, owner):
        self._context = context
        self._identity = identity
        self._greeter = greeter
        self._owner = owner
        self.door = None
        self._links = {}  # node id -> Link
        self._dials = {}  # node id, or the endpoint of a broker -> Dial
        self._connecting = {}  # the same -> a lock: one at a time
        self._tasks = set()
        self._unchosen = {}  # (node id, session) -> the Early of a connection that was answered, and waits
        self._begun = {}  # node id -> an event, for who waits for a session that the other side begins

    def bind(self, listen):
        """Opens a door; returns the endpoint that it got."""
        self.door = Door(self._context, self._identity, listen, self._on_dialled)
        return self.door.endpoint

    async def close(self, error):
        tasks = [*self._tasks, *(dial.task for dial in self._dials.values())]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(link.end(error) for link in list(self._links.values())))
        await asyncio.sleep(CLOSING_S)
        if self.door:
            self.door.close()

    def with_node(self, node):
        """The session with a node, if there is one."""
        return self._links.get(node)

    def on_envelope(self, link, envelope):
        self._owner.on_envelope(link, envelope)

    def on_over(self, link):
        if self._links.get(link.peer.node) is link:
            del self._links[link.peer.node]
        self._owner.on_link_over(link)

    # --- we dial

    async def connect(self, address):
        """A session with who lives there: the one that is up, or a new one. Raises CobusError."""
        async with self._connecting.setdefault(address.node or address.endpoints, asyncio.Lock()):
            return self._links.get(address.node) or await self._connect(address)

    async def _connect(self, address):
        reason = "it did not answer"
        for endpoint in address.endpoints:
            try:
                return await self._dial(address, endpoint, None)
            except Superseded:
                await self._await_link(address.node)
                break
            except OSError as error:
                reason = str(error)
        link = self._links.get(address.node)
        if not link:
            raise CobusError(Code.UNAVAILABLE, f"cannot reach {', '.join(address.endpoints) or 'it'}: {reason}")
        return link

    async def _await_link(self, node):
        """Until the node that dials us at this moment has a session with us, or takes too long."""
        if node in self._links:
            return
        begun = self._begun.setdefault(node, asyncio.Event())
        try:
            await asyncio.wait_for(begun.wait(), HANDSHAKE_S)
        except asyncio.TimeoutError:
            pass

    async def dial_for(self, link):
        """One round over the endpoints of a peer whose session needs another connection. True: nobody listens there."""
        refused = []
        for endpoint in link.address.endpoints:
            try:
                await self._dial(dataclasses.replace(link.address, node=link.peer.node), endpoint, link)
                return False
            except ConnectionRefusedError:
                refused.append(endpoint)
            except (OSError, CobusError) as error:
                log.info("no new connection with %s: %s", link.peer.name, error)
        return len(refused) == len(link.address.endpoints)

    async def _dial(self, address, endpoint, old):
        """Dials once, in a task of its own, which the rule for two dials at once may drop. The link that came of it."""
        dial = Dial()
        dial.task = asyncio.create_task(self._dial_once(dial, address, endpoint, old))
        self._dials[address.node or endpoint] = dial
        try:
            return await dial.task
        except asyncio.CancelledError:
            if dial.dropped:
                raise Superseded("the other node dials us at this moment") from None
            raise
        finally:
            dial.ended.set()
            if self._dials.get(address.node or endpoint) is dial:
                del self._dials[address.node or endpoint]

    async def _dial_once(self, dial, address, endpoint, old):
        connection = await Dialled.open(self._context, self._identity, endpoint, address.key)
        try:
            return await self._greet(connection, dial, address, old)
        except BaseException:
            connection.close()
            raise

    async def _greet(self, connection, dial, address, old):
        early = Early()
        connection.start(early)
        new = dial.session = secrets.randbits(64) or 1
        before = old and old.session
        resume, last_received = (before.number, before.received) if before else (0, 0)
        connection.send(self._greeter.hello(new, resume, last_received).SerializeToString())
        try:
            frame = envelope_pb2.Frame.FromString(await early.first())
            early.forget_first()
        except DecodeError as error:
            raise ConnectionError("the answer is no frame") from error
        if not frame.HasField("hello"):
            raise ConnectionError("the answer is no Hello")
        hello = frame.hello
        at_broker = old is None and address.node == 0
        peer = self._greeter.judge_answer(hello, connection.key, {new, resume} - {0}, at_broker)
        if address.node and peer.node != address.node:
            raise CobusError(Code.UNAVAILABLE, "a later life answers at that address")
        known = self._links.get(peer.node)
        if known is not old or (known and known.session is not before):
            connection.close()  # a session has begun from the other side meanwhile, and stays
            return known
        if known and hello.session == resume and known.session.can_go_on_after(hello.last_received):
            link = known
            link.use(connection, hello.last_received)
        else:
            link = self._begin(peer, hello.session, address, connection)
        early.hand_over(link, connection)
        return link

    def _begin(self, peer, number, address, connection):
        """A new session; one that there was with this node is over, or becomes this one if nothing was said in it."""
        old = self._links.get(peer.node)
        if old and not old.session.confirmed and old.peer.incarnation == peer.incarnation:
            old.start_anew(number, connection)
            return old
        if old:
            address = address or old.address
            old.finish(CobusError(Code.UNAVAILABLE, f"{peer.name} knows nothing of the session any more"))
        log.info("a session with %s begins", peer.name)
        link = self._links[peer.node] = Link(self, peer, number, address)
        link.use(connection, 0)
        if begun := self._begun.pop(peer.node, None):
            begun.set()
        return link

    # --- others dial us

    def _on_dialled(self, connection, data):
        early = Early()
        connection.start(early)
        task = asyncio.create_task(self._answer(connection, data, early))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, connection, data, early):
        try:
            hello = parse_first(data).hello
            peer = self._judge(hello, connection)
            await self._await_own_dial(peer.node)
            old = self._resumed(hello, peer)
            number, received = (hello.resume, old.session.received) if old else (hello.session, 0)
            connection.send(self._greeter.answer(number, received).SerializeToString())
            known = self._links.get(peer.node)
            before = known and known.session
            if not old and hello.resume:
                self._disown(peer.node, hello.resume)
            if known and (known.connection or known is not old):
                await self._chosen(peer.node, number, early)
                if (now := self._links.get(peer.node)) and now.session is not before:
                    raise ConnectionError("another session has begun meanwhile")
            if old and old.over:
                raise ConnectionError("the session that was to go on is over")
        except (Malformed, ConnectionError) as error:
            log.info("a connection is closed: %s", error)
            connection.close()
        except CobusError as error:
            log.info("a Hello is refused: %s", error)
            connection.send(self._greeter.refusal(hello.session, error).SerializeToString())
            connection.close()
        else:
            if old:
                old.use(connection, hello.last_received)
            link = old or self._begin(peer, number, None, connection)
            early.hand_over(link, connection)

    async def _chosen(self, node, number, early):
        """Until the first frame says that this is the connection of the other's choice."""
        self._unchosen[node, number] = early
        try:
            await early.first()
        finally:
            if self._unchosen.get((node, number)) is early:
                del self._unchosen[node, number]

    def _disown(self, node, number):
        """We say that we do not have this session, and its node will leave it: what comes late does not bring it up."""
        if early := self._unchosen.get((node, number)):
            early.give_up()
        for dial in self._dials.values():
            if dial.session == number:
                dial.drop()

    def _judge(self, hello, connection):
        peer = self._greeter.judge(hello, connection.key)
        known = self._links.get(peer.node)
        if (known.peer.key if known else self._owner.key_of(peer.node)) not in (peer.key, None):
            raise CobusError(Code.PERMISSION_DENIED, "this node id is another key's")
        return peer

    def _resumed(self, hello, peer):
        """The link that goes on, if this Hello names one that can."""
        link = self._links.get(peer.node)
        if (link and link.session.number == hello.resume and link.peer.incarnation == peer.incarnation
                and link.session.can_go_on_after(hello.last_received)):
            return link
        return None

    async def _await_own_dial(self, node):
        """Both dial at once: the connection dialled by the smaller node id stays."""
        dial = self._dials.get(node)
        if not dial:
            return
        if node < self._greeter.node:
            dial.drop()
            return
        try:
            await asyncio.wait_for(dial.ended.wait(), HELD_S)
        except asyncio.TimeoutError:
            dial.drop()
