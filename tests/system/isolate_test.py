# SPDX-License-Identifier: Apache-2.0
#
# Modules in child processes (--isolate): whatever one does to its process, only its own callers notice; what becomes of
# the children when their node ends. Run as: isolate_test.py BIN_FOLDER MODULE [TEST...]
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import unittest

import processes
from processes import ClusterTest

MODULE = ""  # unruly.so
UNRULY = "unruly.Unruly/"
SOON = 5  # seconds: the end of a process is noticed within one, and machines are slow


class Steady(threading.Thread):
    """Calls a method again and again until it is told to stop."""

    def __init__(self, command):
        super().__init__()
        self.command = command
        self.count = 0
        self.longest = 0
        self.failures = []
        self.over = threading.Event()

    def run(self):
        while not self.over.is_set():
            begin = time.monotonic()
            done = subprocess.run(self.command, capture_output=True, text=True, timeout=120, check=False)
            self.longest = max(self.longest, time.monotonic() - begin)
            self.count += 1
            if done.returncode != 0:
                self.failures.append(done.stderr)


class IsolateTest(ClusterTest):
    """A node, alpha, with one module twice, as alpha.bad and alpha.calm."""
    NODES = ()

    def module(self, name, content=None):
        path = os.path.join(self.state, name)
        if content is None:
            shutil.copy(MODULE, path)
        else:
            with open(path, "w", encoding="utf-8") as file:
                file.write(content)
        os.chmod(path, 0o644)
        return path

    def start_alpha(self, *flags):
        self.start_node("alpha", "--isolate", self.module("libbad.so"), "--isolate", self.module("calm.so"), "--shards", "2",
                        "--drain", "1", *flags)
        self.wait_until(lambda: self.names_up() == ["alpha", "alpha.bad", "alpha.calm"], "the children")

    def echo(self, node):
        """The process that answers for this node; None while it does not."""
        done = subprocess.run(self.command("call", UNRULY + "Echo", "{}", "--node", node, "--timeout", "2s", "-o", "json"),
                              capture_output=True, text=True, timeout=60, check=False)
        return int(json.loads(done.stdout)["process"]) if done.returncode == 0 else None

    def steadily(self):
        """Callers of the node itself and of its other child."""
        callers = [Steady(self.command("call", "echo.Echo/Echo", "{}", "--node", "alpha")),
                   Steady(self.command("call", UNRULY + "Echo", "{}", "--node", "alpha.calm"))]
        for caller in callers:
            self.addCleanup(caller.over.set)
            caller.start()
        return callers

    def end_well(self, callers, more=3):
        """Each makes some more calls; then none of all has failed or waited long."""
        counts = [caller.count + more for caller in callers]
        self.wait_until(lambda: all(caller.count >= count for caller, count in zip(callers, counts)), "some more calls", 60)
        for caller in callers:
            caller.over.set()
            caller.join()
            self.assertEqual(caller.failures, [])
            self.assertLess(caller.longest, 3 * SOON)  # one that is held waits for its deadline, 30 s

    def breaks(self, method, seconds=SOON):
        """Calls what breaks the child, whose caller hears so; gives the process that answers from then on."""
        before = self.echo("alpha.bad")
        begin = time.monotonic()
        err = self.cobus("call", UNRULY + method, "{}", "--node", "alpha.bad", "--timeout", "100s", code=1)[1]
        self.assertLess(time.monotonic() - begin, seconds)
        self.assertIn("UNAVAILABLE", err)
        self.wait_until(lambda: self.echo("alpha.bad") not in (None, before), "the child to be back")
        return self.echo("alpha.bad")

    def loop(self):
        """A call of what loops for ever in the child, once it does."""
        call = subprocess.Popen(self.command("call", UNRULY + "Loop", "{}", "--node", "alpha.bad", "--timeout", "300s"),
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

        def end():
            call.kill()
            call.communicate()
        self.addCleanup(end)
        self.wait_until(lambda: f"({UNRULY}Loop) has held" in self.log_of("alpha"), "the loop to be told of")
        return call

    def terminate(self):
        self.processes["alpha"].send_signal(signal.SIGTERM)
        self.assertEqual(self.processes["alpha"].wait(timeout=30), 0, self.log_of("alpha"))

    @staticmethod
    def has_loaded(process):
        with open(f"/proc/{process}/maps", encoding="utf-8") as file:
            return "calm.so" in file.read()

    @staticmethod
    def runs(process):
        try:
            with open(f"/proc/{process}/stat", encoding="utf-8") as file:
                return file.read().rsplit(")", 1)[1].split()[0] not in "ZX"
        except (FileNotFoundError, ProcessLookupError):
            return False


class Breaking(IsolateTest):
    def test_w5_a_crash_is_noticed_by_its_own_callers_only(self):
        self.start_alpha()
        callers = self.steadily()
        for method, cause in (("Abort", "SIGABRT"), ("WriteToNull", "SIGSEGV")):
            self.breaks(method)
            self.assert_logged("alpha", f"child alpha.bad: it ended with signal {cause}")
        self.end_well(callers)
        self.assertNotIn("child alpha.calm: it ended", self.log_of("alpha"))

    def test_w5_a_leak_ends_its_own_process_at_the_bound(self):
        self.start_alpha("--isolate-memory", "400")
        callers = self.steadily()
        process = self.breaks("Leak", seconds=60)  # it takes time to use up the memory
        self.end_well(callers)
        self.assert_logged("alpha", "cobus-node alpha.bad: out of memory")
        self.assert_logged("alpha", "child alpha.bad: it ended with exit code 75")
        with open(f"/proc/{process}/oom_score_adj", encoding="utf-8") as file:
            self.assertEqual(file.read(), "500\n")
        with open(f"/proc/{process}/limits", encoding="utf-8") as file:
            bound = next(line for line in file if line.startswith("Max address space"))
        self.assertEqual(bound.split()[3], str(400 << 20))
        with open(f"/proc/{self.processes['alpha'].pid}/limits", encoding="utf-8") as file:
            self.assertNotIn(str(400 << 20), file.read())

    def test_w5_a_loop_holds_its_own_callers_only(self):
        self.start_alpha()
        process = self.echo("alpha.bad")
        loop = self.loop()
        self.end_well(self.steadily(), more=10)
        self.assertIsNone(loop.poll())
        self.terminate()
        self.assert_logged("alpha", "child alpha.bad (process")
        self.assertFalse(self.runs(process))
        self.assertIn("UNAVAILABLE", loop.communicate(timeout=60)[1])


class Ending(IsolateTest):
    def test_w5_a_stop_of_the_node_ends_its_children_in_order(self):
        self.start_alpha()
        children = [self.echo("alpha.bad"), self.echo("alpha.calm")]
        begin = time.monotonic()
        self.terminate()
        self.assertLess(time.monotonic() - begin, SOON)
        self.assertEqual([self.runs(child) for child in children], [False, False])
        self.assertNotIn("is killed", self.log_of("alpha"))
        self.assertEqual(self.names_up(), [])

    def test_w5_a_node_that_is_killed_takes_its_children_along(self):
        self.start_alpha()
        children = [self.echo("alpha.bad"), self.echo("alpha.calm")]
        self.loop()  # even one that hears of nothing
        self.kill("alpha")
        self.wait_until(lambda: not any(self.runs(child) for child in children), "the children to end")
        self.wait_until(lambda: self.names_up() == [], "their names to be free")
        self.start_alpha()

    def test_children_that_never_come_to_an_end_of_loading_end_with_their_node_too(self):
        for end in (self.terminate, lambda: self.kill("alpha")):
            os.environ["UNRULY_HANGS"] = "yes"
            self.addCleanup(os.environ.pop, "UNRULY_HANGS", None)
            self.start_node("alpha", "--isolate", self.module("calm.so"))
            self.wait_until(lambda: "child alpha.calm is process" in self.log_of("alpha"), "the child")
            child = re.search(r"child alpha\.calm is process (\d+)", self.log_of("alpha"))[1]
            self.wait_until(lambda: self.has_loaded(child), "it to load the module")
            end()
            self.wait_until(lambda: not self.runs(child), "the child to end")
            self.assertNotIn("is killed", self.log_of("alpha"))

    def test_a_child_that_is_killed_comes_back(self):
        self.start_alpha()
        process = self.echo("alpha.calm")
        os.kill(process, signal.SIGKILL)
        self.wait_until(lambda: self.echo("alpha.calm") not in (None, process), "it to be back")
        self.assertIn("child alpha.calm: it ended with signal SIGKILL (Killed); it is started again in 0.1 s",
                      self.log_of("alpha"))


class Seen(IsolateTest):
    def test_a_child_is_a_node_like_any_other(self):
        self.start_alpha("--label", "zone=a", "--log-level", "warn")
        infrastructure = ["cobus.v1.Inspect", "cobus.v1.Observe", "cobus.v1.Schemas", "cobus.v1.Workers"]
        child = self.json("node", "alpha.calm", "-o", "json")
        self.assertEqual(child["labels"], {"zone": "a"})
        offered = [service if isinstance(service, str) else service["name"] for service in child["services"]]
        self.assertEqual([name for name in offered if name not in infrastructure], ["unruly.Unruly"])
        self.assertIn("echo.Echo", self.cobus("node", "alpha", "-o", "json")[0])
        self.assertIsInstance(self.lines("ps", "--node", "alpha.calm", "--window", "0", "-o", "jsonl"), list)
        self.assertIn("unruly.Unruly", self.cobus("services", "-o", "table")[0])

    def test_its_command_line_shows_no_secret(self):
        with open(os.path.join(self.state, "join", "node"), encoding="utf-8") as file:
            token = file.read().strip().split("token=")[1]
        os.environ["COBUS_ISOLATE"] = self.module("calm.so")  # and says nothing to the child
        self.addCleanup(os.environ.pop, "COBUS_ISOLATE", None)
        self.start_node("alpha", "--state", os.path.join(self.state, "own"), "--join", "@" + self.state + "/join/node")
        self.wait_until(lambda: self.names_up() == ["alpha", "alpha.calm"], "the child")
        process = self.echo("alpha.calm")
        with open(f"/proc/{process}/cmdline", encoding="utf-8") as file:
            words = file.read().split("\0")
        self.assertEqual(words[:3], ["cobus-node", "--child-of", "alpha"])
        self.assertFalse([word for word in words if token in word])
        self.assertNotIn("--isolate", words)
        with open(f"/proc/{process}/comm", encoding="utf-8") as file:
            self.assertEqual(file.read(), "cobus-node\n")
        self.terminate()


class Refused(IsolateTest):
    def refused(self, code, *flags, says):
        for check in ((), ("--check-config",)):
            done = subprocess.run([os.path.join(processes.BIN, "cobus-node"), "--state", self.state, *flags, *check],
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual(done.returncode, code, done.stderr)
            self.assertIn(says, done.stderr)

    def test_what_could_never_run_is_refused_at_the_start(self):
        self.refused(1, "--isolate", "/no/such.so", says="/no/such.so")
        self.refused(1, "--isolate", self.state, says="is no file")
        writable = self.module("open.so")
        os.chmod(writable, 0o666)
        self.refused(1, "--isolate", writable, says="chmod go-w")
        calm = self.module("calm.so")
        self.refused(2, "--name", "alpha", "--isolate", calm, "--isolate", self.module("libcalm.so"), says="alpha.calm, as")
        self.refused(2, "--name", "a" * 59, "--isolate", calm, says="1 to 63 letters")
        self.refused(2, "--name", "alpha", "--isolate", self.module("a b.so"), says="'alpha.a b'")
        self.refused(2, "--isolate", calm, "--isolate-memory", "50", "--shards", "8", "--pool", "8", says="give it 224 at least")

    def test_one_that_cannot_be_loaded_is_told_of_and_keeps_nobody_else_from_running(self):
        self.start_node("alpha", "--isolate", self.module("garbage.so", "no module\n"), "--isolate", self.module("calm.so"))
        self.wait_until(lambda: self.names_up() == ["alpha", "alpha.calm"], "the other child")
        self.wait_until(lambda: self.log_of("alpha").count("garbage.so cannot be loaded") >= 4, "some attempts")
        self.assert_logged("alpha", "child alpha.garbage: it ended with exit code 1")
        self.assertEqual(self.log_of("alpha").count("child alpha.garbage: it ended with exit code 1"), 1)
        self.assertIsNotNone(self.echo("alpha.calm"))


if __name__ == "__main__":
    processes.BIN = sys.argv.pop(1)
    MODULE = sys.argv.pop(1)
    unittest.main(verbosity=2)
