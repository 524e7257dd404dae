# SPDX-License-Identifier: Apache-2.0
#
# One odd node does not spoil the command line for all: nodes in Python that do not tell what they offer, offer another
# version under the same name, or another service with the same short name and file name. Run as:
# schemas_test.py BIN_FOLDER [TEST...]
import asyncio
import json
import os
import sys
import time
import unittest

import processes
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from python_peer import Node
from python_peer_cluster import PeerTest

STRING = descriptor_pb2.FieldDescriptorProto.TYPE_STRING
OPTIONAL = descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL


def service_of(package, field, file="api.proto"):
    """package.Api with one method, Get, whose request and reply have this one field; in a file of that name."""
    proto = descriptor_pb2.FileDescriptorProto(name=file, package=package, syntax="proto3")
    message = proto.message_type.add(name="Message")
    message.field.add(name=field, number=1, type=STRING, label=OPTIONAL, json_name=field)
    service = proto.service.add(name="Api")
    service.method.add(name="Get", input_type=f".{package}.Message", output_type=f".{package}.Message")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(proto)
    return pool.FindServiceByName(f"{package}.Api")


class Api:
    """Answers a request with itself, behind the name of its node."""

    def __init__(self, name, service):
        self.name = name
        self.reply = message_factory.MessageFactory(service.file.pool).GetPrototype(service.methods[0].output_type)
        self.field = service.methods[0].output_type.fields[0].name

    async def Get(self, request, _):
        return self.reply(**{self.field: f"{self.name}: {getattr(request, self.field)}"})


async def silent(*_):
    await asyncio.Event().wait()


class OddNodes(PeerTest):
    def api(self, name, service, tells=True):
        """A node that offers it, and tells so if it is asked, or does not answer."""
        node = self.run_in_loop(self._start_api(name, service, tells))
        self.running.add(node)
        self.addCleanup(self.stop, node)
        self.wait_until(lambda: name in self.cluster.names_up(), f"{name} to be up")
        return node

    async def _start_api(self, name, service, tells):
        node = Node(name, self.join_string(), self.folder())
        if not tells:
            fetch = node._services._methods["cobus.v1.Schemas/Fetch"]
            fetch.function = silent
        node.offer(service, Api(name, service))
        try:
            await node.start("tcp://127.0.0.1:*")
        except BaseException:
            await node.stop()
            raise
        return node

    def get(self, method, request, *flags, seconds=4):
        begin = time.monotonic()
        reply = self.json("call", method, json.dumps(request), "-o", "json", *flags)
        self.assertLess(time.monotonic() - begin, seconds)
        return reply

    def test_one_that_does_not_tell_what_it_offers_is_called_by_what_the_others_tell(self):
        service = service_of("first", "text")
        self.api("open", service)
        self.api("mute", service, tells=False)
        for name in ("open", "mute"):
            self.assertEqual(self.get("first.Api/Get", {"text": "x"}, "--node", name), {"text": f"{name}: x"})
        answered = {self.get("first.Api/Get", {"text": "x"})["text"] for _ in range(12)}
        self.assertEqual(answered, {"open: x", "mute: x"})
        self.assertIn("rpc Get", self.cobus("describe", "first.Api")[0])
        self.assertEqual(self.get("Echo", {"text": "x"})["text"], "x", "other services are not concerned")

    def test_one_whose_version_nobody_tells_costs_a_second_and_others_are_called(self):
        self.api("open", service_of("second", "text"))
        self.api("mute", service_of("second", "other"), tells=False)
        answered = {self.get("second.Api/Get", {"text": "x"})["text"] for _ in range(8)}
        self.assertEqual(answered, {"open: x"})
        self.fails(1, "call", "second.Api/Get", "{}", "--node", "mute", says="node mute does not tell what it offers")
        begin = time.monotonic()
        self.assertIn("string text = 1", self.cobus("describe", "second.Api")[0])
        self.assertLess(time.monotonic() - begin, 4)

    def test_each_node_is_called_by_its_own_version(self):
        self.api("old", service_of("third", "text"))
        self.api("new", service_of("third", "words"))
        self.assertEqual(self.get("Api/Get", {"text": "x"}, "--node", "old"), {"text": "old: x"})
        self.assertEqual(self.get("Api/Get", {"words": "x"}, "--node", "new"), {"words": "new: x"})
        for _ in range(6):  # whoever is chosen first
            self.assertEqual(self.get("Api/Get", {"text": "x"}), {"text": "old: x"})
            self.assertEqual(self.get("Api/Get", {"words": "x"}), {"words": "new: x"})
        self.fails(2, "call", "Api/Get", '{"neither":"x"}', says=["node ", "neither"])
        services = {service["name"]: service for service in self.lines("services", "-o", "jsonl")}
        self.assertEqual(sorted(version["nodes"] for version in services["third.Api"]["versions"]), [["new"], ["old"]])
        self.assertEqual(len(services["echo.Echo"]["versions"]), 1)
        table = self.cobus("services", "-o", "wide")[0]
        self.assertRegex(table, r"third\.Api +Get +2 +2 +\w{8}: (old|new); \w{8}: (old|new)")
        out, err = self.cobus("describe", "third.Api")
        self.assertIn("rpc Get", out)
        self.assertIn("service third.Api is not the same everywhere", err, "its messages are not")
        self.assertIn("message third.Message is not the same everywhere", self.cobus("describe", "third.Message")[1])

    def test_short_names_that_fit_several_are_refused_with_the_list(self):
        self.api("a", service_of("teama", "text"))
        self.api("b", service_of("teamb", "words"))
        for verb in ("call", "submit", "template", "map"):
            self.fails(2, verb, "Api/Get", *(("-",) if verb == "map" else ()), stdin="" if verb == "map" else None,
                       says=["fits several methods: teama.Api/Get, teamb.Api/Get", "in full"])
        self.fails(2, "describe", "Api", says="teama.Api, teamb.Api")
        self.assertEqual(self.get("teama.Api/Get", {"text": "x"}), {"text": "a: x"})
        self.assertEqual(self.get("teamb.Api/Get", {"words": "x"}), {"words": "b: x"})
        self.assertIn("string words = 1", self.cobus("describe", "teamb.Api")[0])
        self.assertIn("string text = 1", self.cobus("describe", "teama.Message")[0])
        self.assertEqual(json.loads(self.cobus("template", "teamb.Api/Get")[0]), {"words": ""})

    def test_a_job_of_a_method_whose_only_node_went_down_waits_for_it(self):
        service = service_of("alone", "text")
        node = self.api("only", service)
        self.assertEqual(self.get("alone.Api/Get", {"text": "x"}), {"text": "only: x"})
        self.stop(node)
        self.wait_until(lambda: "only" not in self.cluster.names_up(), "it to be gone")
        self.fails(4, "submit", "alone.Api/Get", "--require-worker", says=["no node that is up offers alone.Api/Get", "only"])
        out, err = self.cobus("submit", "Api/Get", '{"text":"y"}')
        self.assertIn("node only, which does, is down or away; the job waits for one", err)
        job = self.json("job", out.strip())
        self.assertEqual(job["state"], "ready")
        self.assertIn("no node offers alone.Api", job["wait_reason"])
        self.fails(1, "submit", "alone.Api/Get", "--join", "@" + os.path.join(self.state, "join", "submit"),
                   state=os.path.join(self.state, "elsewhere"), says="its schema is not known here")
        self.api("again", service)
        self.assertEqual(self.json("wait", out.strip()), {"text": "again: y"})


if __name__ == "__main__":
    processes.BIN = sys.argv.pop(1)
    unittest.main(verbosity=2)
