# SPDX-License-Identifier: Apache-2.0
#
# cobus tap on real processes: what it shows of which message, what it hides, and how.
# Run as: cli_tap_test.py BIN_FOLDER [TEST...]
import json
import signal
import subprocess
import sys
import unittest

import processes
from cli_cluster import SharedCluster, start


class Tap(SharedCluster):
    def tap(self, *flags):
        """A tap that sees already."""
        tap = self.start("tap", *flags)
        self.assertIn("tapping 3 nodes", tap.stderr.readline())
        return tap

    def jobs_elsewhere(self, *submission):
        """Submits until one ran on another node than its home."""
        for _ in range(50):
            job = json.loads(subprocess.run(self.command("submit", *submission, "--wait", "-o", "json"), capture_output=True,
                                            timeout=60, check=False).stdout)
            if job["node"] != job["home"]:
                return job
        self.fail("no job left its home")

    def records(self, tap):
        out = tap.communicate(timeout=60)[0]
        self.assertEqual(tap.returncode, 0)
        return [record for record in map(json.loads, out.splitlines()) if "dropped" not in record]

    def test_counts_filters_and_decodes(self):
        tap = self.tap("echo.Echo/Echo", "--count", "2", "--body", "-o", "jsonl")
        self.cobus("call", "Count", '{"from":0,"to":10}')
        self.cobus("call", "Echo", '{"text":"seen"}')
        request, reply = self.records(tap)
        self.assertEqual((request["kind"], request["type"], request["body"]["text"]), ("request", "echo.EchoRequest", "seen"))
        self.assertEqual((reply["kind"], reply["status"], reply["body"]["text"]), ("reply", "OK", "seen"))
        self.assertGreater(reply["latency_us"], 0)
        self.assertEqual(request["to"].split("/")[0], reply["from"].split("/")[0])

    def test_errors_only_and_an_end_after_a_time(self):
        tap = self.tap("--errors-only", "--for", "3s", "-o", "jsonl")
        self.cobus("call", "Count", '{"from":2,"to":1}', code=1)
        self.cobus("call", "Echo")
        records = self.records(tap)
        self.assertEqual([record["status"] for record in records], ["INVALID_ARGUMENT"])
        self.assertNotIn("body", records[0])

    def test_what_is_above_the_rate_is_counted(self):
        tap = self.start("tap", "Echo", "--rate", "2/s", "--for", "3s", "-o", "jsonl")
        self.assertIn("tapping 3 nodes", tap.stderr.readline())
        self.cobus("map", "Echo", "-", "--no-ledger", stdin='{"text":"a"}\n' * 300)
        out = [json.loads(line) for line in tap.communicate(timeout=60)[0].splitlines()]
        self.assertGreater(sum(line.get("dropped", 0) for line in out), 300)

    def test_an_answer_from_another_node_has_method_and_latency(self):
        tap = self.tap("Count", "--slow", "1us", "--for", "4s", "--body", "-o", "jsonl")
        job = self.jobs_elsewhere("Count", '{"from":0,"to":1000000}')
        records = self.records(tap)
        self.assertEqual({record["kind"] for record in records}, {"reply"})
        remote = [r for r in records if (r["from"].split("/")[0], r["to"].split("/")[0]) == (job["node"], job["home"])]
        self.assertEqual([(r["method"], r["body"]) for r in remote], [("math.Primes/Count", {"count": "78498"})])
        self.assertGreater(remote[0]["latency_us"], 0)

    def test_a_request_between_nodes_is_shown_once(self):
        tap = self.tap("Echo", "--for", "4s", "-o", "jsonl")
        self.jobs_elsewhere("Echo")
        records = self.records(tap)
        kinds = [record["kind"] for record in records if not record["method"].startswith("cobus.v1.")]
        self.assertEqual(kinds.count("request"), kinds.count("reply"), records)

    def test_an_error_of_another_node_has_its_method(self):
        tap = self.tap("Count", "--errors-only", "--for", "4s", "-o", "jsonl")
        self.jobs_elsewhere("Count", '{"from":2,"to":1}')
        self.assertEqual({record["method"] for record in self.records(tap)}, {"math.Primes/Count"})

    def test_the_request_and_the_result_of_a_job_are_decoded(self):
        tap = self.tap("cobus.v1.Jobs", "--for", "4s", "--body", "-o", "jsonl")
        self.cobus("submit", "Echo", '{"text":"inside"}', "--wait")
        records = self.records(tap)
        request = next(record for record in records if record["type"] == "cobus.v1.SubmitRequest")
        self.assertEqual(request["body"]["payload"]["text"], "inside")
        events = [r["body"]["job"] for r in records if r["type"] == "cobus.v1.JobEvent" and r["body"]["job"]["state"] == "SUCCEEDED"]
        self.assertEqual([event["result"]["text"] for event in events], ["inside"])

    def test_a_place_is_a_whole_name_and_an_unknown_one_is_named(self):
        for flag in ("--from", "--to"):
            tap = self.start("tap", flag, "alph", "--for", "1s")
            self.assertIn("there is no node 'alph'; did you mean alpha?", tap.stderr.readline())
            self.cobus("call", "Echo", "--node", "alpha")
            self.assertEqual(tap.communicate(timeout=30)[0], "")
        tap = self.tap("Echo", "--to", "alpha", "--for", "1s")
        self.cobus("call", "Echo", "--node", "alpha")
        self.cobus("call", "Echo", "--node", "beta")
        self.assertEqual([record["to"].split("/")[0] for record in self.records(tap)], ["alpha"])

    def test_what_is_dropped_is_summed_and_a_rate_below_one_refused(self):
        tap = self.tap("Echo", "--rate", "1/s", "--for", "3s")
        self.cobus("map", "Echo", "-", "--no-ledger", stdin='{"text":"a"}\n' * 500)
        out = [json.loads(line) for line in tap.communicate(timeout=60)[0].splitlines()]
        self.assertLessEqual(len([line for line in out if "dropped" in line]), 4)
        self.fails(2, "tap", "--rate", "5/m", says="1/s or more")

    def test_people_see_a_table(self):
        tap = self.tap("Echo", "--count", "1", "-o", "table")
        self.cobus("call", "Echo")
        titles, line = tap.communicate(timeout=60)[0].splitlines()
        self.assertRegex(titles, "^TIME +KIND +FROM +TO +METHOD +SIZE +LATENCY +STATUS$")
        self.assertEqual(line.index("echo.Echo/Echo"), titles.index("METHOD"))

    def test_ends_with_ctrl_c(self):
        tap = self.tap()
        tap.send_signal(signal.SIGINT)
        self.assertEqual(tap.wait(timeout=20), 130)


class TapOfNewcomers(processes.ClusterTest):
    NODES = ("alpha",)

    def test_a_node_that_joins_later_is_tapped_too(self):
        tap = start(self, self.command("tap", "--to", "delta", "--count", "1", "-o", "jsonl"))
        self.assertIn("--to: there is no node 'delta'", tap.stderr.readline())
        self.assertIn("tapping 1 node;", tap.stderr.readline())
        self.start_node("delta")
        while tap.poll() is None:
            self.cobus("call", "Echo", "--node", "delta")
        self.assertTrue(json.loads(tap.communicate()[0])["to"].startswith("delta"))


if __name__ == "__main__":
    processes.BIN = sys.argv.pop(1)
    unittest.main(verbosity=2)
