# SPDX-License-Identifier: Apache-2.0
#
# Every verb of the command line on real processes: what it prints, what it refuses and how, with which exit code.
# Run as: cli_test.py BIN_FOLDER [TEST...]
import json
import os
import re
import signal
import subprocess
import sys
import unittest

import processes
from cli_cluster import LONG, SharedCluster, start

JOB_FIELDS = ["id", "method", "state", "attempt", "node", "wait_reason", "submitted_at", "result", "error"]


class WhoIsThere(SharedCluster):
    def test_nodes_have_the_fields_of_the_contract(self):
        nodes = self.json("nodes", "-o", "json")
        self.assertEqual([node["name"] for node in nodes], list(self.NODES))
        for node in nodes:
            self.assertEqual(list(node)[:8], ["name", "id", "state", "address", "services", "labels", "load", "version"])
            self.assertEqual((node["state"], node["services"]), ("up", ["echo.Echo", "math.Primes", "text.Text"]))
            self.assertRegex(node["id"], "^[0-9a-f]{16}$")
        self.assertEqual(self.lines("nodes")[0]["name"], "alpha", "one object a line where no terminal is")
        self.assertEqual(self.cobus("nodes", "-o", "id")[0].split(), list(self.NODES))
        self.assertIn("- name: alpha\n", self.cobus("nodes", "-o", "yaml")[0])
        table = self.cobus("nodes", "-o", "table")[0].splitlines()
        self.assertRegex(table[0], "^NAME +STATE +ADDRESS")
        self.assertEqual(len(table), 4)

    def test_node_shows_one_by_name_or_id(self):
        node = self.json("node", "beta", "--json")
        self.assertEqual(self.json("node", node["id"])["name"], "beta")
        self.assertEqual(self.json("node", node["id"][:12])["name"], "beta")
        self.assertIn("address", self.cobus("node", "beta", "-o", "table")[0])
        self.fails(2, "node", "betta", says="did you mean beta?")

    def test_services_and_their_schemas(self):
        services = {service["name"]: service for service in self.lines("services")}
        self.assertEqual(sorted(services), ["echo.Echo", "math.Primes", "text.Text"])
        self.assertEqual(services["echo.Echo"]["nodes"], list(self.NODES))
        self.assertIn({"name": "text.Text/Grep", "input": "text.GrepRequest", "output": "text.Line", "streaming": True,
                       "client_streaming": False}, services["text.Text"]["methods"])
        self.assertIn({"name": "echo.Echo/Collect", "input": "echo.EchoRequest", "output": "echo.CollectReply",
                       "streaming": False, "client_streaming": True}, services["echo.Echo"]["methods"])
        self.assertIn("cobus.v1.Jobs", [service["name"] for service in self.lines("services", "--all")])

    def test_describe_prints_proto_text(self):
        self.assertIn("rpc Grep(GrepRequest) returns (stream Line)", self.cobus("describe", "text.Text")[0])
        self.assertIn("rpc WordCount", self.cobus("describe", "WordCount")[0])
        self.assertIn("message WordCountReply", self.cobus("describe", "text.WordCountReply")[0])
        self.assertEqual(self.json("describe", "echo.Echo", "-o", "json")["kind"], "service")
        self.fails(2, "describe", "WordCout", says="did you mean text.Text/WordCount?")
        self.fails(2, "describe", "xyzzy", says="cobus services")

    def test_a_template_is_a_request(self):
        template = self.cobus("template", "echo.Echo/Echo")[0]
        self.assertEqual(json.loads(template), {"text": ""})
        self.assertEqual(self.cobus("template", "Echo", "-o", "yaml")[0], 'text: ""\n')
        self.assertEqual(self.cobus("template", "Echo", "-o", "jsonl")[0], '{"text":""}\n')
        self.assertEqual(self.json("call", "Echo", "@" + self.file(template))["text"], "")


