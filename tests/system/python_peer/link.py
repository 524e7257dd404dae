# SPDX-License-Identifier: Apache-2.0
"""A session with one other node, and the connection that it goes over now.

`Link` numbers and keeps what is sent, acknowledges what comes, beats, notices silence, and has the connection replaced
when it ends. Connections are made by links.py, which is also told what came (`on_envelope`) and of the end (`on_over`).
"""
import asyncio
import collections
import random
import time

from cobus.v1 import envelope_pb2
from google.protobuf.message import DecodeError

from .session import MissingFrame, ProtocolError, Session
from .wire import (ACKNOWLEDGE_BYTES, ACKNOWLEDGE_S, BEAT_S, DIAL_ANEW_S, DOWN_S, FRAME_BYTES_TARGET, RETURN_S,
                   WAITING_BYTES, Code, CobusError, log)

TICK_S = 0.1
REDIAL_FIRST_S, REDIAL_MAX_S = 0.05, 0.2
END_S = 0.5  # for the answer to an `end`


class Link:
    def __init__(self, links, peer, number, address):
        self.peer = peer
        self.address = address  # links.Address, or None when the peer cannot be dialled
        self.session = Session(number)
        self.connection = None
        self._connections = 0  # that it has gone over
        self.over = None  # the CobusError that it ended with
        self._links = links
        self._waiting = collections.deque()  # (envelope, size), not in a frame yet
        self._waiting_bytes = 0
        self._flush_due = False
        self._acknowledge_timer = None
        self._heard = self._spoke = time.monotonic()
        self.answered = asyncio.Event()  # to our `end`: by one, or by closing the connection
        self._said_end = False
        self._redialling = None
        self._ticking = asyncio.create_task(self._tick())

    # --- what the rest of the node uses

    @property
    def is_full(self):
        """Whether a call should be refused with RESOURCE_EXHAUSTED; what is essential may always be sent."""
        return self._waiting_bytes >= WAITING_BYTES

    def send(self, envelope):
        """Sends an envelope behind all before it; when the session is over it goes nowhere."""
        if self.over or self._said_end:
            return
        size = envelope.ByteSize()
        self._waiting.append((envelope, size))
        self._waiting_bytes += size
        if not self._flush_due:
            self._flush_due = True
            asyncio.get_running_loop().call_soon(self._flush)

    async def end(self, error):
        """Ends the session politely: says so, and waits a little for the other side to say so too."""
        if self.connection and not self.over:
            if self._waiting and not self.session.confirmed:
                await self._until_confirmed()
            self._flush()
            self._say_end(error)
            try:
                await asyncio.wait_for(self.answered.wait(), END_S)
            except asyncio.TimeoutError:
                pass
        self.finish(error)

    async def _until_confirmed(self):
        end = time.monotonic() + END_S
        while self.connection and not self.session.confirmed and time.monotonic() < end:
            await asyncio.sleep(END_S / 50)

    def finish(self, error):
        """The session is over; nothing more is said."""
        if self.over:
            return
        self.over = error
        log.info("the session with %s is over: %s", self.peer.name, error)
        for task in (self._ticking, self._redialling, self._acknowledge_timer):
            if task and task is not asyncio.current_task():
                task.cancel()
        if self.connection:
            self.connection.close()
            self.connection = None
        self._links.on_over(self)

    # --- connections

    def use(self, connection, last_received):
        """Goes on over this connection; what the peer has not received is sent again, then a beat in any case."""
        old, self.connection = self.connection, connection
        self._connections += 1
        if old:
            old.close()
        connection.start(self)
        self._heard = time.monotonic()
        self.session.acknowledge(last_received)
        for frame, _ in list(self.session.kept):
            self._send_frame(frame)
        self.beat()
        self._flush()

    def start_anew(self, number, connection):
        """Nothing was said in the session: it becomes this one."""
        self.session = Session(number)
        self.use(connection, 0)

    def beat(self):
        self._send_frame(self.session.beat())

    def on_frame(self, connection, data):
        if connection is not self.connection:
            return
        self._heard = time.monotonic()
        try:
            frame = envelope_pb2.Frame.FromString(data)
            envelopes = self.session.take(frame, len(data))
        except MissingFrame as missing:
            log.info("%s: %s; another connection is dialled", self.peer.name, missing)
            connection.close()
            self.on_closed(connection)
            return
        except (DecodeError, ProtocolError) as error:
            self.finish(CobusError(Code.UNAVAILABLE, f"{self.peer.name} broke the protocol: {error}"))
            return
        for envelope in envelopes:
            self._links.on_envelope(self, envelope)
        if frame.HasField("end"):
            self._on_end(CobusError.of(frame.end))
        elif not self.over:
            self._acknowledge_soon()
            self._flush()  # what came may have made room

    def on_closed(self, connection):
        if connection is not self.connection or self.over:
            return
        self.connection = None
        if self._said_end:
            self.answered.set()
        else:
            self._redial()

    # --- inside

    def _flush(self):
        self._flush_due = False
        while self._waiting and self._may_send:
            envelopes, room = [], FRAME_BYTES_TARGET
            while self._waiting and (not envelopes or self._waiting[0][1] <= room):
                envelope, size = self._waiting.popleft()
                envelopes.append(envelope)
                room -= size
                self._waiting_bytes -= size
            self._send_frame(self.session.next_frame(envelopes))

    @property
    def _may_send(self):
        return self.connection and self.session.confirmed and self.session.has_room and not self._said_end

    def _send_frame(self, frame):
        if self.connection:
            self.connection.send(self.session.encoded(frame))
            self._spoke = time.monotonic()

    def _acknowledge_soon(self):
        if self.session.unsaid_bytes >= ACKNOWLEDGE_BYTES:
            self.beat()
        elif self.session.unsaid_bytes and not self._acknowledge_timer:
            self._acknowledge_timer = asyncio.get_running_loop().call_later(ACKNOWLEDGE_S / 2, self._acknowledge)

    def _acknowledge(self):
        self._acknowledge_timer = None
        if self.session.unsaid_bytes:
            self.beat()

    def _say_end(self, error):
        self._said_end = True
        self._send_frame(envelope_pb2.Frame(session=self.session.number, sent=self.session.sent, end=error.status()))

    def _on_end(self, reason):
        if self._said_end:
            self.answered.set()
        else:  # the peer began; the connection lingers long enough for our answer
            self._say_end(reason)
            self.finish(reason)

    async def _tick(self):
        while not self.over:
            await asyncio.sleep(TICK_S)
            now = time.monotonic()
            if now - self._heard >= DOWN_S:
                self.finish(CobusError(Code.UNAVAILABLE, f"nothing came from {self.peer.name} for {DOWN_S} s"))
            elif now - self._heard >= DIAL_ANEW_S:
                self._redial()
            if now - self._spoke >= BEAT_S and not self._said_end:
                self.beat()

    def _redial(self):
        if not self._redialling or self._redialling.done():
            self._redialling = asyncio.create_task(self._dial_anew())

    async def _dial_anew(self):
        """Until there is another connection, from whichever side, or the session is over."""
        broken, before = time.monotonic(), self._connections
        pause = REDIAL_FIRST_S
        while not self.over:
            refused = await self._links.dial_for(self) if self.address else False
            if self.over or self._connections > before:
                return
            late = not self.address and time.monotonic() - broken > RETURN_S
            if not self.connection and (refused or late):
                self.finish(CobusError(Code.UNAVAILABLE, f"{self.peer.name} is gone"))
            else:
                await asyncio.sleep(random.random() * pause)
                pause = min(2 * pause, REDIAL_MAX_S)
