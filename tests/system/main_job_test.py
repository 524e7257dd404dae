# SPDX-License-Identifier: Apache-2.0
#
# The main job on real processes: files are mapped over all nodes, jobs survive what they should survive, traffic
# can be watched, strangers stay out. Run as: main_job_test.py BIN_FOLDER
import glob
import json
import os
import signal
import subprocess
import sys
import tempfile
import unittest

import processes
from processes import ClusterTest

LICENSES = sorted(glob.glob("/usr/share/common-licenses/*"))


class MainJob(ClusterTest):
    def test_map_over_files_equals_wc_file_by_file(self):
        got = self.lines("map", "text.Text/WordCount", "--files", "text", *LICENSES, "--keep-order", "-o", "jsonl")
        self.assertEqual([line["input"] for line in got], LICENSES)
        for line in got:
            counts = subprocess.run(["wc", line["input"]], env={"LC_ALL": "C"}, capture_output=True, text=True, check=True)
            result = line["result"]
            self.assertEqual([result["lines"], result["words"], result["bytes"]], counts.stdout.split()[:3], line["input"])
        self.assertEqual({line["node"] for line in got}, set(self.NODES), "every node took part")

    def test_fifty_ranges_of_primes_add_up_and_every_node_takes_part(self):
        ranges = "".join(json.dumps({"from": i * 1_000_000, "to": (i + 1) * 1_000_000}) + "\n" for i in range(50))
        got = self.lines("map", "math.Primes/Count", "-", "-o", "jsonl", stdin=ranges)
        self.assertEqual(sum(int(line["result"]["count"]) for line in got), 3001134)
        self.assertEqual({line["node"] for line in got}, set(self.NODES))
        job = self.json("submit", "math.Primes/Count", '{"from":0,"to":50000000}', "--wait", "-o", "json")
        self.assertEqual((job["state"], job["result"]), ("succeeded", {"count": "3001134"}))

    def test_a_node_killed_in_the_middle_of_a_map_costs_no_result(self):
        requests = "".join(json.dumps({"from": 0, "to": 3_000_000 + i}) + "\n" for i in range(200))
        with tempfile.TemporaryFile("w+") as output:  # a pipe read in two ways would lose what one has buffered
            mapping = subprocess.Popen(self.command("map", "math.Primes/Count", "-", "-j", "16", "-o", "jsonl"),
                                       stdin=subprocess.PIPE, stdout=output, text=True)
            mapping.stdin.write(requests)
            mapping.stdin.close()
            self.wait_until(lambda: os.fstat(output.fileno()).st_size > 2000, "the first results")
            self.kill("beta")
            self.assertEqual(mapping.wait(timeout=110), 0)
            output.seek(0)
            got = [json.loads(line) for line in output]
        self.assertEqual(sorted(line["seq"] for line in got), list(range(1, 201)))
        self.assertTrue(all(int(line["result"]["count"]) >= 216816 for line in got))

    def test_a_job_survives_its_home_and_runs_elsewhere_when_its_node_dies(self):
        job = self.json("submit", "math.Primes/Count", '{"from":0,"to":400000000000}', "-o", "json")
        shown = lambda: self.json("job", job["id"], "-o", "json")
        self.wait_until(lambda: shown()["state"] == "running", "the job to run")
        first = shown()
        if first["node"] != first["home"]:
            self.kill(first["node"])
            self.wait_until(lambda: shown()["state"] == "running" and shown()["node"] != first["node"],
                            "another node to run it")
            self.assertEqual(shown()["attempt"], 2)
            self.start_node(first["node"])
        self.kill(first["home"])
        self.cobus("result", job["id"][:20], code=1)
        self.start_node(first["home"])
        self.wait_until(lambda: shown()["state"] == "running", "the job to run again")
        self.assertGreater(shown()["attempt"], first["attempt"])

    def test_ten_messages_are_tapped_and_decoded_and_none_without_a_tap(self):
        with tempfile.TemporaryFile("w+") as output:  # not a pipe: that would fill up and hold the tap
            tap = subprocess.Popen(self.command("tap", "text.Text/WordCount", "--count", "10", "--body", "-o", "jsonl"),
                                   stdout=output)
            while tap.poll() is None:
                self.cobus("map", "text.Text/WordCount", "--files", "text", *LICENSES[:4])
            output.seek(0)
            records = [json.loads(line) for line in output]
        records = [record for record in records if "dropped" not in record]
        self.assertEqual((tap.returncode, len(records)), (0, 10))
        for record in records:
            self.assertEqual(list(record)[:10], ["time", "kind", "from", "to", "type", "method", "size", "trace",
                                                 "latency_us", "status"])
            self.assertEqual(record["method"], "text.Text/WordCount")
        replies = [record for record in records if record["kind"] == "reply"]
        self.assertTrue(all("words" in reply["body"] for reply in replies))

    def test_a_restarted_broker_is_complete_again_and_nodes_go_on_without_it(self):
        port = self.log_of("broker").split("tcp://127.0.0.1:")[1].split(";")[0]
        self.kill("broker")
        self.start("broker2", "cobus-broker", "--listen", f"tcp://127.0.0.1:{port}")
        self.wait_until(lambda: self.names_up() == sorted(self.NODES), "all nodes to be back")


