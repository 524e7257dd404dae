# SPDX-License-Identifier: Apache-2.0
#
# What an operator meets: starts that must be refused, with which exit code and what stays as it was; nodes that
# come and go; what the daemons log meanwhile. Run as: operator_test.py BIN_FOLDER [TEST...]
import os
import signal
import subprocess
import sys
import tempfile
import unittest

import processes
from processes import ClusterTest


def snapshot(folder):
    """Every file below the folder with its content."""
    files = {}
    for where, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(where, name), "rb") as file:
                files[os.path.join(where, name)] = file.read()
    return files


class OperatorTest(ClusterTest):
    NODES = ()

    def refused(self, code, program, *flags, says=(), env=None, **options):
        """Runs a program that must end by itself with this exit code and these words; gives its stderr."""
        done = subprocess.run([os.path.join(processes.BIN, program), *flags], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=30, check=False,
                              env={**os.environ, **(env or {})}, **options)
        self.assertEqual(done.returncode, code, done.stderr)
        for text in [says] if isinstance(says, str) else says:
            self.assertIn(text, done.stderr)
        return done.stderr


class Brokers(OperatorTest):
    def test_a_second_broker_on_the_same_folder_leaves_everything_as_it_was(self):
        before = snapshot(self.state + "/join") | snapshot(self.state + "/broker")
        self.refused(69, "cobus-broker", "--state", self.state, "--listen", "tcp://127.0.0.1:0",
                     says=f"is in use by process {self.processes['broker'].pid}")
        self.assertEqual(snapshot(self.state + "/join") | snapshot(self.state + "/broker"), before)
        self.cobus("nodes")

    def test_an_address_that_is_none_is_a_wrong_usage_and_nothing_is_written(self):
        absent = os.path.join(self.state, "absent")
        for program, *flags in (["cobus-broker", "--listen", "bogus"], ["cobus-broker", "--listen", "tcp://0.0.0.0:7700"],
                                ["cobus-broker", "--advertise", "bogus"], ["cobus-broker", "--advertise", "tcp://host"],
                                ["cobus-broker", "--advertise", "tcp://0.0.0.0:7700"],
                                ["cobus-broker", "--advertise", "tcp://host:0"], ["cobus", "up", "--listen", "bogus"],
                                *(["cobus-node", "--advertise", bad, "--join", "@" + self.state + "/join/node"]
                                  for bad in ("tcp://host:7701", "tcp://10.0.0.7", "tcp://0.0.0.0:7701")),
                                ["cobus-node", "--listen", "bogus", "--join", "@" + self.state + "/join/node"]):
            err = self.refused(2, program, *flags, "--state", absent, says="tcp://")
            self.assertNotIn("cobus: cobus-broker:", err)
            self.assertFalse(os.path.exists(absent))


