# SPDX-License-Identifier: Apache-2.0
#
# Code that would use memory after it was freed, or that no other node could understand, is refused by the compiler, and the
# message names the rule that it breaks (node/worker/rules.hpp). Code beside it that keeps the rule is accepted.
# Run as: wrong_code_test.py BUILD_FOLDER COMPILER
import os
import pathlib
import re
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD, COMPILER = "", ""

COMMON = """
#include <cobus/local_node.hpp>
#include <cobus/client.hpp>
#include <cobus/service.hpp>
#include <cobus/v1/envelope.pb.h>
"""
# What each snippet may use.
PRELUDE = """
using cobus::Self;
using cobus::Task;
using Message = cobus::v1::Progress;
struct Plain { int number = 0; };
[[maybe_unused]] static Task<> worker(Self, int) { co_return; }
[[maybe_unused]] static Task<int> asker(Self, int number) { co_return number; }
[[maybe_unused]] static Task<> by_reference(Self, const std::string&) { co_return; }
[[maybe_unused]] static Task<> kind(Self, Message) { co_return; }
[[maybe_unused]] static Task<> plain_kind(Self, Plain) { co_return; }
[[maybe_unused]] static Task<> bare_kind(Self) { co_return; }
[[maybe_unused]] static int ordinary(Self, int number) { return number; }
"""

CAPTURES = "captures_nothing"
BY_VALUE = "takes_its_parameters_by_value"
CALLABLE = "can_be_called_with_self_and_the_arguments"
TASK = "is_a_task"
NO_VALUE = "is_a_task_without_a_value"
MESSAGE = "is_a_protobuf_message"
KIND = "is_a_function_of_self_and_one_protobuf_message_that_gives_a_task"

# name, body of a function that has what USE declares, and the rule; no rule: it is accepted.
SNIPPETS = (
    ("spawn_function", 'self.spawn("w", &worker, 1);', None),
    ("spawn_lambda", 'self.spawn("w", [](Self, int) -> Task<> { co_return; }, 1);', None),
    ("spawn_capturing", 'int n = 1; self.spawn("w", [n](Self) -> Task<> { static_cast<void>(n); co_return; });', CAPTURES),
    ("spawn_referring", 'int n = 1; self.spawn("w", [&](Self) -> Task<> { ++n; co_return; });', CAPTURES),
    ("link_capturing", 'int n = 1; self.spawn_link("w", [n](Self) -> Task<> { static_cast<void>(n); co_return; });', CAPTURES),
    ("monitor_capturing", 'int n = 1; self.spawn_monitor("w", [n](Self) -> Task<> { static_cast<void>(n); co_return; });',
     CAPTURES),
    ("node_capturing", 'int n = 1; node.spawn("w", [n](Self) -> Task<> { static_cast<void>(n); co_return; });', CAPTURES),
    ("run_capturing", "int n = 1; local.run([n](Self) -> Task<int> { co_return n; });", CAPTURES),
    ("session_capturing", "int n = 1; auto r = session.run([n](Self) -> Task<int> { co_return n; });", CAPTURES),
    ("std_function", 'std::function<Task<>(Self)> f; self.spawn("w", f);', CAPTURES),
    ("run_function", "local.run(&asker, 1);", None),
    ("session_function", "auto r = session.run(&asker, 1);", None),
    ("spawn_reference", 'self.spawn("w", &by_reference, std::string());', BY_VALUE),
    ("lambda_reference", 'self.spawn("w", [](Self, const std::string&) -> Task<> { co_return; }, std::string());', BY_VALUE),
    ("run_reference", "local.run(&by_reference, std::string());", BY_VALUE),
    ("spawn_arguments", 'self.spawn("w", &worker);', CALLABLE),
    ("spawn_value", 'self.spawn("w", &asker, 1);', NO_VALUE),
    ("spawn_ordinary", 'self.spawn("w", &ordinary, 1);', TASK),
    ("run_ordinary", "local.run(&ordinary, 1);", TASK),
    ("send", "auto sent = self.send(self.address(), Message());", None),
    ("send_plain", "auto sent = self.send(self.address(), Plain());", MESSAGE),
    ("try_send_plain", "auto sent = self.try_send(self.address(), Plain());", MESSAGE),
    ("send_text", 'auto sent = self.send(self.address(), std::string("text"));', MESSAGE),
    ("receive", "auto wait = self.receive<Message>();", None),
    ("receive_plain", "auto wait = self.receive<Message, Plain>();", MESSAGE),
    ("ask_plain", "auto asked = cobus::call_worker<Message>(self, self.address(), Plain());", MESSAGE),
    ("answer_plain", "auto asked = cobus::call_worker<Plain>(self, self.address(), Message());", MESSAGE),
    ("spawn_at_plain", 'auto made = cobus::spawn_at(self, self.address().node, "k", Plain());', MESSAGE),
    ("kind", 'auto k = cobus::make_kind("k", &kind);', None),
    ("kind_plain", 'auto k = cobus::make_kind("k", &plain_kind);', KIND),
    ("kind_bare", 'auto k = cobus::make_kind("k", &bare_kind);', KIND),
    ("kind_with_a_value", 'auto k = cobus::make_kind("k", &asker);', KIND),
    ("offload_coroutine", "auto done = cobus::offload([]() -> Task<int> { co_return 1; });", "a coroutine is awaited as it is"),
)
USE = "void use(Self self, cobus::Node& node, cobus::LocalNode& local, cobus::client::Session& session)"
# The same outside of functions.
DECLARATIONS = (
    ("worker_macro", 'COBUS_WORKER("right.Kind", &kind);', None),
    ("worker_macro_plain", 'COBUS_WORKER("wrong.Kind", &plain_kind);', KIND),
    ("service_macro", "class NoService {}; COBUS_SERVICE(NoService);", "derives_from_a_generated_service_class"),
)


