# SPDX-License-Identifier: Apache-2.0
#
# A node in Python, written from proto/docs/protocol.md alone, among brokers, nodes and clients in C++: what that page
# says is enough. python_peer_door_test.py has what both refuse. Run as: python_peer_test.py BIN_FOLDER [TEST...]
import asyncio
import json
import os
import re
import stat
import subprocess
import sys
import time
import unittest

import echo_pb2
import greeter_pb2
import processes
import text_pb2
from cobus.v1 import directory_pb2
from cli_cluster import start
from python_peer import Code, CobusError
from python_peer_cluster import Forwarder, Numbers, PeerTest

LEASE_S = 6


class Joining(PeerTest):
    def test_it_enrols_once_and_keeps_its_certificate_for_itself(self):
        folder = self.folder()
        first = self.node(folder=folder)
        serial = first.identity.body.serial
        self.stop(first)
        without_token = self.join_string().split("&token=")[0]
        again = self.node(folder=folder, join=without_token)
        self.assertEqual((again.identity.body.serial, again.identity.body.name), (serial, "py"))
        self.assertEqual(again.identity.public_key, first.identity.public_key)
        self.assertNotEqual(again.id, first.id)
        for name in os.listdir(folder):
            self.assertEqual(stat.S_IMODE(os.stat(os.path.join(folder, name)).st_mode), 0o600)

    def test_it_hears_why_a_broker_does_not_take_it(self):
        without_token = self.join_string().split("&token=")[0]
        for code, name, join in ((Code.UNAUTHENTICATED, "py", without_token),
                                 (Code.UNAUTHENTICATED, "py", without_token + "&token=wrong"),
                                 (Code.ALREADY_EXISTS, "alpha", None)):
            with self.assertRaises(CobusError) as raised:
                self.node(name, join=join)
            self.assertEqual(raised.exception.code, code)

    def test_a_token_of_another_role_makes_no_node(self):
        with self.assertRaises(CobusError) as raised:
            self.node("submitter", join=self.join_string("submit"))
        self.assertEqual(raised.exception.code, Code.PERMISSION_DENIED)

    def test_it_is_listed_for_longer_than_a_lease_and_gone_when_it_leaves(self):
        node = self.node()
        begin = time.monotonic()
        self.assertEqual(self.states()["py"], "up")
        services = {service["name"]: service["nodes"] for service in self.lines("services", "-o", "jsonl")}
        self.assertEqual(services["python.Greeter"], ["py"])

        def outlives_its_lease():
            self.assertEqual(self.states()["py"], "up")
            return time.monotonic() - begin > LEASE_S + 1
        self.wait_until(outlives_its_lease, "its lease to have been renewed")
        self.stop(node)
        self.assertNotIn("py", self.cluster.names_up())

    def test_one_that_is_killed_is_gone_soon(self):
        folder = self.folder()
        command = [sys.executable, "-B", "-m", "python_peer.greeter", "killed", folder,
                   os.path.join(self.state, "join", "node")]
        path = os.pathsep.join((os.path.dirname(os.path.abspath(__file__)), os.environ["PYTHONPATH"]))
        process = start(self, command, env={**os.environ, "PYTHONPATH": path})
        self.assertEqual(process.stdout.readline(), "killed is ready\n")
        self.assertEqual(self.hello("you", at="killed"), "Hello, you!")
        process.kill()
        self.wait_until(lambda: "killed" not in self.cluster.names_up(), "it to be gone", LEASE_S)


