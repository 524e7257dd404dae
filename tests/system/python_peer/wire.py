# SPDX-License-Identifier: Apache-2.0
"""What travels between two nodes: the messages of cobus.v1, ids of types, errors, and the numbers both sides agree on.

The folder that protoc wrote the *_pb2 modules to must be in sys.path before this is imported.
"""
import enum
import logging

from cobus.v1 import envelope_pb2

log = logging.getLogger("cobus")

FRAME_BYTES_MAX = 1 << 20
FRAME_BYTES_TARGET = 64 << 10  # envelopes are collected up to here
FEATURES = 2  # it takes envelopes that leave out what the one before them says
REPEATED = (envelope_pb2.MESSAGE, envelope_pb2.ITEM)  # of these kinds
CURVE_BYTES = 33  # what CURVE adds to a frame
HELLO_BYTES_MAX = 4 << 10
PAYLOAD_BYTES_MAX = FRAME_BYTES_MAX - (16 << 10)
STATUS_BYTES_MAX = 8 << 10
WINDOW_BYTES = 8 << 20  # on the way to one node, not acknowledged
WAITING_BYTES = 8 << 20  # behind that
ACKNOWLEDGE_BYTES, ACKNOWLEDGE_S = 1 << 20, 0.1
BEAT_S, DIAL_ANEW_S, DOWN_S = 1, 3, 5
RETURN_S = 0.9  # for a peer that cannot be dialled
HANDSHAKE_S = 5  # dial with CURVE handshake, and once more the answer to a Hello
FIRST_FRAME_S = 10
STREAM_CREDIT = 64
STREAM_BYTES, STREAM_CREDIT_BYTES = 1 << 20, 256 << 10
MAILBOX_MESSAGES = 10_000
CALLS_MAX = 1_000  # that this node handles at once: our own choice


class Code(enum.IntEnum):
    """gRPC's canonical codes."""
    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class CobusError(Exception):
    """An error with a code, as one node tells another."""

    def __init__(self, code, text, details=None):
        self.code = Code(code) if code in Code.__members__.values() else Code.UNKNOWN
        self.text = text
        self.details = details or {}
        super().__init__(f"{self.code.name}: {text}")

    @classmethod
    def of(cls, status):
        """What a Status on the wire says."""
        return cls(status.code, status.message, {detail.key: detail.value for detail in status.details})

    def status(self):
        text = self.text.encode()[:STATUS_BYTES_MAX].decode(errors="ignore")
        status = envelope_pb2.Status(code=self.code, message=text)
        for key, value in self.details.items():
            status.details.add(key=key, value=value)
        return status


def not_started(code, text):
    """Nothing was done, and another node may do better: whoever called may ask one."""
    return CobusError(code, text, {"started": "no"})


def type_id(name):
    """64-bit FNV-1a of a full message name."""
    value = 0xcbf29ce484222325
    for byte in name.encode():
        value = (value ^ byte) * 0x100000001b3 % (1 << 64)
    return value


def packed(message):
    """The fields of an envelope that carries this message; OUT_OF_RANGE when it is too large for one."""
    payload = message.SerializeToString()
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise CobusError(Code.OUT_OF_RANGE, f"{message.DESCRIPTOR.full_name} has {len(payload)} bytes; "
                                            f"one message holds {PAYLOAD_BYTES_MAX}")
    return {"type": type_id(message.DESCRIPTOR.full_name), "payload": payload}
