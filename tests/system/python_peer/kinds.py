# SPDX-License-Identifier: Apache-2.0
"""Workers that others have made here: cobus.v1.Workers, for the kinds that this node lists among its services."""
from cobus.v1 import directory_pb2, worker_pb2

from .wire import Code, CobusError

SERVICE = worker_pb2.DESCRIPTOR.services_by_name["Workers"]


class Kinds:
    def __init__(self, workers):
        self._workers = workers
        self._functions = {}

    def offer(self, kind, function):
        """`await function(worker, argument)` is what such a worker does; the argument is an encoded message."""
        self._functions[kind] = function

    def records(self):
        return [directory_pb2.ServiceRecord(name=kind, worker_kind=True) for kind in self._functions]

    async def Spawn(self, request, call):
        """Makes a worker and binds it to the caller. Its first step comes later, so behind the reply."""
        function = self._functions.get(request.kind)
        if not function:
            raise CobusError(Code.NOT_FOUND, f"no workers of kind {request.kind} are made here")
        worker = self._workers.spawn(function, request.argument)
        if request.monitor:
            worker.watchers[(call.link, call.caller, request.monitor)] = None
        if request.link:
            worker.linked[(call.link, call.caller)] = None
        return worker_pb2.SpawnReply(worker=worker.number)