class Serving(PeerTest):
    def test_it_is_called_by_its_schema(self):
        self.node()
        self.assertEqual(self.hello("x"), "Hello, x!")
        self.assertIn("rpc Count", self.cobus("describe", "python.Greeter")[0])

    def test_a_stream_of_any_length_goes_by_credit(self):
        self.node()
        out = self.lines("call", "python.Greeter/Count", '{"to":1000}', "-o", "jsonl")
        self.assertEqual([int(number["value"]) for number in out], list(range(1, 1001)))

    def test_a_slow_reader_holds_the_handler(self):
        numbers = Numbers()
        node = self.node(offer=lambda: numbers)
        other = self.node("reader")
        self.run_in_loop(self._read_slowly(node, other))
        self.wait_until(numbers.stopped.is_set, "the handler to be stopped")

    async def _read_slowly(self, node, other):
        request = greeter_pb2.CountRequest(to=1 << 40)
        with await other.stream("python.Greeter/Count", request, greeter_pb2.Number, at="py") as answers:
            self.assertEqual((await answers.__anext__()).value, 1)
            await node.call("echo.Echo/Echo", echo_pb2.EchoRequest(text="time passes"), echo_pb2.EchoReply, at="alpha")
            self.assertLessEqual(len(answers._answers), 64)

    def test_what_a_handler_raises_is_the_error_of_the_call(self):
        self.node()
        err = self.cobus("call", "python.Greeter/Fail", '{"name":"x"}', code=1)[1]
        self.assertIn("INTERNAL: RuntimeError: no greeting for x", err)

    def test_a_client_that_leaves_stops_the_handler(self):
        numbers = Numbers()
        self.node(offer=lambda: numbers)
        call = start(self, self.command("call", "python.Greeter/Count", '{"to":9}', "-o", "jsonl"))
        self.assertIn("1", call.stdout.readline())
        call.terminate()
        self.wait_until(numbers.stopped.is_set, "the handler to be stopped")

    def test_a_role_that_may_not_call_is_refused(self):
        self.node()
        join = "@" + os.path.join(self.state, "join", "observe")
        err = self.cobus("call", "python.Greeter/Hello", "{}", "--join", join, state=self.folder(), code=77)[1]
        self.assertIn("PERMISSION_DENIED", err)

    def test_it_runs_jobs(self):
        numbers = Numbers()
        self.node(offer=lambda: numbers)
        reply = self.json("submit", "python.Greeter/Hello", '{"name":"job"}', "--wait", "-o", "json")
        self.assertIn("Hello, job!", str(reply))
        self.assertEqual(numbers.hellos, ["job"])

    def test_many_calls_at_once_are_each_answered(self):
        self.node()
        requests = "".join(f'{{"name":"{number}"}}\n' for number in range(500))
        out = self.cobus("map", "python.Greeter/Hello", "-", "-o", "jsonl", stdin=requests)[0]
        self.assertEqual(out.count("Hello, "), 500)


class Calling(PeerTest):
    def test_it_calls_a_node_in_cpp(self):
        node = self.node()
        reply = self.run_in_loop(node.call("echo.Echo/Echo", echo_pb2.EchoRequest(text="hi"), echo_pb2.EchoReply))
        self.assertEqual((reply.text, reply.node), ("hi", "alpha"))

    def test_it_needs_no_door_for_that(self):
        node = self.node("doorless", listen=None)
        reply = self.run_in_loop(node.call("echo.Echo/Echo", echo_pb2.EchoRequest(text="hi"), echo_pb2.EchoReply))
        self.assertEqual(reply.text, "hi")

    def test_it_reads_a_stream_of_one(self):
        node = self.node()
        text = "".join(f"line {number}\n" for number in range(2000))

        async def grep():
            request = text_pb2.GrepRequest(text=text, pattern="line")
            with await node.stream("text.Text/Grep", request, text_pb2.Line) as lines:
                return [line.number async for line in lines]
        self.assertEqual(self.run_in_loop(grep()), list(range(1, 2001)))

    def test_it_hears_the_errors_of_one(self):
        node = self.node()
        for method, code, details in (("echo.Echo/Nothing", Code.UNIMPLEMENTED, {"started": "no"}),
                                      ("echo.Echo/Collect", Code.INVALID_ARGUMENT, {}),
                                      ("text.Text/WordCount", Code.INVALID_ARGUMENT, {})):
            with self.assertRaises(CobusError) as raised:
                self.run_in_loop(node.call(method, echo_pb2.EchoRequest(), echo_pb2.EchoReply, at="alpha"))
            self.assertEqual((raised.exception.code, raised.exception.details), (code, details))

    def test_payloads_of_the_largest_size_go_both_ways(self):
        node = self.node()
        request = echo_pb2.EchoRequest(text="x" * 1_032_000)
        reply = self.run_in_loop(node.call("echo.Echo/Echo", request, echo_pb2.EchoReply))
        self.assertEqual(reply.text, request.text)