class WrongCode(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        """Compiles all of them at once, each as a file of its own name, and sorts the errors by these names."""
        text = [COMMON, PRELUDE]
        for name, body, _ in SNIPPETS:
            text.append(f"namespace {name} {{\n#line 1 \"{name}\"\n{USE} {{ {body} }}\n}}\n")
        for name, body, _ in DECLARATIONS:
            text.append(f"namespace {name} {{\n#line 1 \"{name}\"\n{body}\n}}\n")
        unlimited = "-ferror-limit=0" if "clang" in os.path.basename(COMPILER) else "-fmax-errors=0"
        done = subprocess.run(
            [COMPILER, "-std=c++23", "-fsyntax-only", "-w", unlimited, f"-I{ROOT}", f"-I{ROOT}/node/include",
             f"-I{ROOT}/client/include", f"-isystem{BUILD}/proto/generated", "-x", "c++", "-"], input="".join(text),
            capture_output=True, text=True, check=False)
        cls.errors = {}
        for error in re.split(r"(?m)^(?=[^\s].*(?<!fatal )error: |In file included from )", done.stderr):
            for name in set(re.findall(r"(?m)^(\w+):\d+:\d+: ", error)):
                cls.errors[name] = cls.errors.get(name, "") + error
        cls.all = done.stderr

    def test_what_breaks_a_rule_is_refused_by_its_name(self):
        for name, _, rule in SNIPPETS + DECLARATIONS:
            with self.subTest(name):
                said = self.errors.get(name, "")
                if rule is None:
                    self.assertEqual(said, "")
                else:
                    self.assertIn("error: ", said, "it was accepted")
                    self.assertRegex(said, rf"\b{rule}\b")

    def test_every_error_is_about_a_snippet(self):
        for line in self.all.splitlines():
            if ": error: " in line and not line.startswith("/"):
                self.assertIn(line.split(":")[0], [name for name, _, _ in SNIPPETS + DECLARATIONS], line)


if __name__ == "__main__":
    COMPILER = sys.argv.pop(2)
    BUILD = sys.argv.pop(1)
    unittest.main()
