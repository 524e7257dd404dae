# SPDX-License-Identifier: Apache-2.0
#
# The last example of the tutorial on three nodes: a pipeline whose stages are workers of a module's kind, one of
# whose nodes is killed in the middle. Run as: pipeline_test.py BIN_FOLDER [TEST...]
import json
import os
import signal
import subprocess
import sys
import unittest

import processes
from cli_cluster import start
from processes import ClusterTest

METHOD = "pipeline.Pipeline/SumOfSquares"


def sum_of_squares(to):
    return to * (to + 1) * (2 * to + 1) // 6


class Pipeline(ClusterTest):
    def start_node(self, name, *flags):
        return super().start_node(name, "--service", os.path.join(processes.BIN, "pipeline.so"), *flags)

    def stages_at(self, node):
        return [worker for worker in self.lines("ps", "--node", node, "--window", "0", "-o", "jsonl")
                if worker["kind"] == "pipeline.Stage"]

    def test_its_stages_are_on_all_nodes(self):
        reply = self.json("call", METHOD, '{"to":100}', "--node", "alpha", "-o", "json")
        self.assertEqual(int(reply["sum"]), sum_of_squares(100))
        self.assertEqual(reply["starts"], 1)
        self.assertEqual(sorted(reply["nodes"]), sorted(self.NODES))
        self.wait_until(lambda: not any(self.stages_at(node) for node in self.NODES), "the stages to end")

    def test_w6_it_begins_anew_elsewhere_when_a_node_is_killed(self):
        call = subprocess.Popen(self.command("call", METHOD, '{"to":300,"pause_ms":10}', "--node", "alpha", "-o", "json"),
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(call.kill)
        self.wait_until(lambda: self.stages_at("beta"), "a stage at beta")
        self.kill("beta")
        out, err = call.communicate(timeout=60)
        self.assertEqual(call.returncode, 0, err)
        reply = json.loads(out)
        self.assertEqual(int(reply["sum"]), sum_of_squares(300))
        self.assertGreaterEqual(reply["starts"], 2)
        self.assertNotIn("beta", reply["nodes"])

    def test_the_end_of_the_caller_ends_every_stage(self):
        call = subprocess.Popen(self.command("call", METHOD, '{"to":100000,"pause_ms":10}', "--node", "alpha"),
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.wait_until(lambda: all(self.stages_at(node) for node in self.NODES), "the stages")
        call.kill()
        call.wait()
        self.wait_until(lambda: not any(self.stages_at(node) for node in self.NODES), "the stages to end")

    def test_who_may_not_run_a_node_makes_no_workers(self):
        join = "@" + os.path.join(self.state, "join", "submit")
        err = self.cobus("call", "cobus.v1.Workers/Spawn", '{"kind":"pipeline.Stage"}', "--join", join,
                         state=os.path.join(self.state, "as-submit"), code=77)[1]
        self.assertIn("PERMISSION_DENIED", err)


class Up(ClusterTest):
    NODES = ()

    def test_each_node_of_up_loads_the_module(self):
        state = os.path.join(self.state, "up")
        module = os.path.join(processes.BIN, "pipeline.so")
        up = start(self, self.command("up", "--nodes", "2", "--listen", "tcp://127.0.0.1:0", "--service", module, state=state),
                   start_new_session=True)
        self.assertTrue(any("Ctrl-C" in line for line in iter(up.stderr.readline, "")), "it ended")
        services = {service["name"]: service for service in self.lines("services", "-o", "jsonl", state=state)}
        self.assertEqual(services["pipeline.Pipeline"]["nodes"], ["n1", "n2"])
        up.send_signal(signal.SIGINT)
        self.assertEqual(up.wait(timeout=30), 0)


if __name__ == "__main__":
    processes.BIN = sys.argv.pop(1)
    unittest.main()
