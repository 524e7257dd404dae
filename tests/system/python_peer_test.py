# SPDX-License-Identifier: Apache-2.0
#
# A node in Python, written from proto/docs/protocol.md alone, among brokers, nodes and clients in C++: what that page
# says is enough. python_peer_session_test.py has how its sessions live, python_peer_door_test.py what a door refuses,
# schemas_test.py what odd nodes mean for the command line. Run as: python_peer_test.py BIN_FOLDER [TEST...]
import asyncio
import json
import os
import stat
import sys
import time
import unittest

import echo_pb2
import greeter_pb2
import primes_pb2
import processes
import text_pb2
from cli_cluster import start
from cobus.v1 import directory_pb2
from cobus.v1.envelope_pb2 import ITEM
from python_peer import Code, CobusError
from python_peer.wire import FEATURES, packed
from python_peer_cluster import Numbers, PeerTest

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

    def test_it_renews_and_leaves_for_itself_whatever_it_says(self):
        node = self.node()
        other = next(record for record in node.records().values() if record.name == "alpha")

        async def ask():
            broker, own = node.memberships[0], node.id
            for_another = directory_pb2.RenewRequest(node=other.node, incarnation=other.incarnation)
            known = [(await broker._call("Renew", for_another, directory_pb2.RenewReply)).known]
            await broker._call("Leave", directory_pb2.LeaveRequest(node=other.node), directory_pb2.LeaveReply)
            for_itself = directory_pb2.RenewRequest(node=own, incarnation=node.greeter.incarnation)
            return [*known, (await broker._call("Renew", for_itself, directory_pb2.RenewReply)).known]
        self.assertEqual(self.run_in_loop(ask()), [False, False])
        self.assertEqual(self.states()["alpha"], "up")

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

    def test_one_that_sends_without_credit_is_cut_off(self):
        class Flood(Numbers):
            async def Count(self, request, call):
                try:
                    for _ in range(request.to):
                        call.answer(ITEM, **packed(greeter_pb2.Number(value=1)))
                    await asyncio.Event().wait()
                    yield
                finally:
                    self.stopped.set()

        flood = Flood()
        self.node(offer=lambda: flood)
        other = self.node("reader")
        self.wait_for_record(other, "py")
        err = self.cobus("call", "python.Greeter/Count", '{"to":5000}', "--node", "py", code=75)[1]
        self.assertIn("RESOURCE_EXHAUSTED", err)
        self.wait_until(flood.stopped.is_set, "the handler to be stopped by the client in C++")
        flood.stopped.clear()
        with self.assertRaises(CobusError) as raised:
            self.run_in_loop(self._read_all(other))
        self.assertEqual(raised.exception.code, Code.RESOURCE_EXHAUSTED)
        self.wait_until(flood.stopped.is_set, "the handler to be stopped by the one in Python")

    @staticmethod
    async def _read_all(node):
        request = greeter_pb2.CountRequest(to=5000)
        with await node.stream("python.Greeter/Count", request, greeter_pb2.Number, at="py") as numbers:
            return [number async for number in numbers]

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

    def test_items_leave_out_what_the_one_before_says_for_who_can_read_that(self):
        received = {}
        for name, features in (("brief", FEATURES), ("lengthy", 0)):
            node = self.node(name)
            node.greeter.features = features

            async def grep(node=node, name=name):
                session = (await node.connect("alpha")).session
                take = session.take

                def count(frame, size):
                    received[name] = received.get(name, 0) + size
                    return take(frame, size)
                session.take = count
                request = text_pb2.GrepRequest(text="line\n" * 2000, pattern="line")
                with await node.stream("text.Text/Grep", request, text_pb2.Line, at="alpha") as lines:
                    return [line.number async for line in lines]
            self.assertEqual(self.run_in_loop(grep()), list(range(1, 2001)))
        self.assertLess(received["brief"] + 20 * 2000, received["lengthy"])

    def test_it_hears_the_errors_of_one(self):
        node = self.node()
        for method, code, details in (("echo.Echo/Nothing", Code.UNIMPLEMENTED, {"started": "no"}),
                                      ("echo.Echo/Collect", Code.INVALID_ARGUMENT, {}),
                                      ("text.Text/WordCount", Code.INVALID_ARGUMENT, {})):
            with self.assertRaises(CobusError) as raised:
                self.run_in_loop(node.call(method, echo_pb2.EchoRequest(), echo_pb2.EchoReply, at="alpha"))
            self.assertEqual((raised.exception.code, raised.exception.details), (code, details))

    def test_its_deadline_ends_a_call_and_the_handler(self):
        node = self.node()
        request = primes_pb2.CountRequest(to=400_000_000_000)
        with self.assertRaises(CobusError) as raised:
            self.run_in_loop(node.call("math.Primes/Count", request, primes_pb2.CountReply, timeout=0.3))
        self.assertEqual(raised.exception.code, Code.DEADLINE_EXCEEDED)
        self.wait_until(lambda: "math.Primes" not in self.cobus("ps", "--node", "alpha", "--window", "0")[0],
                        "the handler to be stopped")

    def test_payloads_of_the_largest_size_go_both_ways(self):
        node = self.node()
        sizes = (1, 50_000, 1_032_000, 60_000, 1_032_000, 1)  # small ones share a frame, and large ones have their own

        async def ask():
            return [len(reply.text) for reply in await asyncio.gather(*(
                node.call("echo.Echo/Echo", echo_pb2.EchoRequest(text="x" * size), echo_pb2.EchoReply) for size in sizes))]
        self.assertEqual(self.run_in_loop(ask()), list(sizes))
        with self.assertRaises(CobusError) as raised:
            self.run_in_loop(node.call("echo.Echo/Echo", echo_pb2.EchoRequest(text="x" * 1_040_000), echo_pb2.EchoReply))
        self.assertEqual(raised.exception.code, Code.OUT_OF_RANGE)


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