class Nodes(OperatorTest):
    NODES = ("alpha",)

    def node(self, name):
        return next((node for node in self.lines("nodes") if node["name"] == name), None)

    def test_the_age_is_the_time_since_the_node_renewed(self):
        self.wait_until(lambda: self.node("alpha")["age_ms"] > 300, "an age that grows", seconds=10)
        self.addCleanup(self.processes["alpha"].send_signal, signal.SIGCONT)
        self.processes["alpha"].send_signal(signal.SIGSTOP)
        self.wait_until(lambda: self.node("alpha")["age_ms"] > 2500, "the age of a node that hangs", seconds=10)
        self.processes["alpha"].send_signal(signal.SIGCONT)
        self.wait_until(lambda: self.node("alpha")["age_ms"] < 2000, "it to renew again", seconds=10)

    def test_a_node_that_nothing_comes_from_is_suspected_before_it_is_down(self):
        self.assertEqual(self.node("alpha")["suspected_by"], [])
        self.addCleanup(self.processes["alpha"].send_signal, signal.SIGCONT)
        self.processes["alpha"].send_signal(signal.SIGSTOP)
        self.wait_until(lambda: self.node("alpha")["suspected_by"], "alpha to be suspected", seconds=10)
        table = self.cobus("nodes", "-o", "table")[0]
        one = self.cobus("node", "alpha", "-o", "table")[0]
        self.processes["alpha"].send_signal(signal.SIGCONT)
        self.assertIn(" up, suspected ", table)
        self.assertRegex(one, r"suspected by +127.0.0.1:\d+: nothing came from it for 3 s or more; after 5 s it counts as down")
        self.wait_until(lambda: not self.node("alpha")["suspected_by"], "alpha to be heard again", seconds=10)
        self.assertEqual(self.node("alpha")["state"], "up")
        self.assertNotIn("is gone", self.log_of("broker"))

    def test_a_node_that_left_is_down_for_a_while(self):
        self.kill("alpha")
        self.wait_until(lambda: self.node("alpha")["state"] == "down", "alpha to be down")
        self.assertEqual(self.json("node", "alpha")["services"], [])
        self.assertIn(" down ", self.cobus("nodes", "-o", "table")[0])
        self.assertEqual(self.lines("services"), [])
        self.start_node("alpha")
        self.assertEqual([node["state"] for node in self.lines("nodes")], ["up"])

    def test_a_second_node_on_the_same_folder_is_refused_with_and_without_a_ledger(self):
        pid = self.processes["alpha"].pid
        for ledger in ("sqlite", "none"):
            self.refused(69, "cobus-node", "--state", self.state, "--name", "alpha", "--ledger", ledger,
                         says=f"nodes/alpha is in use by process {pid}: stop that node")
        self.kill("alpha")
        self.start_node("alpha", "--ledger", "none")
        self.refused(69, "cobus-node", "--state", self.state, "--name", "alpha", "--ledger", "none", says="is in use by process")
        self.assertEqual([node["state"] for node in self.lines("nodes")], ["up"])

    def test_an_impostor_is_refused_and_never_here_or_gone(self):
        other = os.path.join(self.state, "other")
        self.refused(1, "cobus-node", "--state", other, "--name", "alpha", "--join", "@" + self.state + "/join/node",
                     says="held by key")
        log = self.log_of("broker")
        self.assertIn("node alpha is refused: the name alpha is held by key", log)
        self.assertEqual((log.count("alpha is here"), log.count("alpha is gone"), log.count("alpha connected")), (1, 0, 0))

    def test_a_node_with_the_fingerprint_of_another_cluster_is_told_both_causes_and_the_next_step(self):
        with open(os.path.join(self.state, "join", "node"), encoding="utf-8") as file:
            here = file.read().strip()
        with tempfile.TemporaryDirectory() as other:
            self.start("other", "cobus-broker", "--listen", "tcp://127.0.0.1:0", state=other)
            with open(os.path.join(other, "join", "node"), encoding="utf-8") as file:
                there = file.read().strip()
            self.processes["other"].terminate()
            self.processes["other"].wait()
        fingerprint = lambda join: join.split("cluster=")[1].split("&")[0]
        log = os.path.join(self.state, "stray.log")
        with open(log, "w", encoding="utf-8") as file:
            stray = subprocess.Popen([os.path.join(processes.BIN, "cobus-node"), "--state", os.path.join(self.state, "stray"),
                                      "--join", here.replace(fingerprint(here), fingerprint(there))],
                                     stdin=subprocess.DEVNULL, stderr=file)
        self.processes["stray"] = stray
        self.wait_until(lambda: "Trying on" in self.log_of("stray"), "its complaint")
        for text in ("another cluster's broker", "join string is not", fingerprint(there), "STATE/join/node", "--join"):
            self.assert_logged("stray", text)

    def test_after_a_join_the_state_folder_knows_the_way_itself_without_the_token(self):
        elsewhere = os.path.join(self.state, "elsewhere")
        join = "@" + self.state + "/join/"
        self.start("beta", "cobus-node", "--name", "beta", "--join", join + "node", state=elsewhere)
        self.cobus("nodes", "--join", join + "submit", state=elsewhere)
        for kept in ("nodes/beta/join", "client/join"):
            with open(os.path.join(elsewhere, kept), encoding="utf-8") as file:
                self.assertNotIn("token", file.read())
            self.assertEqual(os.stat(os.path.join(elsewhere, kept)).st_mode & 0o777, 0o600)
        self.processes["beta"].terminate()
        self.processes["beta"].wait()
        self.start("beta", "cobus-node", "--name", "beta", state=elsewhere)
        self.assertEqual([node["name"] for node in self.lines("nodes", state=elsewhere)], ["alpha", "beta"])


