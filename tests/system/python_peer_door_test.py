# SPDX-License-Identifier: Apache-2.0
#
# What a door refuses, and how a session goes on or ends, frame by frame as proto/docs/protocol.md says it. Each test
# speaks to the door of a node in Python and to that of one in C++. Run as: python_peer_door_test.py BIN_FOLDER [TEST...]
import asyncio
import socket
import sys
import time
import unittest

import echo_pb2
import greeter_pb2
import processes
import text_pb2
import zmq
from cobus.v1 import session_pb2
from cobus.v1.envelope_pb2 import (CANCEL, CREDIT, DEMONITOR, DOWN, END, ERROR, EXIT, ITEM, LINK, MONITOR, REPLY, REQUEST, UNLINK,
                                    UNLINK_ACK, UPSTREAM, Envelope, Frame, Status)
from python_peer import Code
from python_peer.identity import check_certificate
from python_peer.session import whole
from python_peer.wire import FIRST_FRAME_S, FRAME_BYTES_MAX, type_id
from python_peer_cluster import PeerTest, Raw, forged_certificate, request

GARBAGE = b"\x0b\xff not a frame"


class DoorTest(PeerTest):
    def setUp(self):
        super().setUp()
        self.peer = self.node()
        self.wait_for_record(self.peer, "py")
        self.own = self.run_in_loop(self.make_raw())
        self.addCleanup(lambda: self.run_in_loop(self.own.close()))

    async def make_raw(self, name="raw"):
        """A client with a certificate that is a node's, and is registered nowhere."""
        raw = Raw(self.join_string(), self.folder(), name)
        host, port = self.peer.join.brokers[0]
        await raw.dial(f"tcp://{host}:{port}", self.peer.join.broker_key, raw.maker.hello(7))
        raw.maker.judge_answer(await raw.answer(), raw.connection.key, {7}, True)
        raw.drop()
        return raw

    def doors(self):
        """(endpoint, key, node id) of the door in Python and of the one in C++."""
        async def read():
            return {record.name: record for record in self.peer.records().values()}
        records = self.run_in_loop(read())
        return [(record.endpoints[0], check_certificate(record.certificate, self.peer.join.fingerprint).curve_key,
                 record.node) for record in (records["py"], records["alpha"])]

    def answer_to(self, frame, endpoint, key, raw=None):
        """The Hello that answers this first frame; None when the connection is closed without a word."""
        raw = raw or self.own

        async def ask():
            await raw.dial(endpoint, key, frame)
            answer = await raw.answer()
            if answer is None or answer.HasField("refused"):
                await raw.until(lambda: raw.closed, "the connection to be closed")
            raw.drop()
            return answer
        return self.run_in_loop(ask())

    def refused(self, code, change, endpoint, key, raw=None):
        """A Hello that is good but for one change is refused with this code, and names the session."""
        raw = raw or self.own
        frame = raw.maker.hello(1000 + int(code))
        change(frame.hello)
        answer = self.answer_to(frame, endpoint, key, raw)
        self.assertIsNotNone(answer, f"closed without a word instead of {code!r}")
        self.assertEqual(Code(answer.refused.code), code, answer)
        self.assertEqual((answer.session, answer.protocol_min, answer.protocol_max), (frame.session, 1, 1))
        self.assertEqual((answer.node, answer.HasField("certificate")), (0, False))
        self.assertNotEqual(answer.refused.message, "")