class Watching(PeerTest):
    def test_it_watches_a_worker_in_cpp(self):
        node = self.node()

        async def watch():
            request = text_pb2.GrepRequest(text="line\n" * 100_000, pattern="line")
            with await node.stream("text.Text/Grep", request, text_pb2.Line) as lines:
                await lines.__anext__()
                link = await node.connect("alpha")
                down = node.workers.monitor(link, lines.worker)
                absent = await node.workers.monitor(link, 1 << 60)
                self.assertFalse(down.done())
            return await down, absent
        down, absent = self.run_in_loop(watch())
        self.assertEqual(absent.code, Code.NOT_FOUND)
        self.assertEqual(down.code, Code.CANCELLED)

    def test_it_hears_that_a_node_with_a_worker_is_lost(self):
        node = self.node()
        self.cluster.start_node("beta")

        async def watch():
            request = text_pb2.GrepRequest(text="line\n" * 100_000, pattern="line")
            with await node.stream("text.Text/Grep", request, text_pb2.Line, at="beta") as lines:
                await lines.__anext__()
                down = node.workers.monitor(await node.connect("beta"), lines.worker)
                self.cluster.kill("beta")
                with self.assertRaises(CobusError) as raised:
                    async for _ in lines:
                        pass
                return await down, raised.exception
        self.wait_for_record(node, "beta")
        for error in self.run_in_loop(watch()):
            self.assertEqual(error.code, Code.UNAVAILABLE)

    def test_its_own_workers_are_watched(self):
        node, other = self.node(), self.node("other")

        async def work(_, how):
            await asyncio.sleep(0)
            if how:
                raise how

        async def wait(_):
            await asyncio.Event().wait()

        async def watch():
            link = await other.connect("py")
            ends = []
            for how in (None, RuntimeError("broken"), CobusError(Code.ABORTED, "its own word")):
                waiting = node.workers.spawn(wait)
                down = other.workers.monitor(link, waiting.number)
                await other.call("python.Greeter/Hello", greeter_pb2.HelloRequest(), greeter_pb2.HelloReply, at="py")
                node.workers.end(waiting, how if isinstance(how, CobusError) else CobusError(Code.CANCELLED, "asked"))
                ends.append((await down).code)
                gone = await other.workers.monitor(link, node.workers.spawn(work, how).number)
                ends.append(gone.code if gone else None)
            return ends
        ends = self.run_in_loop(watch())
        self.assertEqual(ends[::2], [Code.CANCELLED, Code.CANCELLED, Code.ABORTED])
        self.assertEqual(ends[1::2], [Code.NOT_FOUND] * 3)


class Breaking(PeerTest):
    """Connections that are cut in the middle of something, with a forwarder on the way."""
    NODES = ()

    def setUp(self):
        super().setUp()
        self.forwarder = Forwarder()
        self.addCleanup(self.forwarder.close)
        self.there = f"tcp://127.0.0.1:{self.forwarder.port}"

    def port_of(self, name):
        """Where its door is, whatever it tells others."""
        listening = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=True).stdout
        return int(re.search(rf"127\.0\.0\.1:(\d+) .*pid={self.cluster.processes[name].pid},", listening)[1])

    def start_behind_forwarder(self, name):
        """A node in C++ that others dial through the forwarder."""
        self.cluster.start_node(name, "--advertise", self.there)
        self.forwarder.port_behind = self.port_of(name)

    def count_through_cuts(self, cut):
        """Has a client in C++ read 20,000 items of the node in Python, and breaks the connection on the way."""
        call = start(self, self.command("call", "python.Greeter/Count", '{"to":20000}', "-o", "jsonl"))
        for expected in range(1, 20_001):
            self.assertEqual(int(json.loads(call.stdout.readline())["value"]), expected)
            if expected % 5_000 == 0 and expected < 20_000:
                cut()
        self.assertEqual(call.communicate(timeout=60)[0], "")
        self.assertEqual(call.returncode, 0)

    def test_what_it_answers_is_neither_lost_nor_doubled(self):
        node = self.node(advertise=self.there)
        self.forwarder.port_behind = int(self.run_in_loop(endpoint_of(node)).rpartition(":")[2])
        self.count_through_cuts(self.forwarder.cut)
        self.assertGreaterEqual(self.forwarder.count, 4)

    def test_nor_when_its_own_sockets_are_closed_under_it(self):
        node = self.node()
        cuts = []

        async def cut():
            door = node.links._door
            for descriptor, connection in list(door._open.items()):
                cuts.append(descriptor)
                await door.cut(descriptor, connection)
        self.count_through_cuts(lambda: self.run_in_loop(cut()))
        self.assertGreaterEqual(len(cuts), 3)

    def test_what_it_reads_is_neither_lost_nor_doubled(self):
        self.start_behind_forwarder("cut-reading")
        node = self.node()
        self.wait_for_record(node, "cut-reading")

        async def read():
            link = await node.connect("cut-reading")
            request = text_pb2.GrepRequest(text="line\n" * 20_000, pattern="line")
            numbers = []
            with await node.stream("text.Text/Grep", request, text_pb2.Line, at="cut-reading") as lines:
                async for line in lines:
                    numbers.append(line.number)
                    if len(numbers) % 5_000 == 0:
                        self.forwarder.cut()
            return numbers, link is await node.connect("cut-reading")
        self.assertEqual(self.run_in_loop(read()), (list(range(1, 20_001)), True))

    def test_what_it_sends_is_neither_lost_nor_doubled(self):
        self.start_behind_forwarder("cut-sending")
        node = self.node()
        self.wait_for_record(node, "cut-sending")

        async def ask(number):
            if number % 100 == 50:
                self.forwarder.cut()
            request = echo_pb2.EchoRequest(text=str(number) + "." * 20_000)
            return (await node.call("echo.Echo/Echo", request, echo_pb2.EchoReply, at="cut-sending")).text.rstrip(".")

        async def ask_all():
            return [await answer for answer in [asyncio.ensure_future(ask(number)) for number in range(400)]]
        self.assertEqual(self.run_in_loop(ask_all()), [str(number) for number in range(400)])

    def test_it_stays_registered_when_the_way_to_the_broker_is_cut(self):
        self.forwarder.port_behind = self.port_of("broker")
        node = self.node(join=re.sub(r"(://[^:]*):\d+", rf"\1:{self.forwarder.port}", self.join_string()))

        async def cut():
            membership = node._memberships[0]
            link, lease = membership.link, membership._lease
            for _ in range(3):
                broken = link.connection
                self.forwarder.cut()
                while link.connection in (None, broken):
                    await asyncio.sleep(0.01)
            with membership._begin("Renew", renewal(node), directory_pb2.RenewReply, 5) as call:
                known = (await call.reply()).known
            return known, membership.link is link, membership._lease is lease
        self.assertEqual(self.run_in_loop(cut()), (True, True, True))
        self.assertGreaterEqual(self.forwarder.count, 4)

    def test_silence_is_a_broken_connection_too(self):
        """The forwarder holds what it carries: nothing comes, and nothing is closed."""
        self.start_behind_forwarder("silent")
        node = self.node()
        self.wait_for_record(node, "silent")

        async def be_silent():
            link = await node.connect("silent")
            broken = link.connection
            self.forwarder.hold()
            request = echo_pb2.EchoRequest(text="hi")
            reply = await node.call("echo.Echo/Echo", request, echo_pb2.EchoReply, at="silent")
            return reply.text, link is await node.connect("silent"), link.connection is not broken
        self.assertEqual(self.run_in_loop(be_silent()), ("hi", True, True))