class WatchedByCpp(PeerTest):
    """pipeline.so supervises stages that it has made on whatever node offers them: here one in Python, too."""
    NODES = ()

    def setUp(self):
        super().setUp()
        self.made = []
        module = os.path.join(processes.BIN, "pipeline.so")
        if not os.path.exists(module):
            self.skipTest("this build has no pipeline.so")
        self.cluster.start_node("supervising", "--service", module)
        self.addCleanup(self.cluster.kill, "supervising")

    def stage_made(self):
        """A call whose pipeline has, or had, a stage in Python: each has one by chance, so some may be over before."""
        while True:
            call = start(self, self.command("call", "pipeline.Pipeline/SumOfSquares", '{"to":9}', "-o", "json"))
            self.wait_until(lambda: self.made or call.poll() is not None, "a stage")
            if self.made:
                return call

    def test_a_supervisor_in_cpp_hears_that_a_worker_in_python_has_ended(self):
        async def stage(worker, _):
            self.made.append(worker)
            if len(self.made) == 1:
                raise RuntimeError("this stage breaks")
            await worker.receive()
        node = self.node(kinds={"pipeline.Stage": stage})
        call = self.stage_made()
        self.wait_until(lambda: len(self.made) > 1 or call.poll() is not None, "the pipeline to begin anew")
        self.stop(node)  # so it can only be done by the other
        out, err = call.communicate(timeout=60)
        self.assertEqual(call.returncode, 0, err)
        reply = json.loads(out)
        self.assertEqual((int(reply["sum"]), reply["nodes"]), (285, ["supervising"] * 3))
        self.assertGreaterEqual(reply["starts"], 2)

    def test_one_in_cpp_ends_a_worker_in_python(self):
        ended = []

        async def stage(worker, _):
            self.made.append(worker)
            try:
                while True:
                    await worker.receive()  # numbers come, too
            finally:
                ended.append(worker)
        self.node(kinds={"pipeline.Stage": stage})
        self.stage_made().terminate()
        self.wait_until(lambda: self.made[0] in ended, "the stage to end with its supervisor")
        self.assertEqual(self.made[0].reason.code, Code.CANCELLED)


if __name__ == "__main__":
    processes.BIN = sys.argv.pop(1)
    unittest.main(verbosity=2)
