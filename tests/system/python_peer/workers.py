# SPDX-License-Identifier: Apache-2.0
"""The workers of this node, each an asyncio task with a number, and what ties them to workers elsewhere.

A worker is watched from other nodes (MONITOR, LINK), hears of others that end (`Workers.monitor`), gets messages into a
mailbox and can be asked to end (EXIT). The number 1 is the node itself: it makes the calls, and never ends.
"""
import asyncio
import collections
import itertools

from cobus.v1 import envelope_pb2
from cobus.v1.envelope_pb2 import DEMONITOR, DOWN, EXIT, LINK, MESSAGE, MONITOR, UNLINK, UNLINK_ACK, Envelope

from .wire import MAILBOX_MESSAGES, Code, CobusError

NODE = 1
KINDS = frozenset((MESSAGE, MONITOR, DEMONITOR, DOWN, LINK, UNLINK, UNLINK_ACK, EXIT))
LINKED, ASKED = 0, 1  # `call` of an EXIT


class Worker:
    """One task, its mailbox, and who hears of its end."""

    def __init__(self, number):
        self.number = number
        self.task = None
        self.reason = None  # a CobusError that it was asked to end with
        self.watchers = {}  # (link, worker there, its number for it) -> None: a set that keeps its order
        self.linked = {}  # (link, worker there) -> None
        self._mail = collections.deque()
        self._came = asyncio.Event()

    def post(self, envelope):
        """A message; what finds the mailbox full is dropped."""
        if len(self._mail) < MAILBOX_MESSAGES:
            self._mail.append(envelope)
            self._came.set()

    async def receive(self):
        """The next MESSAGE, as an Envelope."""
        while not self._mail:
            self._came.clear()
            await self._came.wait()
        return self._mail.popleft()


class Workers:
    def __init__(self):
        self._numbers = itertools.count(NODE + 1)
        self._workers = {NODE: Worker(NODE)}
        self._monitors = {}  # our number -> (link, worker there, future)
        self._monitor_numbers = itertools.count(1)

    def spawn(self, function, *arguments):
        """Runs `await function(worker, *arguments)` as a new worker."""
        worker = Worker(next(self._numbers))
        self._workers[worker.number] = worker
        worker.task = asyncio.create_task(self._run(worker, function, arguments))
        return worker

    def end(self, worker, reason):
        """Asks a worker to end, with a reason that its watchers hear. It takes its first step before: a task that is
        cancelled earlier would run nothing at all, not even what tells of its end."""
        worker.reason = reason
        asyncio.get_running_loop().call_soon(worker.task.cancel)

    async def close(self):
        """Ends all workers."""
        workers = [worker for worker in self._workers.values() if worker.task]
        for worker in workers:
            self.end(worker, CobusError(Code.CANCELLED, "the node stops"))
        await asyncio.gather(*(worker.task for worker in workers), return_exceptions=True)

    # --- we watch others

    def monitor(self, link, worker):
        """A future of how that worker ends: None for a normal end, else the CobusError. NOT_FOUND: it is not there."""
        number = next(self._monitor_numbers)
        down = asyncio.get_running_loop().create_future()
        self._monitors[number] = (link, worker, down)
        link.send(Envelope(kind=MONITOR, **{"from": NODE}, to=worker, call=number))
        down.add_done_callback(lambda done: self._forget_monitor(number, done.cancelled()))
        return down

    def _forget_monitor(self, number, taken_back):
        link, worker, _ = self._monitors.pop(number)
        if taken_back:
            link.send(Envelope(kind=DEMONITOR, **{"from": NODE}, to=worker, call=number))

    # --- others watch ours

    def on_envelope(self, link, envelope):
        there, call = getattr(envelope, "from"), envelope.call
        worker = self._workers.get(envelope.to)
        if envelope.kind == MESSAGE and worker:
            worker.post(envelope)
        elif envelope.kind == MONITOR:
            if worker and call:
                worker.watchers[(link, there, call)] = None
            elif call:  # without a number it watches nobody, and is only there to make a session
                self._tell(DOWN, link, envelope.to, there, call, _not_here(envelope.to))
        elif envelope.kind == DEMONITOR and worker:
            worker.watchers.pop((link, there, call), None)
        elif envelope.kind == DOWN:
            self._on_down(link, envelope)
        elif envelope.kind == LINK:
            if worker:
                worker.linked[(link, there)] = None
            else:
                self._tell(EXIT, link, envelope.to, there, LINKED, _not_here(envelope.to))
        elif envelope.kind == UNLINK:
            if worker:
                worker.linked.pop((link, there), None)
            self._tell(UNLINK_ACK, link, envelope.to, there, call, None)
        elif envelope.kind == EXIT and worker and worker.task:
            self._on_exit(worker, (link, there), call, envelope)

    def on_link_over(self, link, error):
        """The session has ended: monitors and links over it have fired, and nobody watches from there."""
        for other, _, down in list(self._monitors.values()):
            if other is link and not down.done():
                down.set_result(error)
        for worker in list(self._workers.values()):
            worker.watchers = {key: None for key in worker.watchers if key[0] is not link}
            linked = len(worker.linked)
            worker.linked = {key: None for key in worker.linked if key[0] is not link}
            if len(worker.linked) < linked and worker.task:
                self.end(worker, error)

    def _on_down(self, link, envelope):
        other, worker, down = self._monitors.get(envelope.call, (None, 0, None))
        if other is link and worker == getattr(envelope, "from") and not down.done():
            down.set_result(CobusError.of(envelope.status) if envelope.HasField("status") else None)

    def _on_exit(self, worker, other, call, envelope):
        """A normal end, without a status, ends nobody; nor does one of a worker that is not linked."""
        linked = call == LINKED and worker.linked.pop(other, other) is None
        if envelope.HasField("status") and (linked or call == ASKED):
            self.end(worker, CobusError.of(envelope.status))

    async def _run(self, worker, function, arguments):
        reason = None
        try:
            await function(worker, *arguments)
        except asyncio.CancelledError:
            reason = worker.reason or CobusError(Code.CANCELLED, "it was asked to stop")
        except CobusError as error:
            reason = error
        except Exception as error:
            reason = CobusError(Code.INTERNAL, f"{type(error).__name__}: {error}")
        del self._workers[worker.number]
        for link, there, call in worker.watchers:
            self._tell(DOWN, link, worker.number, there, call, reason)
        for link, there in worker.linked:
            self._tell(EXIT, link, worker.number, there, LINKED, reason)

    @staticmethod
    def _tell(kind, link, worker, to, call, error):
        status = error.status() if error else None
        link.send(envelope_pb2.Envelope(kind=kind, **{"from": worker}, to=to, call=call, status=status))


def _not_here(worker):
    return CobusError(Code.NOT_FOUND, f"there is no worker {worker} here")