class FirstFrame(DoorTest):
    def test_a_good_hello_is_answered(self):
        for endpoint, key, node in self.doors():
            answer = self.answer_to(self.own.maker.hello(9), endpoint, key)
            self.assertEqual((answer.session, answer.node, answer.last_received), (9, node, 0))
            self.assertFalse(answer.HasField("refused"))

    def test_what_is_no_hello_is_closed_without_a_word(self):
        numbered, full, long, other = (self.own.maker.hello(9) for _ in range(4))
        numbered.sequence = 1
        full.envelopes.append(request(1))
        long.hello.build = "x" * 4096
        other.session = 10
        for endpoint, key, _ in self.doors():
            for frame in (GARBAGE, b"", Frame(session=9), numbered, full, long, other, self.own.maker.hello(0)):
                with self.subTest(frame=str(frame)[:40]):
                    self.assertIsNone(self.answer_to(frame, endpoint, key))

    def test_a_hello_that_is_no_good_is_refused_with_the_reason(self):
        body = session_pb2.CertificateBody(name="raw", role=session_pb2.NODE, curve_key=self.own.identity.public_key,
                                           not_before=0, not_after=1 << 40)

        def change_version(hello):
            hello.protocol_min = hello.protocol_max = 2

        def change_certificate(hello):
            hello.certificate.CopyFrom(forged_certificate(body))

        def take_certificate_of_another(hello):
            hello.certificate.CopyFrom(self.peer.identity.certificate)

        def enrol(hello):
            hello.ClearField("certificate")
            hello.name, hello.token = "raw", self.peer.join.token
        for endpoint, key, node in self.doors():
            self.refused(Code.FAILED_PRECONDITION, change_version, endpoint, key)
            self.refused(Code.INVALID_ARGUMENT, lambda hello: setattr(hello, "node", 0), endpoint, key)
            self.refused(Code.FAILED_PRECONDITION, lambda hello, own=node: setattr(hello, "node", own), endpoint, key)
            self.refused(Code.UNAUTHENTICATED, lambda hello: hello.ClearField("certificate"), endpoint, key)
            self.refused(Code.UNAUTHENTICATED, enrol, endpoint, key)
            self.refused(Code.PERMISSION_DENIED, change_certificate, endpoint, key)
            self.refused(Code.PERMISSION_DENIED, take_certificate_of_another, endpoint, key)

    def test_the_node_id_of_another_key_is_refused(self):
        doors = self.doors()
        for (endpoint, key, _), (_, _, other) in zip(doors, reversed(doors)):
            self.refused(Code.PERMISSION_DENIED, lambda hello, its=other: setattr(hello, "node", its), endpoint, key)

    def test_who_proves_no_key_does_not_come_in(self):
        for endpoint, _, _ in self.doors():
            with zmq.Context() as context, context.socket(zmq.DEALER) as stranger:
                stranger.linger = 0
                stranger.handshake_ivl = 1000
                with stranger.get_monitor_socket(zmq.EVENT_DISCONNECTED | zmq.EVENT_HANDSHAKE_SUCCEEDED) as monitor:
                    stranger.connect(endpoint)
                    self.assertTrue(monitor.poll(20_000))
                    event = int.from_bytes(monitor.recv_multipart()[0][:2], sys.byteorder)
                    self.assertEqual(event, zmq.EVENT_DISCONNECTED)
                    stranger.disable_monitor()

    def test_a_routing_id_of_ones_own_and_several_parts_end_the_connection(self):
        def say(endpoint, key, routing_id, parts):
            with zmq.Context() as context, context.socket(zmq.DEALER) as dealer:
                dealer.linger = 0
                dealer.curve_publickey, dealer.curve_secretkey = self.own.identity.public_key, self.own.identity.secret_key
                dealer.curve_serverkey = key
                dealer.reconnect_ivl = -1
                if routing_id:
                    dealer.routing_id = routing_id
                with dealer.get_monitor_socket(zmq.EVENT_DISCONNECTED) as monitor:
                    dealer.connect(endpoint)
                    dealer.send_multipart(parts)
                    ended = monitor.poll(20_000)
                    dealer.disable_monitor()
                    return ended, dealer.poll(0)
        hello = self.own.maker.hello(9).SerializeToString()
        for endpoint, key, _ in self.doors():
            self.assertEqual(say(endpoint, key, b"mine", [hello]), (1, 0))
            self.assertEqual(say(endpoint, key, None, [hello, b""]), (1, 0))

    def test_who_says_nothing_is_cut_off(self):
        for endpoint, _, _ in self.doors():
            host, _, port = endpoint.removeprefix("tcp://").rpartition(":")
            with socket.create_connection((host, int(port))) as silent:
                silent.settimeout(FIRST_FRAME_S + 10)
                while silent.recv(1000):  # a greeting, and then nothing
                    pass


