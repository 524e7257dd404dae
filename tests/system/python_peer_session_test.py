# SPDX-License-Identifier: Apache-2.0
#
# Sessions of a node in Python with nodes and clients in C++: they outlive their connections, there is one for each pair,
# and they end politely. Run as: python_peer_session_test.py BIN_FOLDER [TEST...]
import asyncio
import json
import re
import subprocess
import sys
import unittest

import echo_pb2
import processes
import text_pb2
from cli_cluster import start
from cobus.v1 import directory_pb2
from forwarder import Forwarder
from python_peer import Code, CobusError
from python_peer_cluster import Numbers, PeerTest


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
            door = node.links.door
            for descriptor, connection in list(door.open.items()):
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
            membership = node.memberships[0]
            link, lease = membership.link, membership.lease
            for _ in range(3):
                broken = link.connection
                self.forwarder.cut()
                while link.connection in (None, broken):
                    await asyncio.sleep(0.01)
            with membership.begin("Renew", renewal(node), directory_pb2.RenewReply, 5) as call:
                known = (await call.reply()).known
            return known, membership.link is link, membership.lease is lease
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
                self.assertTrue(links[0].answered.is_set())
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
                return link.answered.is_set()
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
            return first.answered.is_set(), first.session.number != second.session.number
        self.assertEqual(self.run_in_loop(end()), (True, True))


async def endpoint_of(node):
    return node.links.door.endpoint


def renewal(node):
    return directory_pb2.RenewRequest(node=node.id, incarnation=node.greeter.incarnation)


if __name__ == "__main__":
    processes.BIN = sys.argv.pop(1)
    unittest.main(verbosity=2)