class Calls(SharedCluster):
    def test_the_request_comes_from_the_word_a_file_or_stdin(self):
        self.assertEqual(self.json("call", "echo.Echo/Echo", '{"text":"hi"}')["text"], "hi")
        self.assertEqual(self.json("call", "Echo", "@" + self.file('{"text":"file"}'))["text"], "file")
        self.assertEqual(self.json("call", "Echo", "-", stdin='{"text":"stdin"}')["text"], "stdin")
        self.assertEqual(self.json("call", "Echo")["text"], "", "an empty request if left out")

    def test_text_arrives_as_it_is(self):
        text = "nul \0, quote \", backslash \\, newline \n, ünïcödé, 日本, 🦀"
        self.assertEqual(self.json("call", "Echo", json.dumps({"text": text}))["text"], text)

    def test_a_node_can_be_chosen_and_otherwise_all_take_part(self):
        for name in self.NODES:
            self.assertEqual(self.json("call", "Echo", "--node", name)["node"], name)
        self.assertEqual({self.json("call", "Echo")["node"] for _ in range(30)}, set(self.NODES))
        self.fails(2, "call", "Echo", "--node", "alpa", says="did you mean alpha?")

    def test_a_stream_prints_one_line_an_item(self):
        request = json.dumps({"text": "one\ntwo\nthree one", "pattern": "one"})
        self.assertEqual(self.lines("call", "Grep", request),
                         [{"number": "1", "text": "one"}, {"number": "3", "text": "three one"}])

    def test_a_stream_of_requests_comes_from_lines_or_an_array(self):
        lines = '{"text":"one"}\n\n{"text":"three"}'
        collected = {"count": "2", "bytes": "8"}
        self.assertEqual(self.json("call", "Collect", "-", stdin=lines), collected)
        self.assertEqual(self.json("call", "Collect", "@" + self.file(lines)), collected)
        self.assertEqual(self.json("call", "Collect", '[{"text":"one"},{"text":"three"}]'), collected)
        self.assertEqual(self.json("call", "Collect", '{"text":"eight..."}'), {"count": "1", "bytes": "8"})
        self.assertEqual(self.json("call", "Collect", "-", stdin=""), {"count": "0", "bytes": "0"})
        self.assertEqual([answer["text"] for answer in self.lines("call", "Chat", "-", stdin=lines)], ["one", "three"])
        many = "".join('{"text":"%d"}\n' % number for number in range(20000))
        self.assertEqual(self.json("call", "Collect", "-", stdin=many)["count"], "20000")
        answers = self.lines("call", "Chat", "@" + self.file(many))
        self.assertEqual([answer["text"] for answer in answers], [str(number) for number in range(20000)])
        self.assertIn("rpc Collect(stream EchoRequest) returns (CollectReply);", self.cobus("describe", "echo.Echo")[0])

    def test_large_items_go_as_fast_as_the_callee_takes_them(self):
        lines = '{"text":"%s"}\n' % ("x" * 900_000) * 40
        self.assertEqual(self.json("call", "Collect", "-", stdin=lines), {"count": "40", "bytes": "36000000"})
        answers = self.cobus("call", "Chat", "-", stdin=lines)[0]
        self.assertEqual(answers.count("x" * 900_000), 40)

    def test_requests_are_sent_as_they_come(self):
        chat = self.start("call", "Chat", "-", stdin=subprocess.PIPE)
        for word in ("first", "second"):
            chat.stdin.write('{"text":"%s"}\n' % word)
            chat.stdin.flush()
            self.assertEqual(json.loads(chat.stdout.readline())["text"], word)
        self.assertEqual(chat.communicate(timeout=20), ("", ""), "the end of stdin ends the call")
        self.assertEqual(chat.returncode, 0)

    def test_what_is_wrong_with_one_of_many_requests_ends_the_call(self):
        self.fails(2, "call", "Collect", says=["takes a stream of requests", "JSON lines"])
        self.fails(2, "call", "Collect", "-", stdin='{"text":"a"}\n{"tex":"b"}', says=["line 2", "did you mean 'text'?"])
        self.fails(2, "call", "Collect", '[{"text":"a"},{"text":1}]', says=["request 2", "text"])
        self.fails(2, "call", "Collect", '[{"text":"a"}', says="not a JSON array")
        self.fails(2, "call", "Collect", "@/no/such/file", says="/no/such/file: No such file or directory")
        self.fails(2, "call", "Collect", "@/", says="Is a directory")
        self.fails(2, "submit", "Collect", says=["stream", "cobus call echo.Echo/Collect"])
        self.fails(2, "map", "Chat", "-", stdin="{}", says=["stream", "cobus call echo.Echo/Chat"])

    def test_a_stream_of_requests_ends_when_time_runs_out_or_when_interrupted(self):
        running = lambda: sum(node["load"]["calls_running"] for node in self.lines("nodes"))
        late = self.start("call", "Collect", "-", "--timeout", "300ms", stdin=subprocess.PIPE)
        self.assertEqual(late.wait(timeout=20), 124)
        self.assertIn("in time", late.stderr.read())
        call = self.start("call", "Chat", "-", stdin=subprocess.PIPE)
        call.stdin.write('{"text":"hello"}\n')
        call.stdin.flush()
        self.assertIn("hello", call.stdout.readline())
        call.send_signal(signal.SIGINT)
        self.assertEqual(call.wait(timeout=20), 130)
        self.assertEqual(call.stderr.read(), "cobus: interrupted; the call was cancelled\n")
        self.wait_until(lambda: running() == 0, "the calls to end at their nodes")

    def test_what_is_wrong_with_a_request_is_said_before_anything_is_sent(self):
        self.fails(2, "call", "Echo", "{", says=["malformed JSON", "line 1, column 2", "cobus template echo.Echo/Echo"])
        self.fails(2, "call", "Echo", '{"tex":"a"}', says="did you mean 'text'?")
        self.fails(2, "call", "Echo", '{"text":1}', says="text")
        self.fails(2, "call", "Echo", "[1,2]", says="object")
        self.fails(2, "call", "echo.Echo/Eco", says="did you mean echo.Echo/Echo?")
        self.fails(2, "call", "Echo", "@/no/such/file", says="/no/such/file: No such file or directory")
        self.fails(2, "call", "Echo", "@/", says="Is a directory")
        self.fails(2, "call", "Echo", "@", says="@request.json")
        for verb in ("call", "submit"):
            self.fails(2, verb, "Echo", "", says="a variable that is not set?")
        self.fails(2, "call", "Echo", "-", stdin="", says="empty")
        self.fails(2, "call", "Echo", '{"text":"a","text":"b"}', says="'text' twice")
        self.fails(2, "call", "Echo", "@" + self.file(b'\xef\xbb\xbf{"text":"a"}'), says="byte order mark")

    def test_what_is_too_large_is_said_whichever_way_it_goes(self):
        limit = 64 * 1024 * 1024  # of an encoded message
        largest = "x" * (limit - 5)
        request = self.file(json.dumps({"text": largest + "x"}))
        self.fails(1, "call", "echo.Echo/Echo", "@" + request, says=["OUT_OF_RANGE", f"above the limit of {limit}"])
        request = self.file(json.dumps({"text": largest}))  # the answer says besides which node gave it
        self.fails(1, "call", "echo.Echo/Echo", "@" + request, says=["OUT_OF_RANGE", f"above the limit of {limit}"])
        self.fails(2, "call", "echo.Echo/Chat", "@" + request, says="it has more than")
        self.assertEqual(self.json("call", "echo.Echo/Echo", '{"text":"fine"}')["text"], "fine")

    def test_a_failure_of_the_handler_is_no_wrong_usage(self):
        self.fails(1, "call", "Primes/Count", '{"from":10,"to":1}', says=["math.Primes/Count failed", "INVALID_ARGUMENT"])

    def test_time_runs_out(self):
        self.fails(124, "call", "Primes/Count", LONG, "--timeout", "200ms", says="in time")

    def test_an_interrupted_call_is_given_up_everywhere(self):
        call = self.start("call", "Primes/Count", LONG)
        running = lambda: sum(node["load"]["calls_running"] for node in self.lines("nodes"))
        self.wait_until(lambda: running() > 0, "the call to run")
        call.send_signal(signal.SIGINT)
        self.assertEqual(call.wait(timeout=20), 130)
        self.assertEqual(call.stderr.read(), "cobus: interrupted; the call was cancelled\n")
        self.wait_until(lambda: running() == 0, "the call to end at its node")