class Meeting(PeerTest):
    """Sessions: one for each pair of nodes, whoever dials, and their end."""

    def test_two_that_dial_at_once_have_one_session(self):
        nodes = self.node("one"), self.node("two")
        for node in nodes:
            self.wait_for_record(node, "one")
            self.wait_for_record(node, "two")

        async def meet():
            for _ in range(20):
                links = await asyncio.gather(nodes[0].connect("two"), nodes[1].connect("one"))
                self.assertEqual(links[0].session.number, links[1].session.number)
                await links[0].end(CobusError(Code.UNAVAILABLE, "once more"))
                self.assertTrue(links[0]._ending.is_set())
                while not links[1].over:
                    await asyncio.sleep(0.01)
        self.run_in_loop(meet())

    def test_so_have_one_in_python_and_one_in_cpp(self):
        numbers = Numbers()
        node = self.node(offer=lambda: numbers)
        for count in range(1, 9):
            job = start(self, self.command("submit", "python.Greeter/Hello", f'{{"name":"{count}"}}', "--wait"))

            async def meet():
                while len(numbers.hellos) < count:
                    link = await node.connect("alpha")
                    await node.call("echo.Echo/Echo", echo_pb2.EchoRequest(), echo_pb2.EchoReply, at="alpha")
                await link.end(CobusError(Code.UNAVAILABLE, "once more"))
                return link._ending.is_set()
            self.assertTrue(self.run_in_loop(meet()))
            out, err = job.communicate(timeout=60)
            self.assertEqual(job.returncode, 0, err)
            self.assertIn(f"Hello, {count}!", out)

    def test_a_session_that_has_ended_is_followed_by_a_new_one(self):
        node = self.node()

        async def end():
            first = await node.connect("alpha")
            await first.end(CobusError(Code.UNAVAILABLE, "enough"))
            second = await node.connect("alpha")
            await node.call("echo.Echo/Echo", echo_pb2.EchoRequest(), echo_pb2.EchoReply, at="alpha")
            return first._ending.is_set(), first.session.number != second.session.number
        self.assertEqual(self.run_in_loop(end()), (True, True))


async def endpoint_of(node):
    return node.links._door.endpoint


def renewal(node):
    return directory_pb2.RenewRequest(node=node.id, incarnation=node.greeter.incarnation)


if __name__ == "__main__":
    processes.BIN = sys.argv.pop(1)
    unittest.main(verbosity=2)
