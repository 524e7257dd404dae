# SPDX-License-Identifier: Apache-2.0
#
# Messages that JSON cannot say, and texts that would drive a terminal, through each verb that shows them.
# Run as: cli_json_test.py BIN_FOLDER MODULE [TEST...]
import base64
import json
import os
import shutil
import subprocess
import sys
import unittest

import processes
from cli_cluster import SharedCluster, in_terminal

MODULE = ""  # odd.so
TIME_OUT_OF_RANGE = b"\x1a\x06\x08\x80\xd1\xbd\x86\xb0\x07"  # field 3: {seconds: 253402300800}
ESCAPES = "a\x1b[31mred\x9b31m\u202eback\u2066\r\nforged"


def field(number, content):
    """A field of wire type 2."""
    content = content if isinstance(content, bytes) else content.encode()
    size = b""
    left = len(content)
    while left >= 0x80:
        size += bytes([left & 0x7f | 0x80])
        left >>= 7
    return bytes([number << 3 | 2]) + size + bytes([left]) + content


def any_of(name, content):
    return field(2, field(1, "type.googleapis.com/" + name) + field(2, content))


def raw(content):
    return json.dumps({"bytes": base64.b64encode(content).decode()})


class Shown(SharedCluster):
    NODES = ("alpha",)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        module = os.path.join(cls.state, "odd.so")
        shutil.copy(MODULE, module)
        cls.cluster.start_node("beta", "--service", module)
        cls.cluster.wait_until(lambda: cls.cluster.names_up() == ["alpha", "beta"], "beta")

    def check(self, verb, method, content, rest, says):
        """The rest is on stdout, the reason on stderr, and the exit code is 1."""
        out, err = self.cobus(*verb(method, raw(content)), code=1)
        self.assertEqual({key: value for key, value in self.result_of(out).items() if key in rest}, rest)
        for text in says:
            self.assertIn(text, err)
        self.assertNotIn("defect", err)
        self.assertLess(len(err), 900)

    @staticmethod
    def result_of(out):
        shown = json.loads(out.splitlines()[0] if out.startswith('{"') else out)
        return shown.get("result", shown)

    def verbs(self):
        """The verbs that show an answer, each as a function that gives its command line."""
        def submitted(*verb):
            def command(method, request):
                job = self.cobus("submit", method, request, "-q")[0].strip()
                subprocess.run(self.command("wait", job), capture_output=True, timeout=60, check=False)
                return [verb[0], job, *verb[1:]]
            return command

        def mapped(*flags):
            def command(method, request):
                return ["map", method, self.file(request + "\n"), *flags]
            return command
        return {"call": lambda method, request: ["call", method, request],
                "submit --wait": lambda method, request: ["submit", method, request, "--wait", "-q"],
                "wait": submitted("wait"), "result": submitted("result"), "job": submitted("job", "-o", "json"),
                "map": mapped(), "map -o jsonl": mapped("-o", "jsonl"), "map --no-ledger": mapped("--no-ledger")}

    def test_an_any_of_an_unknown_type_is_no_success(self):
        for name, verb in self.verbs().items():
            with self.subTest(verb=name):
                self.check(verb, "odd.Odd/Answer", field(1, "here") + any_of("x.Missing", b"abc"), {"word": "here"},
                           ["field 'any'", "x.Missing"])

    def test_a_time_out_of_range_is_no_success(self):
        for name, verb in self.verbs().items():
            with self.subTest(verb=name):
                self.check(verb, "odd.Odd/Answer", field(1, "here") + TIME_OUT_OF_RANGE, {"word": "here"},
                           ["field 'at'", "9999"])

    def test_a_required_field_that_is_missing_is_no_success(self):
        for name, verb in self.verbs().items():
            with self.subTest(verb=name):
                self.check(verb, "odd.Odd/Lacking", field(2, "here"), {"word": "here"}, ["field 'name'", "required"])

    def test_too_much_depth_and_text_that_is_not_utf8_are_no_success(self):
        deep = b""
        for _ in range(120):
            deep = field(4, deep)
        call = self.verbs()["call"]
        self.check(call, "odd.Odd/Answer", field(1, "here") + deep, {"word": "here"}, ["100 levels"])
        self.check(call, "odd.Odd/Answer", field(1, b"caf\xe9"), {"word": "caf\ufffd"}, ["field 'word'", "UTF-8"])

    def test_an_any_of_a_type_of_another_service_is_looked_up(self):
        content = any_of("text.WordCountReply", b"\x08\x03")
        for name, verb in self.verbs().items():
            with self.subTest(verb=name):
                out, _ = self.cobus(*verb("odd.Odd/Answer", raw(content)))
                self.assertEqual(self.result_of(out)["any"]["@type"], "type.googleapis.com/text.WordCountReply")
        request = '{"any":{"@type":"type.googleapis.com/text.WordCountReply"}}'
        out, _ = self.cobus("call", "odd.Odd/Echo", request)
        self.assertIn("text.WordCountReply", out)

    def test_items_of_a_stream_go_on_after_one_that_cannot_be_shown(self):
        out, err = self.cobus("call", "odd.Odd/Stream", raw(field(1, "here") + TIME_OUT_OF_RANGE), code=1)
        self.assertEqual([json.loads(line)["word"] for line in out.splitlines()], ["here"] * 3)
        self.assertEqual(err.count("field 'at'"), 3)

    def test_map_goes_on_after_one_that_cannot_be_shown(self):
        lines = [raw(field(2, "bad")), raw(field(1, "n") + field(2, "good"))] * 5
        for flags in ((), ("--no-ledger",)):
            out, err = self.cobus("map", "odd.Odd/Lacking", self.file("\n".join(lines)), "-k", *flags, code=1)
            self.assertEqual([json.loads(line)["word"] for line in out.splitlines()], ["bad", "good"] * 5)
            self.assertIn("5 done, 5 failed", err)

    def test_a_tap_sees_on_after_one_that_cannot_be_shown(self):
        tap = self.start("tap", "odd.Odd", "--body", "--count", "4", "-o", "jsonl")
        self.assertIn("tapping", tap.stderr.readline())
        self.cobus("call", "odd.Odd/Lacking", raw(field(2, "here")), code=1)
        self.cobus("call", "odd.Odd/Lacking", raw(field(1, "n") + field(2, "good")))
        out, _ = tap.communicate(timeout=60)
        records = [json.loads(line) for line in out.splitlines()]
        words = [record["body"]["word"] for record in records if record["kind"] == "reply"]
        self.assertEqual(words[0], "here")
        self.assertTrue(all(record["trace"] for record in records), records)

    def test_an_equal_request_has_the_same_key_whatever_its_order(self):
        first = self.cobus("submit", "odd.Odd/Echo", '{"counts":{"a":1,"b":2,"c":3},"free":{"x":1,"y":[2]}}', "--key", "k1", "-q")[0]
        again = self.cobus("submit", "odd.Odd/Echo", '{"free":{"y":[2.0],"x":1},"counts":{"c":3,"b":2,"a":1}}', "--key", "k1", "-q")[0]
        self.assertEqual(first, again)
        out, _ = self.cobus("wait", first.strip())
        self.assertIn('"counts":{"a":1,"b":2,"c":3}', out)

    def test_map_says_which_request_it_was(self):
        line = self.lines("map", "odd.Odd/Echo", self.file('{"word": "x"}\n'), "-o", "jsonl")[0]
        self.assertEqual(line["input"], {"word": "x"})

    def assert_harmless(self, shown):
        for character in "\x1b\x9b\u202e\u2066\r":
            self.assertNotIn(character, shown)

    def test_an_error_of_a_peer_drives_no_terminal_and_fills_no_screen(self):
        _, err = self.cobus("call", "odd.Odd/Fail", raw(ESCAPES.encode()), code=1)
        self.assert_harmless(err)
        self.assertEqual(len(err.splitlines()), 1)
        _, err = self.cobus("call", "odd.Odd/Fail", "@" + self.file(raw(b"x" * 900_000)), code=1)
        self.assertLess(len(err), 5000)
        self.assertIn("900", err)

    def test_the_words_of_the_user_drive_no_terminal(self):
        for words in (["call", ESCAPES], ["submit", ESCAPES], ["template", ESCAPES], ["describe", ESCAPES],
                      ["call", "odd.Odd/Echo", "--node", ESCAPES], ["call", "odd.Odd/Echo", '{"%s":1}' % "\u202e"],
                      ["job", ESCAPES], [ESCAPES], ["call", "--" + ESCAPES]):
            with self.subTest(words=words):
                done = subprocess.run(self.command(*words), capture_output=True, text=True, timeout=60, check=False)
                self.assertNotEqual(done.returncode, 0)
                self.assert_harmless(done.stderr + done.stdout)
        name = subprocess.run([os.path.join(processes.BIN, "cobus-node"), "--state", self.state, "--name", ESCAPES],
                              capture_output=True, text=True, timeout=60, check=False)
        self.assertNotEqual(name.returncode, 0)
        self.assert_harmless(name.stderr)

    def test_text_that_turns_around_is_escaped_in_json(self):
        word = "\u202eevil\u2066\U000e0041"
        out, _ = self.cobus("call", "odd.Odd/Echo", json.dumps({"word": word}))
        self.assert_harmless(out)
        self.assertEqual(json.loads(out)["word"], word)
        code, shown = in_terminal(self.command("call", "odd.Odd/Echo", json.dumps({"word": word}), "-o", "yaml"))
        self.assertEqual(code, 0)
        self.assertNotIn("\u202e", shown)

    def test_an_enormous_number_is_cut_in_its_error(self):
        for text in ('{"counts":{"a":%s}}' % ("9" * 5_000_000), '{"word":%s}' % ("9" * 300), '{"counts":%s' % ("x" * 5_000_000)):
            _, err = self.cobus("call", "odd.Odd/Echo", "@" + self.file(text), code=2)
            self.assertLess(len(err), 600)

    def test_libprotobuf_says_nothing_by_itself(self):
        _, err = self.cobus("call", "odd.Odd/Answer", raw(field(1, b"caf\xe9")), code=1)
        self.assertNotIn("libprotobuf", err)
        self.assertEqual(len(err.splitlines()), 1)
        self.assertNotIn("[libprotobuf", self.cluster.log_of("beta"))


if __name__ == "__main__":
    MODULE = sys.argv.pop(2)
    processes.main()