class Jobs(SharedCluster):
    def test_submit_prints_the_id_alone(self):
        out, err = self.cobus("submit", "Echo", '{"text":"x"}')
        self.assertRegex(out, "^[0-9a-z]{26}\n$")
        self.assertEqual(err, "")
        submitted = self.json("submit", "Echo", "-o", "json")
        self.assertEqual((submitted["method"], submitted["existed"]), ("echo.Echo/Echo", False))

    def test_wait_gives_the_result_or_the_whole_job(self):
        self.assertEqual(self.json("submit", "Echo", '{"text":"x"}', "--wait")["text"], "x")
        job = self.json("submit", "Echo", '{"text":"x"}', "--wait", "-o", "json")
        self.assertEqual(list(job)[:9], JOB_FIELDS)
        self.assertEqual((job["state"], job["attempt"], job["result"]["text"], job["error"]), ("succeeded", 1, "x", None))
        self.assertEqual(self.json("result", job["id"])["text"], "x")
        self.assertEqual(self.json("job", job["id"]), job)
        self.assertIn("succeeded", self.cobus("job", job["id"][:20], "-o", "table")[0])

    def test_a_failed_job_exits_with_one_and_the_reason(self):
        out, err = self.cobus("submit", "Count", '{"from":10,"to":1}', "--wait", "-q", code=1)
        self.assertEqual(out, "")
        self.assertIn("INVALID_ARGUMENT", err)
        job = json.loads(self.cobus("submit", "Count", '{"from":10,"to":1}', "--wait", "-o", "json", code=1)[0])
        self.assertEqual((job["state"], job["error"]["code"], job["result"]), ("failed", "INVALID_ARGUMENT", None))
        self.assertIn("after attempt 1 of 5: INVALID_ARGUMENT", err)
        self.assertIn("; INVALID_ARGUMENT is not tried again", err)
        self.cobus("result", job["id"], code=1)
        self.cobus("wait", job["id"], code=1)

    def test_an_attempt_that_takes_too_long_is_tried_again(self):
        job, err = self.cobus("submit", "Count", LONG, "--attempt-timeout", "300ms", "--attempts", "2", "--wait", "-o", "json", code=1)
        self.assertEqual((json.loads(job)["attempt"], json.loads(job)["error"]["code"]), (2, "DEADLINE_EXCEEDED"))
        self.assertIn("after attempt 2 of 2", err)
        self.assertIn("gave up after 2 attempts", err)
        self.assertNotIn("is not tried again", err)

    def test_follow_tells_what_becomes_of_it(self):
        out, err = self.cobus("submit", "Count", '{"from":0,"to":30000000}', "--follow")
        self.assertEqual(json.loads(out), {"count": "1857859"})
        self.assertIn("is running on", err)
        self.assertLess(len(err.splitlines()), 30, "progress is told now and then")

    def test_a_key_is_submitted_once(self):
        first = self.cobus("submit", "Echo", '{"text":"a"}', "--key", "k")[0]
        again, err = self.cobus("submit", "Echo", '{"text":"a"}', "--key", "k")
        self.assertEqual(again, first)
        self.assertIn("before", err)
        self.fails(1, "submit", "Echo", '{"text":"b"}', "--key", "k", says=["ALREADY_EXISTS", first.strip()])

    def test_labels_states_and_methods_select(self):
        here = self.json("submit", "Echo", "--label", "run=7", "--label", "who=me", "--wait", "-o", "json")
        self.assertEqual(here["labels"], {"run": "7", "who": "me"})
        ids = lambda *flags: self.cobus("jobs", *flags, "-o", "id")[0].split()
        self.assertEqual(ids("--label", "run=7"), [here["id"]])
        self.assertEqual(ids("--label", "run=7", "--state", "failed"), [])
        self.assertEqual(ids("--label", "run=7", "--state", "failed,succeeded", "--method", "Echo", "--since", "1h"), [here["id"]])
        self.assertEqual(ids("--since", "0s"), [])
        self.assertEqual(len(ids("--limit", "1")), 1)
        self.assertEqual(list(self.lines("jobs", "--label", "run=7")[0])[:8], [name for name in JOB_FIELDS if name != "result"])
        self.fails(2, "jobs", "--state", "done", says=["'done'", "succeeded", "cobus --state DIR jobs"])
        self.fails(2, "jobs", "--method", "Nope", says="cobus services")

    def test_waiting_has_a_limit_and_the_job_goes_on(self):
        job = self.cobus("submit", "Count", LONG, "--attempts", "1", "-q")[0].strip()
        out, err = self.cobus("wait", job, "--timeout", "300ms", code=124)
        self.assertEqual(out, "")
        self.assertIn(f"cobus wait {job}", err)
        self.assertEqual(self.json("job", job)["state"], "running")
        self.fails(75, "result", job, says=["running", f"cobus wait {job}"])
        quick = self.cobus("submit", "Echo", '{"text":"quick"}')[0].strip()
        self.assertEqual(self.lines("wait", job, quick, "--any"), [{"text": "quick", "node": self.json("job", quick)["node"]}])

    def test_out_of_time_what_is_finished_is_printed_and_the_rest_named(self):
        late = self.cobus("submit", "Count", LONG, "--attempts", "1", "-q")[0].strip()
        done = self.cobus("submit", "Echo", '{"text":"done"}')[0].strip()
        self.cobus("wait", done)
        out, err = self.cobus("wait", late, done, "--timeout", "500ms", code=124)
        self.assertEqual(json.loads(out)["text"], "done")
        self.assertIn(f"cobus wait {late}", err)
        self.assertNotIn(done, err)
        out = self.cobus("wait", late, done, "--timeout", "500ms", "-o", "json", code=124)[0]
        self.assertEqual([job["id"] for job in json.loads(out)], [done])

    def test_results_come_in_the_order_of_the_ids(self):
        ids = [self.cobus("submit", "Echo", json.dumps({"text": str(i)}))[0].strip() for i in range(5)]
        self.assertEqual([line["text"] for line in self.lines("wait", *ids)], list("01234"))
        self.assertEqual([job["id"] for job in self.lines("wait", *ids, "-o", "jsonl")], ids)
        self.assertEqual([job["id"] for job in self.json("wait", *ids, "-o", "json")], ids, "one array")
        self.assertEqual(self.json("wait", ids[0], "-o", "json")["id"], ids[0])
        self.assertEqual(self.cobus("wait", *ids, "-o", "table")[0].count("\n\nid "), 4, "a blank line between")
        bad = self.cobus("submit", "Count", '{"from":2,"to":1}')[0].strip()
        out, err = self.cobus("wait", ids[0], bad, ids[1], code=1)
        self.assertEqual(len(out.splitlines()), 2)
        self.assertIn(bad, err)

    def test_ids_may_be_shortened_while_that_is_clear(self):
        ids = [self.cobus("submit", "Echo")[0].strip() for _ in range(2)]
        self.assertEqual(self.json("job", ids[0][:25].upper())["id"], ids[0])
        self.fails(2, "job", ids[0][:3], says=["begins with", "write more of it"])
        for verb in ("job", "wait", "result"):
            self.fails(2, verb, "zzzz", says=["zzzz", "cobus jobs"])

    def test_what_cannot_be_a_job_is_said_at_once(self):
        self.fails(2, "submit", "Grep", says=["stream", "cobus call text.Text/Grep"])
        self.fails(2, "submit", "Nope", says="Nope")
        self.fails(4, "submit", "Nope", "--require-worker", says="Nope")
        self.fails(2, "submit", "Echo", "{", says="malformed JSON")
        self.fails(2, "submit", "Echo", "--timeout", "3s", says="--attempt-timeout")
        self.fails(2, "submit", "Echo", "--label", "x", says="KEY=VALUE")

    def test_ctrl_c_detaches_and_says_how_to_come_back(self):
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            waiting = self.start("submit", "Count", LONG, "--attempts", "1", "--wait")
            job = re.match("submitted ([0-9a-z]{26}) at ", waiting.stderr.readline()).group(1)
            self.wait_until(lambda: self.json("job", job)["state"] == "running", "the job to run")
            waiting.send_signal(number)
            out, err = waiting.communicate(timeout=20)
            self.assertEqual((waiting.returncode, out), (code, ""))
            self.assertIn(f"job {job} goes on; come back to it with: cobus wait {job}", err)
            self.assertEqual(self.json("job", job)["state"], "running")


