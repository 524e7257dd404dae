# SPDX-License-Identifier: Apache-2.0
"""The calls that this node makes: one answer, or a stream of them with credit. Who to ask is decided in node.py."""
import asyncio
import collections
import itertools
import time

from cobus.v1.envelope_pb2 import CANCEL, CREDIT, END, ERROR, HIDDEN, ITEM, REPLY, REQUEST, Envelope

from .wire import STREAM_BYTES, STREAM_CREDIT, STREAM_CREDIT_BYTES, Code, CobusError, packed
from .workers import NODE

ANSWERS = frozenset((REPLY, ITEM, END, ERROR))


class Call:
    """One call under way: the answers that have come and were not taken yet. Leave it, as a context manager, and it is
    cancelled if it is not over; the answers of a stream are what one iterates over."""

    def __init__(self, calls, link, method, request, reply_type, timeout, credit, hidden):
        self.worker = 0  # that handles the call, as soon as an item or the end has told it
        self._calls = calls
        self._link = link
        self._reply_type = reply_type
        self._number = next(calls.numbers)
        self._flags = HIDDEN if hidden else 0
        self._end = time.monotonic() + timeout if timeout else None
        self._credit = credit  # items that may still come
        self._credit_due = max(1, credit // 2)  # given back when so many were taken
        self._taken = self._taken_bytes = 0  # that no credit was given back for
        self._answers = collections.deque()
        self._waiting_bytes = 0
        self._came = asyncio.Event()
        self._over = False
        self._send(REQUEST, to_name=method, credit=credit, time_left_us=int(timeout * 1e6) if timeout else 0,
                   **packed(request))
        calls.open[self._number] = self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.cancel()

    async def reply(self):
        """The answer of a call that has one."""
        return self._reply_type.FromString((await self._next()).payload)

    def __aiter__(self):
        return self

    async def __anext__(self):
        answer = await self._next()
        if answer.kind != ITEM:
            raise StopAsyncIteration
        self._give_credit(len(answer.payload))
        return self._reply_type.FromString(answer.payload)

    def cancel(self):
        """The answers are no longer wanted."""
        if not self._over:
            self._send(CANCEL)
        self._finish()

    def take(self, envelope):
        """An answer that has come."""
        self.worker = getattr(envelope, "from")
        if envelope.kind == ITEM:
            if self._credit == 0 or self._waiting_bytes >= STREAM_BYTES:
                self.cancel()
                self.fail(CobusError(Code.RESOURCE_EXHAUSTED, "the callee sends more than it has credit for"))
                return
            self._credit -= 1
        else:
            self._finish()
        self._waiting_bytes += len(envelope.payload)
        self._answers.append(envelope)
        self._came.set()

    def fail(self, error):
        self._finish()
        self._answers.append(error)
        self._came.set()

    def is_with(self, link):
        return self._link is link

    async def _next(self):
        """The next envelope of the call. Raises CobusError when the call ends with one, or its time is up."""
        while not self._answers:
            self._came.clear()
            left = self._end - time.monotonic() if self._end else None
            try:
                await asyncio.wait_for(self._came.wait(), left)
            except asyncio.TimeoutError:
                self.cancel()
                raise CobusError(Code.DEADLINE_EXCEEDED, "no answer in time") from None
        answer = self._answers.popleft()
        if isinstance(answer, CobusError):
            raise answer
        if answer.kind == ERROR:
            raise CobusError.of(answer.status)
        self._waiting_bytes -= len(answer.payload)
        return answer

    def _give_credit(self, size):
        self._taken += 1
        self._taken_bytes += size
        if not self._over and (self._taken >= self._credit_due or self._taken_bytes >= STREAM_CREDIT_BYTES):
            self._credit += self._taken
            self._send(CREDIT, to=self.worker, credit=self._taken)
            self._taken = self._taken_bytes = 0

    def _send(self, kind, **fields):
        self._link.send(Envelope(kind=kind, **{"from": NODE}, call=self._number, flags=self._flags, **fields))

    def _finish(self):
        self._over = True
        self._calls.open.pop(self._number, None)


class Calls:
    """All calls of this node, by their numbers."""

    def __init__(self):
        self.numbers = itertools.count(1)
        self.open = {}

    def begin(self, link, method, request, reply_type, timeout=None, credit=STREAM_CREDIT, hidden=False):
        """Sends the request over this link."""
        if link.is_full:
            raise CobusError(Code.RESOURCE_EXHAUSTED, f"8 MiB wait for {link.peer.name} already")
        return Call(self, link, method, request, reply_type, timeout, credit, hidden)

    def on_envelope(self, link, envelope):
        call = self.open.get(envelope.call)
        if call and call.is_with(link):
            call.take(envelope)

    def on_link_over(self, link, error):
        for call in list(self.open.values()):
            if call.is_with(link):
                call.fail(error)