class Session(DoorTest):
    """Frames of a session that `own` has dialled."""

    async def begin(self, endpoint, key, *frames, session=9, resume=0, last_received=0):
        """Dials with a Hello, and says these frames once it is answered; gives the answer."""
        await self.own.dial(endpoint, key, self.own.maker.hello(session, resume, last_received))
        answer = await self.own.answer()
        self.say(Frame(session=answer.session), *frames)
        return answer

    def say(self, *frames):
        for frame in frames:
            self.own.connection.send(frame if isinstance(frame, bytes) else frame.SerializeToString())

    async def answered(self, *calls):
        """Waits for the answers of these calls; gives the calls that were answered, each as often as it was."""
        def replies():
            return [each.call for frame in self.own.frames for each in frame.envelopes if each.kind == REPLY]
        await self.own.until(lambda: set(calls) <= set(replies()), f"answers to {calls}")
        return replies()

    async def beaten(self, count=1):
        """Waits for beats."""
        before = len(self.own.frames)
        await self.own.until(lambda: len(self.own.frames) >= before + count, "a beat")

    async def ended(self, what):
        await self.own.until(lambda: self.own.closed, f"the connection to be closed after {what}")

    def at_each_door(self, test):
        for name, (endpoint, key, _) in zip(("Python", "C++"), self.doors()):
            with self.subTest(door=name):
                self.run_in_loop(test(endpoint, key))

    def test_a_beat_comes_right_behind_the_answer(self):
        async def test(endpoint, key):
            took = []
            while len(took) < 3 and min(took, default=1) > 0.5:  # a busy machine may be late, but not each time
                raw = await self.make_raw()
                await raw.dial(endpoint, key, raw.maker.hello(9))
                await raw.answer()
                begin = time.monotonic()
                await raw.until(lambda: len(raw.frames) > 1, "a beat")
                took.append(time.monotonic() - begin)
                self.assertEqual(raw.frames[1], Frame(session=9))
                await raw.close()
            self.assertLess(min(took), 0.5)  # the next one would come after a second
        self.at_each_door(test)

    def test_what_comes_twice_counts_once(self):
        async def test(endpoint, key):
            first, second = (Frame(session=9, sequence=number, envelopes=[request(number)]) for number in (1, 2))
            await self.begin(endpoint, key, first, first, second, first)
            self.assertEqual(sorted(await self.answered(1, 2)), [1, 2])
        self.at_each_door(test)

    def test_envelopes_without_a_sequence_number_are_ignored(self):
        async def test(endpoint, key):
            await self.begin(endpoint, key, Frame(session=9, envelopes=[request(1)]),
                             Frame(session=9, sequence=1, envelopes=[request(2)]))
            self.assertEqual(await self.answered(2), [2])
        self.at_each_door(test)

    def test_what_came_is_acknowledged_and_silence_is_broken_each_second(self):
        async def test(endpoint, key):
            await self.begin(endpoint, key, Frame(session=9, sequence=1, envelopes=[Envelope(kind=CREDIT, call=1)]))
            await self.own.until(lambda: any(frame.acknowledged == 1 for frame in self.own.frames), "the acknowledgement")
            begin = time.monotonic()
            await self.beaten(2)
            self.assertLess(time.monotonic() - begin, 3)
        self.at_each_door(test)

    def test_a_missing_number_costs_the_connection_and_not_the_session(self):
        async def test(endpoint, key):
            frames = [Frame(session=9, sequence=number, envelopes=[request(number)]) for number in (1, 2, 3)]
            await self.begin(endpoint, key, frames[0], frames[2])
            await self.ended("a gap")
            answer = await self.begin(endpoint, key, frames[1], frames[2], session=10, resume=9)
            self.assertEqual((answer.session, answer.last_received), (9, 1))
            self.assertEqual(sorted(await self.answered(1, 2, 3)), [1, 2, 3])  # what was not acknowledged comes again, once
        self.at_each_door(test)

    def test_only_the_session_that_is_up_goes_on(self):
        async def test(endpoint, key):
            await self.begin(endpoint, key)
            answer = await self.begin(endpoint, key, session=10, resume=77)
            self.assertEqual(answer.session, 10)
            answer = await self.begin(endpoint, key, session=11, resume=10, last_received=5)  # which was never sent
            self.assertEqual(answer.session, 11)
            answer = await self.begin(endpoint, key, session=12, resume=11)
            self.assertEqual(answer.session, 11)
            self.own.maker.incarnation += 1
            answer = await self.begin(endpoint, key, session=13, resume=11)
            self.assertEqual(answer.session, 13)
        self.at_each_door(test)

    def test_what_breaks_the_protocol_ends_the_session(self):
        async def test(endpoint, key):
            for session, breach in enumerate((GARBAGE, Frame(session=1), self.own.maker.hello(100), None), 100):
                breach = breach or Frame(session=session, acknowledged=7)
                if isinstance(breach, Frame) and breach.HasField("hello"):
                    breach.session = breach.hello.session = session
                await self.begin(endpoint, key, breach, session=session)
                await self.ended(str(breach)[:40])
                answer = await self.begin(endpoint, key, session=50, resume=session)
                self.assertEqual(answer.session, 50)
        self.at_each_door(test)

    def test_a_frame_that_is_too_large_ends_the_connection(self):
        async def test(endpoint, key):
            await self.begin(endpoint, key, b"x" * (FRAME_BYTES_MAX + 1))
            await self.ended("a large frame")
        self.at_each_door(test)

    def test_an_end_is_answered_with_an_end(self):
        async def test(endpoint, key):
            await self.begin(endpoint, key, Frame(session=9, sequence=1, envelopes=[request(1)]))
            await self.answered(1)
            self.say(Frame(session=9, acknowledged=1, end=Status(code=Code.UNAVAILABLE, message="enough")))
            await self.own.until(lambda: self.own.frames[-1].HasField("end"), "its end")
            self.assertNotEqual(self.own.frames[-1].end.code, 0)
            self.assertEqual((self.own.frames[-1].sequence, self.own.frames[-1].session), (0, 9))
            self.own.drop()
            answer = await self.begin(endpoint, key, session=10, resume=9)
            self.assertEqual(answer.session, 10)
        self.at_each_door(test)

    def test_an_end_behind_a_frame_that_is_missing_costs_the_connection_only(self):
        async def test(endpoint, key):
            await self.begin(endpoint, key, Frame(session=9, sent=1, end=Status(code=Code.UNAVAILABLE, message="enough")))
            await self.ended("a gap")
            answer = await self.begin(endpoint, key, Frame(session=9, sequence=1, envelopes=[request(1)]), session=10, resume=9)
            self.assertEqual(answer.session, 9)
            await self.answered(1)
        self.at_each_door(test)

    async def twin(self, endpoint, key, session, resume, answer):
        """Another connection of the same node, which is answered with this number and waits for its first frame."""
        twin = Raw(self.join_string(), self.own.identity.folder)
        twin.maker.node, twin.maker.incarnation = self.own.maker.node, self.own.maker.incarnation
        await twin.dial(endpoint, key, twin.maker.hello(session, resume))
        self.assertEqual((await twin.answer()).session, answer)
        return twin

    def test_of_two_connections_that_wait_each_takes_the_session_over_when_it_speaks(self):
        async def test(endpoint, key):
            await self.begin(endpoint, key, Frame(session=9, sequence=1, envelopes=[request(1)]))
            await self.answered(1)
            first, second = [await self.twin(endpoint, key, session, 9, 9) for session in (10, 11)]
            for number, (twin, before) in enumerate(((second, self.own), (first, second)), 2):
                twin.connection.send(Frame(session=9, sequence=number, envelopes=[request(number)]).SerializeToString())
                await before.until(lambda ended=before: ended.closed, "the connection before to be closed")
                await twin.until(lambda answers=twin.frames, call=number: any(
                    each.call == call for frame in answers for each in frame.envelopes), "an answer over the new one")
            for twin in (first, second):
                await twin.close()
        self.at_each_door(test)

    def test_a_connection_that_waits_is_closed_when_another_session_has_begun(self):
        async def test(endpoint, key):
            await self.begin(endpoint, key, Frame(session=9, sequence=1, envelopes=[request(1)]))
            await self.answered(1)
            goes_on = await self.twin(endpoint, key, 10, 9, 9)
            begins = await self.twin(endpoint, key, 11, 0, 11)
            begins.connection.send(Frame(session=11, sequence=1, envelopes=[request(2)]).SerializeToString())
            await begins.until(lambda: any(frame.envelopes for frame in begins.frames), "an answer in the new session")
            goes_on.connection.send(Frame(session=9).SerializeToString())
            await goes_on.until(lambda: goes_on.closed, "the other to be closed")
            self.assertFalse(begins.closed)
            for twin in (goes_on, begins):
                await twin.close()
        self.at_each_door(test)

    def test_who_is_silent_for_five_seconds_is_down(self):
        async def test(endpoint, key):
            await self.begin(endpoint, key)
            begin = time.monotonic()
            await self.ended("silence")
            self.assertGreater(time.monotonic() - begin, 4.5)
            self.assertLess(time.monotonic() - begin, 9)
        self.at_each_door(test)

    def test_a_stream_stops_when_its_credit_is_used_up(self):
        calls = iter((("python.Greeter/Count", greeter_pb2.CountRequest(to=99)),
                      ("text.Text/Grep", text_pb2.GrepRequest(text="line\n" * 99, pattern="line"))))

        async def test(endpoint, key):
            method, message = next(calls)
            call = Envelope(kind=REQUEST, to_name=method, call=4, credit=3, payload=message.SerializeToString(), **{"from": 5})
            await self.begin(endpoint, key, Frame(session=9, sequence=1, envelopes=[call]))
            await self.own.until(lambda: len(self.said()) == 3, "three items")
            credit = Envelope(kind=CREDIT, to=getattr(self.said()[0], "from"), call=4, credit=2, **{"from": 5})
            self.say(Frame(session=9, sequence=2, envelopes=[credit, request(1)]))
            await self.answered(1)
            await self.own.until(lambda: len(self.said()) == 5, "two more")
            self.say(Frame(session=9, sequence=3, envelopes=[Envelope(kind=CANCEL, call=4, **{"from": 5})]))
            await self.own.until(lambda: self.said()[-1].kind == ERROR, "the end")
            self.assertEqual([each.kind for each in self.said()], [ITEM] * 5 + [ERROR])
            self.assertEqual(self.said()[-1].status.code, Code.CANCELLED)
        self.at_each_door(test)

    def test_items_may_leave_out_what_the_one_before_says(self):
        async def test(endpoint, key):
            call = Envelope(kind=REQUEST, to_name="echo.Echo/Collect", call=4, flags=UPSTREAM, **{"from": 5})
            await self.begin(endpoint, key, Frame(session=9, sequence=1, envelopes=[call]))
            await self.own.until(self.said, "credit")
            texts = [echo_pb2.EchoRequest(text=text).SerializeToString() for text in ("a", "bc", "def")]
            first = Envelope(kind=ITEM, to=getattr(self.said()[0], "from"), call=4, flags=UPSTREAM, payload=texts[0],
                             type=type_id("echo.EchoRequest"), **{"from": 5})
            end = Envelope(kind=END, to=first.to, call=4, flags=UPSTREAM, **{"from": 5})
            rest = [Envelope(payload=text) for text in texts[1:]]
            self.say(Frame(session=9, sequence=2, envelopes=[*rest, first, *rest, end]))  # those in front are of no kind
            await self.answered(4)
            reply, = (each for frame in self.own.frames for each in frame.envelopes if each.kind == REPLY)
            self.assertEqual(echo_pb2.CollectReply.FromString(reply.payload), echo_pb2.CollectReply(count=3, bytes=6))
        endpoint, key, _ = self.doors()[1]  # the one in Python takes no streams of requests
        self.run_in_loop(test(endpoint, key))

    def test_a_call_that_is_cancelled_at_once_is_still_answered(self):
        async def test(endpoint, key):
            cancel = Envelope(kind=CANCEL, call=1, **{"from": 5})
            await self.begin(endpoint, key, Frame(session=9, sequence=1, envelopes=[request(1), cancel, request(2)]))
            await self.answered(2)
            await self.own.until(lambda: {1, 2} <= {each.call for frame in self.own.frames for each in frame.envelopes},
                                 "the answer, or that it was cancelled")
        self.at_each_door(test)

    def test_who_watches_a_worker_that_is_not_there_hears_so(self):
        async def test(endpoint, key):
            absent = 1 << 40
            ties = [Envelope(kind=kind, to=absent, call=call, **{"from": 5}) for kind, call in (
                (MONITOR, 71), (LINK, 0), (UNLINK, 72), (DEMONITOR, 71))]
            nobody = Envelope(kind=MONITOR, **{"from": 5})  # which asks for a session only
            await self.begin(endpoint, key, Frame(session=9, sequence=1, envelopes=[nobody, *ties, request(1)]))
            await self.answered(1)
            await self.own.until(lambda: len(self.said()) == 3, "three answers")
            self.assertEqual({(each.kind, getattr(each, "from"), each.to, each.call, each.status.code) for each in self.said()},
                             {(DOWN, absent, 5, 71, Code.NOT_FOUND), (EXIT, absent, 5, 0, Code.NOT_FOUND),
                              (UNLINK_ACK, absent, 5, 72, 0)})
        self.at_each_door(test)

    def said(self):
        """What came, but for the answers of request()."""
        return [each for frame in self.own.frames for each in whole(frame.envelopes) if each.kind != REPLY]

    async def another_connection(self, endpoint, key):
        """A session, and a second connection of the same node behind it, which the door has answered."""
        other = Raw(self.join_string(), self.folder())
        other.identity, other.maker = self.own.identity, self.own.maker
        await self.begin(endpoint, key)
        await other.dial(endpoint, key, other.maker.hello(10, 9))
        self.assertEqual((await other.answer()).session, 9)
        return other

    def test_another_connection_counts_from_its_first_frame_on(self):
        async def test(endpoint, key):
            other = await self.another_connection(endpoint, key)
            self.say(Frame(session=9, sequence=1, envelopes=[request(1)]))  # the first one still goes on
            await self.answered(1)
            other.connection.send(Frame(session=9, acknowledged=1).SerializeToString())
            await self.ended("the first frame on another connection")
            other.connection.send(Frame(session=9, sequence=2, envelopes=[request(2)]).SerializeToString())
            await other.until(lambda: any(each.call == 2 for frame in other.frames for each in frame.envelopes), "the answer")
            await other.close()
        self.at_each_door(test)

    def test_another_connection_on_which_nothing_comes_is_dropped(self):
        async def test(endpoint, key):
            other = await self.another_connection(endpoint, key)
            while not other.closed:
                self.say(Frame(session=9))
                await asyncio.sleep(0.5)
            self.say(Frame(session=9, sequence=1, envelopes=[request(1)]))
            await self.answered(1)
            await other.close()
        self.at_each_door(test)


if __name__ == "__main__":
    processes.BIN = sys.argv.pop(1)
    unittest.main(verbosity=2)