class Everywhere(SharedCluster):
    NODES = ("alpha",)

    def test_help_and_version_go_to_stdout(self):
        for arguments in ((), ("help",), ("--help",)):
            self.assertIn("Usage: cobus VERB", self.cobus(*arguments)[0])
        page = self.cobus("help", "map")[0]
        self.assertIn("--keep-order", page)
        self.assertEqual(self.cobus("map", "--help")[0], page)
        self.assertRegex(self.cobus("version")[0], r"^cobus \d+\.\d+\.\d+\n$")
        self.assertEqual(self.json("version", "--json")["program"], "cobus")

    def test_wrong_usage_exits_with_two_and_a_hint(self):
        self.fails(2, "cal", "Echo", says="did you mean call?")
        self.fails(2, "nodes", "--al", says="did you mean --all?")
        for flag in ("--at", "--in", "--after", "--priority", "--queue"):
            self.fails(2, "submit", "Echo", flag, "1", says=["no flag " + flag, "cobus submit --help"])
        self.fails(2, "call", says="METHOD")
        self.fails(2, "nodes", "more", says="'more'")
        self.fails(2, "nodes", "-o", "jsn", says="did you mean json?")
        self.fails(2, "call", "Echo", "--timeout", "soon", says=["--timeout", "100ms"])
        self.fails(2, "call", "Echo", "--timeout", "never", says=["--timeout", "100ms", "or none"])
        for verb in (("wait", "01k2"), ("submit", "Echo", "--wait"), ("map", "Echo", "-")):
            self.fails(2, *verb, "--timeout", "0", says=["--timeout", "no time at all", "30s"])
        self.fails(2, "nodes", "--join", "tcp://127.0.0.1:7700", says="cobus://")

    def test_the_join_string_comes_from_a_flag_a_file_or_the_environment(self):
        with open(os.path.join(self.state, "join", "submit"), encoding="utf-8") as file:
            join = file.read().strip()
        elsewhere = os.path.join(self.state, "elsewhere")
        for arguments, env in ((("--join", join), {}), (("--join", "@" + os.path.join(self.state, "join", "submit")), {}),
                               ((), {"COBUS_JOIN": join})):
            self.assertEqual(self.cobus("nodes", "-o", "id", *arguments, env=env, state=elsewhere)[0], "alpha\n")

    def test_roles_bound_what_one_may_do(self):
        for role, verb, code in (("observe", ("submit", "Echo"), 77), ("submit", ("tap", "--count", "1"), 77),
                                 ("observe", ("call", "Echo"), 77), ("observe", ("jobs",), 0), ("submit", ("call", "Echo"), 0)):
            join = "@" + os.path.join(self.state, "join", role)
            err = self.cobus(*verb, "--join", join, state=os.path.join(self.state, "as-" + role), code=code)[1]
            if code:
                self.assertIn("PERMISSION_DENIED", err)

    def test_nobody_who_reads_ends_it_and_a_full_disk_is_named(self):
        lines = "".join('{"text":"%d"}\n' % i for i in range(2000))
        mapping = self.start("map", "Echo", "-", "--no-ledger", stdin=subprocess.PIPE)
        mapping.stdout.close()
        try:
            mapping.stdin.write(lines)
            mapping.stdin.close()
        except BrokenPipeError:
            pass
        mapping.stdin = None
        mapping.stdout = None
        self.assertEqual(mapping.wait(timeout=60), 141)
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run(self.command("nodes"), stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("No space left", done.stderr)
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run(self.command("submit", "Echo"), stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 1)
        job = re.search(r"No space left on device; job (\w{26}) is submitted", done.stderr).group(1)
        self.assertEqual(self.json("job", job)["method"], "echo.Echo/Echo")


class HomeAway(processes.ClusterTest):
    NODES = ("alpha", "beta")

    def test_waiting_outlives_the_absence_of_the_jobs_home(self):
        to, count = self.known_primes_for(6)
        waiting = start(self, self.command("submit", "Count", json.dumps({"from": 0, "to": to}), "--wait"))
        job, home = re.match("submitted ([0-9a-z]{26}) at ([a-z]+)", waiting.stderr.readline()).groups()
        self.wait_until(lambda: self.json("job", job)["state"] == "running", "the job to run")
        self.kill(home)
        self.assertIn(f"node {home}, which holds job {job}, is away", waiting.stderr.readline())
        self.start_node(home)
        out, err = waiting.communicate(timeout=110)
        self.assertEqual((waiting.returncode, out), (0, f'{{"count":"{count}"}}\n'), err)

    def test_jobs_whose_home_is_away_are_missed_aloud(self):
        jobs = {}
        while len(jobs) < 2:
            job = self.json("submit", "Echo", "-o", "json")
            jobs[job["home"]] = job["id"]
        self.assertNotIn("lacks", self.cobus("jobs")[1])
        self.kill("beta")
        self.wait_until(lambda: self.names_up() == ["alpha"], "beta to be gone")
        out, err = self.cobus("jobs", "-o", "id")
        self.assertNotIn(jobs["beta"], out)
        self.assertRegex(err, r"the list lacks the jobs of beta \(seen \w+ ago\), which is away")
        for verb in ("wait", "result", "job"):
            self.assertIn("it may be at beta", self.cobus(verb, jobs["beta"], code=1)[1])
        self.start_node("beta")
        self.wait_until(lambda: self.names_up() == ["alpha", "beta"], "beta to be back")
        self.assertEqual(self.json("job", jobs["beta"])["home"], "beta")
        self.assertIn("no node that is up has a job 'zzzz'", self.cobus("wait", "zzzz", code=2)[1])


class Up(processes.ClusterTest):
    NODES = ()

    def up(self, *flags):
        return start(self, [os.path.join(processes.BIN, "cobus"), "--state", os.path.join(self.state, "up"), "up",
                            "--listen", "tcp://127.0.0.1:0", *flags], start_new_session=True)

    def said(self, up):
        lines = []
        while "Ctrl-C" not in (lines[-1] if lines else ""):
            lines.append(up.stderr.readline())
            self.assertNotEqual(lines[-1], "", lines)
        return "".join(lines)

    def daemons(self):
        listed = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
        return [line for line in listed.splitlines()
                if re.search(r"/cobus-(broker|node) ", line) and os.path.join(self.state, "up") in line]

    def test_one_command_is_a_cluster_and_ctrl_c_leaves_nothing(self):
        up = self.up("--nodes", "2")
        said = self.said(up)
        self.assertIn("A broker and 2 nodes are up", said)
        self.assertIn("cobus call echo.Echo/Echo", said)
        self.assertEqual(len(self.daemons()), 3)
        self.assertEqual(self.json("call", "Echo", '{"text":"up"}', state=os.path.join(self.state, "up"))["text"], "up")
        up.send_signal(signal.SIGINT)
        self.assertEqual(up.wait(timeout=30), 0)
        self.assertEqual(self.daemons(), [])

    def test_its_daemons_do_not_outlive_it(self):
        up = self.up("--nodes", "1")
        self.said(up)
        up.kill()
        self.wait_until(lambda: not self.daemons(), "the daemons to end")

    def test_a_daemon_that_ends_is_named_and_the_rest_stopped(self):
        up = self.up("--nodes", "1")
        self.said(up)
        node = next(line for line in self.daemons() if "--name" in line)
        os.kill(int(node.split()[0]), signal.SIGKILL)
        self.assertEqual(up.wait(timeout=30), 69)
        self.assertIn("n1 ended by itself", up.stderr.read())
        self.assertEqual(self.daemons(), [])

    def test_a_port_that_is_taken_is_named_with_the_next_step(self):
        port = self.log_of("broker").split("tcp://127.0.0.1:")[1].split(";")[0]
        err = self.cobus("up", "--listen", f"tcp://127.0.0.1:{port}", state=os.path.join(self.state, "up"), code=69)[1]
        self.assertIn(port, err)
        self.assertIn("--listen", err)


if __name__ == "__main__":
    processes.BIN = sys.argv.pop(1)
    unittest.main(verbosity=2)