class Trust(ClusterTest):
    NODES = ("alpha",)

    def join_string(self):
        with open(os.path.join(self.state, "join", "admin"), encoding="utf-8") as file:
            return file.read().strip()

    def stranger(self, join, code):
        with tempfile.TemporaryDirectory() as state:
            return self.cobus("nodes", "--join", join, state=state, code=code)[1]

    def test_a_wrong_fingerprint_a_missing_and_a_wrong_token_are_refused_with_a_reason(self):
        join = self.join_string()
        head, token = join.split("&token=")
        fingerprint = head.split("cluster=")[1]
        with tempfile.TemporaryDirectory() as other:
            self.start("other", "cobus-broker", "--listen", "tcp://127.0.0.1:0", state=other)
            with open(os.path.join(other, "join", "admin"), encoding="utf-8") as file:
                wrong = file.read().split("cluster=")[1].split("&")[0]
            self.processes["other"].terminate()
            self.processes["other"].wait()
        self.assertIn("fingerprint", self.stranger(join.replace(fingerprint, wrong), 77))
        self.assertIn("token", self.stranger(head, 77))
        self.assertIn("token", self.stranger(head + "&token=" + "a" * len(token), 77))

    def test_it_listens_on_loopback_only(self):
        pids = {process.pid for process in self.processes.values()}
        sockets = subprocess.run(["ss", "-ltnp"], capture_output=True, text=True, check=True).stdout.splitlines()
        ours = [line.split()[3] for line in sockets if any(f"pid={pid}," in line for pid in pids)]
        self.assertEqual(len(ours), 2)
        self.assertTrue(all(address.startswith("127.0.0.1:") for address in ours), ours)

    def test_state_that_others_can_read_is_refused(self):
        self.kill("broker")
        os.chmod(os.path.join(self.state, "broker", "cluster.key"), 0o644)
        broker = subprocess.run([os.path.join(processes.BIN, "cobus-broker"), "--state", self.state, "--listen",
                                 "tcp://127.0.0.1:0"], capture_output=True, text=True, timeout=20, check=False)
        self.assertEqual(broker.returncode, 77)
        self.assertIn("chmod", broker.stderr)

    def test_a_port_that_is_taken_is_named(self):
        port = self.log_of("broker").split("tcp://127.0.0.1:")[1].split(";")[0]
        with tempfile.TemporaryDirectory() as other:
            broker = subprocess.run([os.path.join(processes.BIN, "cobus-broker"), "--state", other, "--listen",
                                     f"tcp://127.0.0.1:{port}"], capture_output=True, text=True, timeout=20, check=False)
        self.assertEqual(broker.returncode, 69)
        self.assertIn(port, broker.stderr)


class Nobody(ClusterTest):
    NODES = ()

    def test_without_a_node_and_without_a_broker_the_next_step_is_said(self):
        self.assertIn("cobus-node", self.cobus("call", "echo.Echo/Echo", code=1)[1])
        self.processes["broker"].send_signal(signal.SIGTERM)
        self.processes["broker"].wait()
        self.assertIn("cobus-broker", self.cobus("nodes", "--connect-timeout", "1s", code=69)[1])
        with tempfile.TemporaryDirectory() as empty:
            self.assertIn("cobus up", self.cobus("nodes", state=empty, code=69)[1])


if __name__ == "__main__":
    processes.BIN = sys.argv.pop(1)
    unittest.main()
