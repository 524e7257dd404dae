# SPDX-License-Identifier: Apache-2.0
"""The first frame each way: what we say of ourselves, and whom we accept. No sockets.

`Greeter` makes and judges Hellos for one life of one node, whichever side dialled.
"""
import dataclasses
import secrets
import time

from cobus.v1 import envelope_pb2, session_pb2
from google.protobuf.message import DecodeError

from .identity import check_certificate, is_name
from .wire import FEATURES, HELLO_BYTES_MAX, Code, CobusError

VERSION = 1
BUILD = "python_peer"


class Malformed(Exception):
    """A first frame that is no Hello: the connection is closed without a word."""


@dataclasses.dataclass(frozen=True)
class Peer:
    """Somebody whose Hello was accepted."""
    node: int
    incarnation: int
    key: bytes
    name: str
    role: int  # session_pb2.Role


def parse_first(data):
    """The frame of a Hello, or Malformed."""
    if len(data) > HELLO_BYTES_MAX:
        raise Malformed("it has more than 4 KiB")
    try:
        frame = envelope_pb2.Frame.FromString(data)
    except DecodeError as error:
        raise Malformed("it is no frame") from error
    if not frame.HasField("hello") or frame.envelopes or frame.sequence:
        raise Malformed("it is no Hello")
    if frame.session != frame.hello.session or frame.session == 0:
        raise Malformed("it does not name one session")
    return frame


class Greeter:
    def __init__(self, identity, name, token):
        self.identity = identity
        self.node = secrets.randbits(64) or 1
        self.incarnation = time.time_ns() // 1000
        self.features = FEATURES
        self._name = name
        self._token = token

    def hello(self, session, resume=0, last_received=0):
        """The Hello of who dials."""
        hello = self._base(session, resume=resume, last_received=last_received)
        if self.identity.certificate is None:
            hello.name, hello.token = self._name, self._token
        return envelope_pb2.Frame(session=session, hello=hello)

    def answer(self, session, last_received=0):
        """The Hello of who was dialled."""
        return envelope_pb2.Frame(session=session, hello=self._base(session, last_received=last_received))

    @staticmethod
    def refusal(session, error):
        refused = session_pb2.HelloRefused(code=error.code, message=error.text)
        return envelope_pb2.Frame(session=session, hello=session_pb2.Hello(
            protocol_min=VERSION, protocol_max=VERSION, session=session, refused=refused))

    def judge(self, hello, key):
        """Who dialled us, with this proven key; raises the CobusError that goes into the refusal."""
        self._check_life(hello)
        if self.identity.certificate is None:
            raise CobusError(Code.UNAVAILABLE, "this node has no certificate yet")
        return self._check_certificate(hello, key)

    def judge_answer(self, hello, key, asked, at_broker):
        """Who answered our Hello, in which we named the sessions `asked`; raises CobusError."""
        if hello.session not in asked:
            raise CobusError(Code.FAILED_PRECONDITION, "the answer names another session")
        if hello.HasField("refused"):
            raise CobusError(hello.refused.code, hello.refused.message)
        self._check_life(hello)
        peer = self._check_certificate(hello, key)
        if at_broker and peer.role != session_pb2.BROKER:
            raise CobusError(Code.PERMISSION_DENIED, f"{peer.name} answers at the address of a broker and is none")
        if self.identity.certificate is None:
            if not hello.HasField("issued"):
                raise CobusError(Code.UNAUTHENTICATED, "the broker issued no certificate")
            self.identity.keep_certificate(hello.issued)
        return peer

    def _base(self, session, **fields):
        return session_pb2.Hello(protocol_min=VERSION, protocol_max=VERSION, node=self.node, build=BUILD, session=session,
                                 incarnation=self.incarnation, certificate=self.identity.certificate,
                                 features=self.features, **fields)

    def _check_life(self, hello):
        if not hello.protocol_min <= VERSION <= hello.protocol_max:
            raise CobusError(Code.FAILED_PRECONDITION, f"this node speaks version {VERSION} of the protocol")
        if hello.node == 0:
            raise CobusError(Code.INVALID_ARGUMENT, "node id 0")
        if hello.node == self.node:
            raise CobusError(Code.FAILED_PRECONDITION, "a node does not dial itself")

    def _check_certificate(self, hello, key):
        if not hello.HasField("certificate"):
            raise CobusError(Code.UNAUTHENTICATED, "no certificate; a token is good at a broker only")
        body = check_certificate(hello.certificate, self.identity.fingerprint, key)
        if not is_name(body.name):
            raise CobusError(Code.PERMISSION_DENIED, "the certificate has no good name")
        return Peer(hello.node, hello.incarnation, key, body.name, body.role)
