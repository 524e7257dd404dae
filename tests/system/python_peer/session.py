# SPDX-License-Identifier: Apache-2.0
"""The numbers of one session: frames in order, each once, kept until they are acknowledged. No sockets, no clock.

A session outlives its connections: what a connection took with it is in `kept` and is sent again over the next. Until it
is confirmed nothing but beats is sent, so that it can be left for another one with nothing lost or said twice.
"""
import collections

from cobus.v1 import envelope_pb2

from .wire import REPEATED, WINDOW_BYTES


class MissingFrame(Exception):
    """A number was left out: the connection has lost frames and another one must be dialled. The session goes on."""


class ProtocolError(Exception):
    """The peer did what no node may do; the session is over."""


def says_only(envelope, names):
    return all(field.name in names for field, _ in envelope.ListFields()) and not len(envelope.UnknownFields())


def may_be_repeated(envelope):
    return envelope.kind in REPEATED and says_only(envelope, ("to", "from", "kind", "type", "call", "flags", "payload"))


def whole(envelopes):
    """Each with what it left out because the one before it in the frame says it."""
    before = envelope_pb2.Envelope()
    for envelope in envelopes:
        if may_be_repeated(before) and says_only(envelope, ("payload",)):
            payload = envelope.payload
            envelope.CopyFrom(before)
            envelope.payload = payload
        yield envelope
        before = envelope


class Session:
    def __init__(self, number):
        self.number = number
        self.sent = 0  # the last number given
        self.received = 0  # the highest number received, none missing before it
        self.confirmed = False  # a frame has come: the peer has this session too, and knows that we do
        self.unsaid_bytes = 0  # received since we last said so
        self.kept = collections.deque()  # (frame, size) sent and not acknowledged
        self._kept_bytes = 0

    @property
    def has_room(self):
        return self._kept_bytes < WINDOW_BYTES

    @property
    def acknowledged(self):
        """The highest number that the peer has."""
        return self.sent - len(self.kept)

    def next_frame(self, envelopes):
        """A data frame with the next number, kept from now on."""
        self.sent += 1
        frame = envelope_pb2.Frame(session=self.number, sequence=self.sent, envelopes=envelopes)
        size = frame.ByteSize()
        self.kept.append((frame, size))
        self._kept_bytes += size
        return frame

    def beat(self):
        """Also says what went before it, so that a last frame which is lost is missed."""
        return envelope_pb2.Frame(session=self.number, sent=self.sent)

    def encoded(self, frame):
        """Any frame of the session as bytes; it says what has been received by now."""
        frame.acknowledged = self.received
        self.unsaid_bytes = 0
        return frame.SerializeToString()

    def take(self, frame, size):
        """The envelopes of a frame that are due now. Raises MissingFrame or ProtocolError."""
        if frame.session != self.number or frame.HasField("hello"):
            raise ProtocolError("a frame of another session" if frame.session != self.number else "a second Hello")
        if frame.sequence == 0 and frame.sent > self.received:
            raise MissingFrame(f"frame {frame.sent} was sent and did not come")
        self.acknowledge(frame.acknowledged)
        self.confirmed = True
        if frame.sequence == 0 or frame.sequence <= self.received:
            return []  # a beat, or what came before
        if frame.sequence != self.received + 1:
            raise MissingFrame(f"frame {frame.sequence} came, {self.received + 1} was due")
        self.received += 1
        self.unsaid_bytes += size
        return whole(frame.envelopes)

    def acknowledge(self, number):
        """The peer has all up to `number`."""
        if number > self.sent:
            raise ProtocolError(f"frame {number} is acknowledged, which was never sent")
        while self.acknowledged < number:
            self._kept_bytes -= self.kept.popleft()[1]

    def can_go_on_after(self, last_received):
        """Whether a peer that has received so much can have the rest."""
        return self.acknowledged <= last_received <= self.sent
