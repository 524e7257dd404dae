# SPDX-License-Identifier: Apache-2.0
"""The methods that this node offers: their records and schemas for others, and a worker for each call that comes.

An implementation is an object with one coroutine function for each method, of the method's name: `Hello(request, call)`
returns the answer, and that of a stream is an asynchronous generator of answers. What it raises becomes the call's error:
a CobusError as it is, anything else as INTERNAL.
"""
import asyncio
import collections
import hashlib

from cobus.v1 import directory_pb2, observe_pb2, options_pb2
from cobus.v1.envelope_pb2 import CANCEL, CREDIT, END, ERROR, HIDDEN, ITEM, REPLY, REQUEST, UPSTREAM, Envelope
from cobus.v1.session_pb2 import ADMIN, NODE, SUBMIT
from google.protobuf import descriptor_pb2, message_factory
from google.protobuf.message import DecodeError

from .wire import CALLS_MAX, STREAM_BYTES, Code, CobusError, not_started, packed, type_id

REQUESTS = frozenset((REQUEST, CANCEL, CREDIT))


class Method:
    """What is known of one method, from its descriptor."""

    def __init__(self, descriptor, function):
        options = descriptor.GetOptions().Extensions[options_pb2.method]
        self.name = f"{descriptor.containing_service.full_name}/{descriptor.name}"
        self.function = function
        self.input = message_factory.MessageFactory().GetPrototype(descriptor.input_type)
        self.roles = tuple(options.roles) or (NODE, SUBMIT, ADMIN)
        proto = descriptor_pb2.MethodDescriptorProto()
        descriptor.CopyToProto(proto)
        self.streaming = proto.server_streaming
        self.record = directory_pb2.MethodRecord(
            name=self.name, input=descriptor.input_type.full_name, output=descriptor.output_type.full_name,
            streaming=proto.server_streaming, where=options.where, roles=options.roles)
        if proto.client_streaming:
            raise ValueError(f"{self.name} takes a stream of requests, which this node does not do")


class Handling:
    """One call that is handled here: where its answers go, and how many items may be sent."""

    def __init__(self, link, request):
        self.link = link
        self.caller = getattr(request, "from")
        self.call = request.call
        self.key = (link, self.caller, self.call) if self.caller else self  # without a caller nothing else comes
        self.peer = link.peer
        self._flags = request.flags & HIDDEN
        self._trace = request.trace if request.HasField("trace") else None
        self._credit = request.credit
        self._on_their_way = collections.deque()  # sizes of items that no credit came back for
        self._room = asyncio.Event()
        self.worker = None

    def answer(self, kind, **fields):
        if self.caller:  # else nobody wants one
            self.link.send(Envelope(kind=kind, **{"from": self.worker.number if self.worker else 0}, to=self.caller,
                                    call=self.call, flags=self._flags, trace=self._trace, **fields))

    async def item(self, message):
        """Sends one item once there is credit for it."""
        while self._credit == 0 or sum(self._on_their_way) >= STREAM_BYTES:
            self._room.clear()
            await self._room.wait()
        fields = packed(message)
        self._credit -= 1
        self._on_their_way.append(len(fields["payload"]))
        self.answer(ITEM, **fields)

    def take_credit(self, count):
        self._credit += count
        for _ in range(min(count, len(self._on_their_way))):
            self._on_their_way.popleft()
        self._room.set()