class Starts(OperatorTest):
    def test_without_a_home_folder_nothing_is_written_into_the_working_folder(self):
        if os.geteuid() != 0:
            self.skipTest("only root can become a user who is in no passwd database")
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o777)
            bare = {"COBUS_STATE": "", "XDG_STATE_HOME": "", "HOME": ""}
            for program, *words in (["cobus-broker"], ["cobus-node"], ["cobus", "nodes"], ["cobus", "up"], ["cobus", "doctor"],
                                    ["cobus", "keys", "show"]):
                self.refused(1, program, *words, says=("HOME", "COBUS_STATE", "--state"), env=bare, user=54321, cwd=folder)
            self.assertEqual(os.listdir(folder), [])

    def test_a_host_that_was_renamed_leaves_no_ledger_behind(self):
        def start(host, *flags):
            """A node on a host that is called so; None where this machine allows no other name."""
            return ["unshare", "--uts", "sh", "-c", f'hostname {host} && exec "$0" "$@"',
                    os.path.join(processes.BIN, "cobus-node"), "--state", self.state, *flags]
        if subprocess.run(["unshare", "--uts", "hostname", "x"], capture_output=True, check=False).returncode != 0:
            self.skipTest("this machine allows no host name of one's own")
        log = open(os.path.join(self.state, "old.log"), "w", encoding="utf-8")
        self.addCleanup(log.close)
        node = subprocess.Popen(start("old"), stdin=subprocess.DEVNULL, stderr=log)
        self.processes["old"] = node
        self.wait_until(lambda: self.names_up() == ["old"], "old to be up")
        node.terminate()
        self.assertEqual(node.wait(timeout=30), 0)
        done = subprocess.run(start("new"), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False)
        self.assertEqual(done.returncode, 1)
        for text in ("--name old", "--name new", "nodes/old"):
            self.assertIn(text, done.stderr)
        self.assertFalse(os.path.exists(os.path.join(self.state, "nodes", "new", "ledger.db")))
        self.processes["old"] = subprocess.Popen(start("new", "--name", "old"), stdin=subprocess.DEVNULL, stderr=log)
        self.wait_until(lambda: self.names_up() == ["old"], "old to be up again")

    def test_without_a_join_string_or_its_file_the_exit_code_tells_which(self):
        empty = os.path.join(self.state, "empty")
        self.refused(69, "cobus-node", "--state", empty, says="--join")
        self.refused(2, "cobus-node", "--state", empty, "--join", "@/no/such/file", says="/no/such/file")
        self.refused(2, "cobus", "--state", empty, "--join", "@/no/such/file", "nodes", says="/no/such/file")

    def test_what_others_can_read_is_not_permitted(self):
        os.chmod(os.path.join(self.state, "join"), 0o755)
        self.refused(77, "cobus-node", "--state", self.state, says="chmod 700")
        self.refused(77, "cobus", "--state", self.state, "nodes", says="chmod 700")
        os.chmod(os.path.join(self.state, "join"), 0o700)
        os.chmod(self.state, 0o755)
        for program, *words in (["cobus-broker"], ["cobus-node", "--name", "n"], ["cobus", "nodes"]):
            self.refused(77, program, *words, "--state", self.state, says="chmod 700 " + self.state)
        os.chmod(self.state, 0o700)

    def test_a_full_disk_says_to_make_room(self):
        with tempfile.TemporaryDirectory() as disk:
            mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k,mode=700", "tmpfs", disk], check=False,
                                     capture_output=True)
            if mounted.returncode != 0:
                self.skipTest("this machine allows no file system of one's own")
            try:
                with open(os.path.join(disk, "all"), "wb") as file:
                    file.write(b"x" * 4096)
                self.refused(75, "cobus-broker", "--state", disk, "--listen", "tcp://127.0.0.1:0", says="make room")
                self.refused(75, "cobus", "--state", disk, "up", "--listen", "tcp://127.0.0.1:0", says="make room")
                join = "@" + self.state + "/join/"
                self.refused(75, "cobus-node", "--state", disk, "--join", join + "node", says="make room")
                self.refused(75, "cobus", "--state", disk, "--join", join + "admin", "nodes", says="make room")
            finally:
                subprocess.run(["umount", disk], check=True)

    def test_the_state_folder_may_stand_behind_jobs_where_state_is_the_filter(self):
        self.start_node("alpha")
        self.cobus("submit", "Echo", "{}", "--wait")
        where = ["--state", self.state]
        cobus = os.path.join(processes.BIN, "cobus")
        count = lambda *words: len(subprocess.run([cobus, "jobs", *words], capture_output=True, check=True).stdout.splitlines())
        self.assertEqual((count(*where), count(*where, "--state", "failed"), count(*where, "--state", "succeeded")), (1, 0, 1))


if __name__ == "__main__":
    processes.BIN = sys.argv.pop(1)
    unittest.main(verbosity=2)
