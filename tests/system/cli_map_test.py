# SPDX-License-Identifier: Apache-2.0
#
# cobus map and what is shown on a terminal, on real processes.
# Run as: cli_map_test.py BIN_FOLDER [TEST...]
import json
import os
import re
import signal
import subprocess
import sys
import time
import unittest

import processes
from cli_cluster import LONG, SharedCluster, in_terminal, start


def echoes(count):
    return "".join(json.dumps({"text": str(i)}) + "\n" for i in range(count))


class Map(SharedCluster):
    def test_lines_in_results_out(self):
        out, err = self.cobus("map", "Echo", "-", stdin=echoes(50))
        self.assertEqual(sorted(int(json.loads(line)["text"]) for line in out.splitlines()), list(range(50)))
        self.assertEqual(err, "")
        file = self.file(echoes(20))
        for ledger in ((), ("--no-ledger",)):
            lines = self.lines("map", "Echo", file, "--keep-order", *ledger)
            self.assertEqual([line["text"] for line in lines], [str(i) for i in range(20)])

    def test_each_format_has_one_object_a_request(self):
        line = self.lines("map", "Echo", "-", "-o", "jsonl", stdin=echoes(1))[0]
        self.assertEqual(list(line), ["seq", "input", "id", "node", "state", "attempt", "result"])
        self.assertEqual((line["seq"], line["input"], line["state"]), (1, {"text": "0"}, "succeeded"))
        self.assertEqual(self.json("job", line["id"])["state"], "succeeded")
        self.assertEqual(len(self.json("map", "Echo", "-", "-o", "json", stdin=echoes(3))), 3)
        self.assertEqual(self.json("map", "Echo", "-", "-o", "json", stdin=""), [])
        self.assertRegex(self.cobus("map", "Echo", "-", "-o", "id", stdin=echoes(1))[0], "^[0-9a-z]{26}\n$")
        self.assertIsNone(self.lines("map", "Echo", "-", "-o", "jsonl", "--no-ledger", stdin=echoes(1))[0]["id"])

    def test_a_bad_line_fails_alone(self):
        lines = '{"text":"a"}\n{bad\n\n{"txt":"c"}\n{"text":"d"}\n'
        out, err = self.cobus("map", "Echo", "-", "-k", "-o", "jsonl", stdin=lines, code=1)
        got = [json.loads(line) for line in out.splitlines()]
        self.assertEqual([line["state"] for line in got], ["succeeded", "failed", "failed", "succeeded"])
        self.assertEqual(got[1]["error"]["code"], "INVALID_ARGUMENT")
        self.assertIn("request 2 failed: INVALID_ARGUMENT: stdin:2: column 2: malformed JSON: ", err)
        self.assertIn("request 3 failed: INVALID_ARGUMENT: stdin:4: ", err, "blank lines are counted")
        self.assertEqual(len(self.cobus("map", "Echo", "-", "-o", "id", stdin=lines, code=1)[0].split("\n")), 3, "no line for what failed")
        self.assertIn("did you mean 'text'?", err)
        self.assertIn("2 done, 2 failed", err)

    def test_files_that_cannot_be_sent_fail_alone_and_by_name(self):
        good, other = self.file("one two\nthree\n"), self.file(b"caf\xe9\n")
        out, err = self.cobus("map", "WordCount", "--files", "text", good, other, "/no/such", self.state, "-k", "-o", "jsonl", code=1)
        got = [json.loads(line) for line in out.splitlines()]
        self.assertEqual(got[0]["result"], {"lines": "2", "words": "3", "bytes": "14"})
        self.assertIn(f"{other} is not UTF-8 (at byte 4)", got[1]["error"]["message"])
        self.assertIn("/no/such: No such file", got[2]["error"]["message"])
        self.assertIn("Is a directory", got[3]["error"]["message"])
        self.assertEqual([line["input"] for line in got], [good, other, "/no/such", self.state])
        self.assertIn("1 done, 3 failed", err)
        huge = self.file("x" * 2_000_000)
        self.assertIn("too large", self.cobus("map", "WordCount", "--files", "text", huge, code=1)[1])

    def test_wrong_usage_is_said_before_anything_is_sent(self):
        file = self.file("text")
        self.fails(2, "map", "WordCount", "--files", "txt", file, says="did you mean 'text'?")
        self.fails(2, "map", "Count", "--files", "from", file, says="takes no text")
        self.fails(2, "map", "WordCount", "--files", "text", says="no file")
        dashed = os.path.join(self.state, "-dash.txt")
        with open(dashed, "w", encoding="utf-8") as named:
            named.write("a b")
        self.addCleanup(os.unlink, dashed)
        done = subprocess.run(self.command("map", "WordCount", "--files", "text", "--", "-dash.txt"), cwd=self.state,
                              capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual((done.returncode, json.loads(done.stdout)["words"]), (0, "2"), done.stderr)
        self.fails(2, "map", "WordCount", "@/no/such", says=["without @: /no/such"])
        self.fails(2, "map", "Grep", "--files", "text", file, says="cobus call text.Text/Grep")
        self.fails(2, "map", "Echo", "/no/such/file", says="/no/such/file: No such file")
        self.fails(2, "map", "Echo", "/tmp", says=["/tmp is a folder", "--files FIELD /tmp/*"])
        self.fails(2, "map", "Nope", "-", stdin="", says="Nope")
        self.fails(2, "map", "Echo", "-", "--halt", "x", stdin="", says="now,fail=N")
        self.fails(2, "map", "Echo", "-", "--resume", stdin="", says="--joblog")
        self.fails(2, "map", "Echo", "-", "--joblog", "/no/such/log", stdin="", says="/no/such/log")

    def test_in_order_a_line_stands_for_its_request_also_if_that_failed(self):
        out = self.cobus("map", "Echo", "-", "-k", stdin='{"text":"a"}\n{bad\n{"text":"c"}\n', code=1)[0]
        self.assertEqual([(json.loads(line) or {}).get("text") for line in out.splitlines()], ["a", None, "c"])
        self.fails(2, "map", "Echo", "-", "--no-ledger", "-o", "id", stdin="", says="--no-ledger")

    def test_a_role_that_may_ask_for_nothing_exits_with_77(self):
        join = "@" + os.path.join(self.state, "join", "observe")
        for ledger in ((), ("--no-ledger",)):
            err = self.cobus("map", "Echo", "-", "--join", join, *ledger, stdin=echoes(3), state=os.path.join(self.state, "observes"), code=77)[1]
            self.assertIn("PERMISSION_DENIED", err)

    def test_a_joblog_carries_on_where_it_was_left(self):
        log = os.path.join(self.state, "run.tsv")
        requests = self.file(echoes(2) + '{"txt":1}\n' + echoes(1))
        self.cobus("map", "Echo", requests, "--joblog", log, code=1)
        with open(log, encoding="utf-8") as file:
            rows = [line.rstrip("\n").split("\t") for line in file]
        self.assertEqual(rows[0][:9], "Seq Host Starttime JobRuntime Send Receive Exitval Signal Command".split())
        self.assertEqual({row[0]: row[6] for row in rows[1:]}, {"1": "0", "2": "0", "3": "1", "4": "0"})
        self.assertEqual({row[1] for row in rows[1:] if row[6] == "0"} - set(self.NODES), set())
        self.assertEqual(self.cobus("map", "Echo", requests, "--joblog", log, "--resume", code=1)[0], "", "all of it was done, one failed")
        with open(requests, "a", encoding="utf-8") as file:
            file.write('{"text":"new"}\n')
        self.assertEqual([line["text"] for line in self.lines("map", "Echo", requests, "--joblog", log, "--resume", code=1)], ["new"])
        err = self.cobus("map", "Echo", requests, "--joblog", log, "--resume", code=1)[1]
        self.assertIn("5 done before, 1 of them failed: --retry-failed", err)
        out, err = self.cobus("map", "Echo", "--retry-failed", "--joblog", log, code=1)
        self.assertEqual(out, "")
        self.assertIn("request 3 failed", err)
        self.fails(2, "map", "Count", "--retry-failed", "--joblog", log, says="another method")
        self.fails(2, "map", "Echo", "--retry-failed", "--joblog", "/no/such/log", says="/no/such/log")

    def test_a_joblog_of_other_requests_skips_none_of_these(self):
        log = os.path.join(self.state, "other.tsv")
        self.cobus("map", "Echo", self.file(echoes(3)), "--joblog", log)
        other = self.file('{"text":"other"}\n' + echoes(2))
        self.fails(2, "map", "Echo", other, "--joblog", log, "--resume", says=["the joblog is of another input: line 1", "other.tsv"])
        self.fails(2, "map", "Count", self.file('{"to":9}\n'), "--joblog", log, "--resume", says="another method")

    def test_failed_files_are_tried_again_from_the_joblog(self):
        log, file = os.path.join(self.state, "files.tsv"), self.file(b"\xff")
        self.cobus("map", "WordCount", "--files", "text", file, "--joblog", log, code=1)
        with open(file, "w", encoding="utf-8") as mended:
            mended.write("mended")
        again = self.lines("map", "WordCount", "--files", "text", "--retry-failed", "--joblog", log)
        self.assertEqual(again, [{"lines": "0", "words": "1", "bytes": "6"}])
        self.assertEqual(self.cobus("map", "WordCount", "--files", "text", "--retry-failed", "--joblog", log)[0], "")

    def test_halt_ends_it_early(self):
        lines = echoes(1) + "{bad\n" + echoes(100)
        out = self.cobus("map", "Echo", "-", "-j", "1", "--halt", "soon,fail=1", stdin=lines, code=1)[0]
        self.assertEqual(len(out.splitlines()), 1)
        self.cobus("map", "Count", "-", "-j", "2", "--halt", "now,fail=1", "--no-ledger", stdin=LONG + "\n{bad\n", code=1)

    def test_halt_now_leaves_what_runs_and_shows_what_failed(self):
        for flags in ((), ("-k",)):
            err = self.cobus("map", "Count", self.file(f"{LONG}\n{{bad\n"), "--halt", "now,fail=1", "--no-ledger", *flags, code=1)[1]
            self.assertIn("request 2 failed: INVALID_ARGUMENT", err)
            self.assertIn("halted", err)

    def test_an_input_that_goes_on_is_worked_off_as_it_comes(self):
        mapping = self.start("map", "Echo", "-", stdin=subprocess.PIPE)
        for i in range(3):
            mapping.stdin.write(json.dumps({"text": str(i)}) + "\n")
            mapping.stdin.flush()
            self.assertEqual(json.loads(mapping.stdout.readline())["text"], str(i))
        mapping.send_signal(signal.SIGINT)
        self.assertEqual(mapping.wait(timeout=20), 130)
        self.assertIn("3 done", mapping.stderr.read())

    def test_interrupted_it_can_be_resumed_to_the_whole(self):
        log, requests = os.path.join(self.state, "cut.tsv"), self.file(echoes(3000))
        results = os.path.join(self.state, "cut.jsonl")
        with open(results, "w", encoding="utf-8") as file:
            mapping = start(self, self.command("map", "Echo", requests, "--joblog", log), stdout=file)

        def done():
            with open(results, encoding="utf-8") as file:
                return len(file.readlines())
        self.wait_until(lambda: done() >= 5, "some results")
        mapping.send_signal(signal.SIGINT)
        err = mapping.communicate(timeout=20)[1]
        self.assertEqual(mapping.returncode, 130)
        self.assertIn("--resume", err)
        self.assertLess(done(), 3000)
        resumed = self.lines("map", "Echo", requests, "--joblog", log, "--resume")
        self.assertEqual(done() + len(resumed), 3000)


    def test_what_an_interrupted_map_left_is_found_and_taken_up_again(self):
        log, requests = os.path.join(self.state, "left.tsv"), self.file(3 * '{"from":0,"to":40000000000}\n')
        mapping = self.start("map", "Count", requests, "--joblog", log)
        self.wait_until(lambda: len(self.lines("jobs", "--method", "Count", "--state", "running")) >= 3, "the jobs to run")
        mapping.send_signal(signal.SIGINT)
        err = mapping.communicate(timeout=20)[1]
        label = re.search(r"3 go on as jobs \(cobus jobs --label (map=\w+)\)", err).group(1)
        left = lambda: sorted(self.cobus("jobs", "--label", label, "-o", "id")[0].split())
        ids = left()
        self.assertEqual(len(ids), 3)
        resumed = self.start("map", "Count", requests, "--joblog", log, "--resume")
        time.sleep(1)
        resumed.send_signal(signal.SIGINT)
        self.assertIn(label, resumed.communicate(timeout=20)[1])
        self.assertEqual(left(), ids, "no job was made twice")


class WithoutNodes(processes.ClusterTest):
    NODES = ("alpha",)

    def test_it_says_what_it_waits_for(self):
        mapping = start(self, self.command("map", "Count", "-"), stdin=subprocess.PIPE)
        mapping.stdin.write('{"from":0,"to":400000000000}\n')
        mapping.stdin.flush()
        self.wait_until(lambda: self.cobus("jobs", "--state", "running", "-o", "id")[0] != "", "the job to run")
        self.kill("alpha")
        self.assertIn("waiting: no node is up", mapping.stderr.readline())
        mapping.send_signal(signal.SIGINT)
        self.assertEqual(mapping.wait(timeout=20), 130)


class OnATerminal(SharedCluster):
    NODES = ("alpha", "beta")

    def test_lists_are_tables_and_colours_can_be_refused(self):
        def settled(*options, **terminal):
            code, shown = in_terminal(self.command("nodes", *options), **terminal)
            self.assertEqual(code, 0)
            return shown.split("\x1b[K")[-1]  # what is left when it had to be waited for

        self.assertRegex(settled(), r"^\x1b\[1mNAME +STATE")
        self.assertNotIn("\x1b", settled(env={"NO_COLOR": "1"}))
        self.assertNotIn("\x1b", in_terminal(self.command("nodes"), env={"TERM": "dumb"})[1])
        self.assertNotIn("\x1b", settled("--color", "never"))
        narrow = settled(columns=90, env={"NO_COLOR": "1"})
        self.assertEqual(max(len(line) for line in narrow.splitlines()), 90)

    def test_a_spinner_becomes_a_bar_and_leaves_a_clean_line(self):
        to, count = self.cluster.known_primes_for(5)
        code, shown = in_terminal(self.command("submit", "Count", json.dumps({"from": 0, "to": to}), "--wait"))
        self.assertEqual(code, 0)
        self.assertRegex(shown, r"▕█*[ ▏▎▍▌▋▊▉]* *▏ +\d+%  [\d.]+%/s  \S+ left")
        self.assertTrue(shown.rstrip().endswith(f'"count": "{count}"\r\n}}'), shown[-200:])
        last = shown.split("\x1b[K")[-1]
        self.assertNotIn("%", last)

    def test_please_wait_is_shown_until_there_is_progress_and_ctrl_c_detaches(self):
        stopped = []

        def stop_at_the_bar(process, shown):
            if "% " in shown and not stopped:
                stopped.append(True)
                os.kill(process, signal.SIGINT)
        code, shown = in_terminal(self.command("submit", "Count", LONG, "--attempts", "1", "--wait"), on_output=stop_at_the_bar)
        self.assertEqual(code, 130)
        self.assertRegex(shown, r"Please wait \.\.\. [⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] ")
        self.assertLess(shown.index("Please wait"), shown.index("% "))
        self.assertRegex(shown, r"\x1b\[Kjob \w+ goes on; come back to it with: cobus wait")

    def test_map_draws_a_bar_with_count_rate_and_time_left(self):
        tenth = self.cluster.primes_for(0.1)
        requests = self.file("".join('{"from":0,"to":%d}\n' % (tenth + i) for i in range(60)))
        code, shown = in_terminal(self.command("map", "Count", requests, "--bar", "-o", "jsonl"))
        self.assertEqual(code, 0)
        self.assertRegex(shown, r"\d+/60  0 failed  \S+/s  \S+ left")
        self.assertIn("60 done, 0 failed", shown)
        results = [json.loads(line) for line in re.findall(r'\{"seq".*?\}\}', shown)]
        self.assertEqual(len(results), 60)

    def test_map_draws_a_bar_before_the_first_request_is_done(self):
        def stop_at_the_bar(process, shown):
            if re.search(r"0/2  0 failed  \S+/\S+  \S+ left", shown):
                os.kill(process, signal.SIGINT)
        for ledger in ((), ("--no-ledger",)):
            requests = self.file(2 * '{"from":0,"to":40000000000}\n')
            code, shown = in_terminal(self.command("map", "Count", requests, "--bar", *ledger), on_output=stop_at_the_bar)
            self.assertEqual(code, 130, shown[-300:])

    def test_nothing_is_drawn_elsewhere(self):
        for env in ({"TERM": "dumb"},):
            shown = in_terminal(self.command("submit", "Count", '{"from":0,"to":300000000}', "--wait"), env=env)[1]
            self.assertNotIn("\x1b", shown)
            self.assertNotIn("Please wait", shown)
        out, err = self.cobus("map", "Count", "-", "--bar", stdin='{"from":0,"to":300000000}\n')
        self.assertEqual((len(out.splitlines()), err), (1, ""))


if __name__ == "__main__":
    processes.BIN = sys.argv.pop(1)
    unittest.main(verbosity=2)