class Services:
    def __init__(self, workers):
        self._workers = workers
        self._methods = {}
        self._records = []
        self._schemas = {}  # digest -> observe_pb2.Schema
        self._handled = {}  # Handling.key -> Handling
        self.offer(observe_pb2.DESCRIPTOR.services_by_name["Schemas"], self, internal=True)

    def offer(self, descriptor, implementation, internal=False):
        """Offers a service by its descriptor, e.g. greeter_pb2.DESCRIPTOR.services_by_name["Greeter"]."""
        schema = observe_pb2.Schema(files=_files_of(descriptor.file))
        schema.digest = hashlib.sha256(schema.files.SerializeToString(deterministic=True)).digest()
        methods = [Method(each, getattr(implementation, each.name)) for each in descriptor.methods]
        self._schemas[schema.digest] = schema
        self._methods.update((method.name, method) for method in methods)
        self._records.append(directory_pb2.ServiceRecord(
            name=descriptor.full_name, schema_digest=schema.digest, internal=internal,
            methods=[method.record for method in methods]))

    def records(self):
        """What the directory is told."""
        return self._records

    async def Fetch(self, request, _):
        """cobus.v1.Schemas/Fetch"""
        wanted = request.digests or self._schemas
        return observe_pb2.FetchSchemaReply(schemas=[self._schemas[each] for each in wanted if each in self._schemas])

    def on_envelope(self, link, envelope):
        handling = self._handled.get((link, getattr(envelope, "from"), envelope.call))
        if envelope.kind == REQUEST:
            self._start(link, envelope)
        elif handling and envelope.flags & UPSTREAM == 0:
            if envelope.kind == CANCEL:
                self._workers.end(handling.worker, CobusError(Code.CANCELLED, "the caller gave up"))
            else:
                handling.take_credit(envelope.credit)

    def on_link_over(self, link, error):
        for handling in list(self._handled.values()):
            if handling.link is link:
                self._workers.end(handling.worker, error)

    def _start(self, link, envelope):
        handling = Handling(link, envelope)
        try:
            method, request = self._check(link, envelope)
        except CobusError as error:
            handling.answer(ERROR, status=error.status())
            return
        if method.streaming and not handling.caller:
            return  # nobody would ever take an item
        handling.worker = self._workers.spawn(self._handle, handling, method, request)
        self._handled[handling.key] = handling

    def _check(self, link, envelope):
        """The method and the request, or why no handler begins."""
        if envelope.to:
            raise CobusError(Code.NOT_FOUND, f"there is no worker {envelope.to} here that answers requests")
        method = self._methods.get(envelope.to_name)
        if not method:
            raise not_started(Code.UNIMPLEMENTED, f"there is no method {envelope.to_name} here")
        if link.peer.role not in method.roles:
            raise CobusError(Code.PERMISSION_DENIED, f"{method.name} is not for the role of {link.peer.name}")
        if len(self._handled) >= CALLS_MAX:
            raise not_started(Code.RESOURCE_EXHAUSTED, f"{CALLS_MAX} calls are handled already")
        if envelope.flags & UPSTREAM:
            raise CobusError(Code.INVALID_ARGUMENT, f"{method.name} takes one request, not a stream")
        if envelope.type not in (0, type_id(method.input.DESCRIPTOR.full_name)):
            raise CobusError(Code.INVALID_ARGUMENT, f"{method.name} takes {method.input.DESCRIPTOR.full_name}")
        try:
            return method, method.input.FromString(envelope.payload)
        except DecodeError as error:
            raise CobusError(Code.INVALID_ARGUMENT, f"the request of {method.name} is malformed") from error

    async def _handle(self, _, handling, method, request):
        """What the worker of a call does: exactly one answer, whatever happens."""
        try:
            if method.streaming:
                async for message in method.function(request, handling):
                    await handling.item(message)
                handling.answer(END)
            else:
                handling.answer(REPLY, **packed(await method.function(request, handling)))
        except CobusError as error:  # the handler's own word: its worker has ended well
            handling.answer(ERROR, status=error.status())
        except asyncio.CancelledError:
            handling.answer(ERROR, status=CobusError(Code.CANCELLED, "the handler was asked to stop").status())
            raise
        except Exception as error:
            handling.answer(ERROR, status=CobusError(Code.INTERNAL, f"{type(error).__name__}: {error}").status())
            raise
        finally:
            del self._handled[handling.key]


def _files_of(file):
    """A file and all that it imports, imports first."""
    files = {}

    def add(each):
        for imported in each.dependencies:
            add(imported)
        if each.name not in files:
            files[each.name] = descriptor_pb2.FileDescriptorProto()
            each.CopyToProto(files[each.name])
    add(file)
    return descriptor_pb2.FileDescriptorSet(file=files.values())
