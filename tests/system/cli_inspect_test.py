# SPDX-License-Identifier: Apache-2.0
#
# ps, worker and tree on real processes: what they show of workers that run, and how they refuse.
# Run as: cli_inspect_test.py BIN_FOLDER [TEST...]
import json
import os
import subprocess
import sys
import time
import unittest

import processes
from cli_cluster import LONG, SharedCluster, in_terminal

COUNT = "math.Primes/Count"


class Inspect(SharedCluster):
    NODES = ("alpha", "beta")

    def setUp(self):
        super().setUp()
        self.addCleanup(self.wait_until, lambda: not self.counting(), "the calls to have ended")

    def counting(self):
        return [row for row in self.lines("ps", "--window", "0", "--limit", "1000") if row["kind"] == COUNT]

    def count_at(self, node):
        """Starts a call that goes on until the test ends; gives the row of its handler."""
        before = {row["address"] for row in self.counting()}
        self.start("call", COUNT, LONG, "--node", node, "--timeout", "60s")
        new = lambda: [row for row in self.counting() if row["address"] not in before]
        self.wait_until(new, "the call to run")
        return new()[0]

    def test_ps_lists_the_workers_of_all_nodes_and_says_when_it_cuts(self):
        rows = self.lines("ps")
        self.assertEqual({row["node"] for row in rows}, set(self.NODES))
        self.assertEqual(list(rows[0]), ["address", "node", "kind", "name", "state", "mailbox_messages", "mailbox_bytes", "messages",
                                         "messages_per_second", "cpu", "cpu_us", "memory_bytes"])
        self.assertRegex(rows[0]["address"], r"^(alpha|beta)/\d+\.\d+\.\d+$")
        self.assertGreater(rows[0]["memory_bytes"], 100)
        self.assertNotIn("cobus.inspect", {row["kind"] for row in rows}, "who looks is left out")
        out, err = self.cobus("ps", "--limit", "1", "-o", "id")
        self.assertEqual(len(out.splitlines()), 1)
        self.assertRegex(err, r"^1 of \d+ workers; for more: --limit N\n$")
        self.assertEqual({row["node"] for row in self.json("ps", "--node", "beta", "-o", "json")}, {"beta"})

    def test_ps_without_a_window_answers_at_once_and_tells_no_rates(self):
        begun = time.monotonic()
        rows = self.lines("ps", "--window", "0", "--sort", "cpu")
        self.assertLess(time.monotonic() - begun, 5)
        self.assertTrue(all(row["cpu"] is None and row["messages_per_second"] is None for row in rows))
        self.assertEqual(rows, sorted(rows, key=lambda row: -row["cpu_us"]))

    def test_ps_is_a_table_on_a_terminal(self):
        code, shown = in_terminal(self.command("ps", "--window", "100ms"), columns=120)
        self.assertEqual(code, 0, shown)
        self.assertRegex(shown, r"ADDRESS +KIND +NAME +STATE +MAILBOX +MESSAGES +MSG/S +CPU +MEMORY")
        self.assertIn("NODE", self.cobus("ps", "-o", "wide")[0].splitlines()[0])

    def test_worker_shows_the_call_it_handles_and_where_it_stands(self):
        row = self.count_at("alpha")
        worker = self.json("worker", row["address"])
        self.assertEqual((worker["address"], worker["kind"]), (row["address"], COUNT))
        self.assertEqual(worker["handles"]["method"], COUNT)
        self.assertTrue(0 < worker["handles"]["time_left_us"] <= 60_000_000, worker["handles"])
        self.assertEqual((worker["mailbox_messages_max"], worker["overflow"]), (10000, "reject"))
        files = [await_["file"] for await_ in worker["awaits"]]
        self.assertEqual(files[0], "node/worker/service.hpp")
        self.assertIn("node/services/primes.cpp", files)
        watch = next(row for row in self.lines("ps", "--window", "0") if row["kind"] == "cobus.watch")
        files += [await_["file"] for await_ in self.json("worker", watch["address"])["awaits"]]
        self.assertFalse([file for file in files if not file.startswith("node/")], "from the root of the source")
        self.assertEqual(worker["awaits"][-1]["waits_for"], "the pool for blocking code")
        time.sleep(0.3)
        self.assertGreater(self.json("worker", row["address"])["awaits"][0]["age_us"], worker["awaits"][0]["age_us"])
        table = self.cobus("worker", row["address"], "-o", "table")[0]
        self.assertRegex(table, r"handles +math.Primes/Count for .*, time left \d+")
        self.assertRegex(table, r"AGE +STANDS AT +IN +WAITS FOR\n")

    def test_a_stream_has_no_limit_of_time_unless_one_is_given(self):
        def handles(*flags):
            """What is known of the call that a stream is, with these flags."""
            chat = self.start("call", "Chat", "-", *flags, "--node", "beta", stdin=subprocess.PIPE)
            running = lambda: [row for row in self.lines("ps", "--window", "0", "--limit", "1000", "--node", "beta")
                               if row["kind"] == "echo.Echo/Chat"]
            self.wait_until(running, "the call to run")
            call = self.json("worker", running()[0]["address"])["handles"]
            chat.communicate("", timeout=20)
            self.assertEqual(chat.returncode, 0)
            self.wait_until(lambda: not running(), "the call to end")
            return call
        for flags in ((), ("--timeout", "0"), ("--timeout", "none")):
            self.assertIsNone(handles(*flags)["time_left_us"])
        self.assertGreater(handles("--timeout", "50s")["time_left_us"], 0)
        self.assertEqual(self.json("call", "Echo", "--timeout", "none")["text"], "")

    def test_a_worker_that_has_ended_is_said_to_have_ended(self):
        address = self.count_at("beta")["address"]
        self.doCleanups()
        self.fails(2, "worker", address, says=[f"worker {address} has ended", "cobus ps --node beta"])
        self.fails(2, "worker", "beta/0.70000.1", says="there never was a worker beta/0.70000.1")
        self.fails(2, "worker", "beta/nobody", says="no worker of beta is registered as 'nobody'")

    def test_tree_is_drawn_and_nested(self):
        for _ in range(7):
            self.count_at("alpha")
        drawn = self.cobus("tree", "--node", "alpha", "-o", "table")[0]
        self.assertRegex(drawn, r"^alpha  \d+ workers\n")
        self.assertIn(f"7 × {COUNT}\n", drawn)
        trees = self.json("tree", "-o", "json")
        self.assertEqual([tree["node"] for tree in trees], list(self.NODES))
        handlers = [child for child in trees[0]["children"] if child["kind"] == COUNT]
        self.assertEqual([(child["count"], child["address"], child["children"]) for child in handlers], [(7, None, [])])
        self.assertIn("cobus.dispatcher", [child["kind"] for child in trees[1]["children"]])
        self.assertRegex(self.cobus("tree", "-o", "id")[0].splitlines()[0], r"^alpha/\d")

    def test_what_is_wrong_is_said_with_the_next_step(self):
        self.fails(2, "ps", "--node", "alpa", says="did you mean alpha?")
        self.fails(2, "tree", "--node", "alpa", says="did you mean alpha?")
        self.fails(2, "worker", "alpa/1.2.3", says="did you mean alpha?")
        for address in ("alpha", "alpha/", "/1.2.3", "alpha/1.2", "1.2.3", "garbage", "0", "-1", "///", "\x1b[31m"):
            self.fails(2, "worker", address, says="for example alpha/1.8.3")
        self.fails(2, "worker", says="ADDRESS")
        self.fails(2, "ps", "--sort", "size", says="mailbox")
        self.fails(2, "ps", "--limit", "0", says="--limit")
        self.fails(2, "ps", "--window", "2m", says="at most 1m")

    def test_a_node_is_named_as_everywhere_and_one_that_is_down_is_called_so(self):
        alpha = next(node["id"] for node in self.lines("nodes", "-o", "jsonl") if node["name"] == "alpha")
        self.assertEqual({row["node"] for row in self.lines("ps", "--node", alpha[:10], "--window", "0")}, {"alpha"})
        self.fails(2, "ps", "--node", "", says="there is no node ''")
        self.assertNotIn("\x1b", self.cobus("worker", "alpha\x1b[31m", code=2)[1])
        self.cluster.start_node("delta")
        self.cluster.kill("delta")
        self.wait_until(lambda: "delta" not in self.cluster.names_up(), "delta to be gone")
        for verb in (("ps", "--node", "delta"), ("tree", "--node", "delta"), ("worker", "delta/0.0.1")):
            self.fails(1, *verb, says="node delta is down")

    def test_the_work_of_users_stands_above_what_nodes_do_for_themselves(self):
        call = self.count_at("beta")
        first = self.lines("ps", "--window", "0", "--limit", "1")[0]
        self.assertEqual(first["address"], call["address"])

    def test_only_who_may_observe_sees_inside(self):
        for role, code in (("submit", 77), ("observe", 0)):
            join = "@" + os.path.join(self.state, "join", role)
            state = os.path.join(self.state, "as-" + role)
            for verb in (("ps", "--window", "0"), ("worker", "alpha/cobus"), ("tree",)):
                wanted = 2 if code == 0 and verb[0] == "worker" else code
                err = self.cobus(*verb, "--join", join, state=state, code=wanted)[1]
                if code:
                    self.assertIn("PERMISSION_DENIED", err)

    def test_a_tap_does_not_see_it(self):
        tap = self.start("tap", "--count", "1", "--for", "20s", "-o", "jsonl")
        self.assertIn("tapping", tap.stderr.readline())
        self.cobus("ps", "--window", "0")
        self.cobus("tree")
        self.cobus("call", "Echo")
        self.assertEqual(json.loads(tap.stdout.readline())["method"], "echo.Echo/Echo")

    def test_dead_letters_stand_by_reason_in_node(self):
        # The handler is asked to stop, and what it says then comes too late for whoever asked it.
        self.cobus("submit", COUNT, LONG, "--attempt-timeout", "200ms", "--attempts", "1", "--wait", code=1)
        late = lambda: [node for node in self.lines("nodes") if node["load"]["dead_letters"].get("late")]
        self.wait_until(late, "a late answer")
        self.assertRegex(self.cobus("node", late()[0]["name"], "-o", "table")[0], r"dead letters +\d+ \(.*\d+ late")


if __name__ == "__main__":
    processes.BIN = sys.argv.pop(1)
    unittest.main(verbosity=2)
