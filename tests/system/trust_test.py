# SPDX-License-Identifier: Apache-2.0
#
# Trust as people handle it, with real processes: tokens, certificates, revocation, and the doctor.
# Run as: trust_test.py BIN_FOLDER [TEST...]
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import unittest

import processes
from cli_cluster import SharedCluster, in_terminal, start


class Tokens(SharedCluster):
    NODES = ("alpha",)

    def create(self, *flags, **options):
        """The join string, and what was said besides."""
        out, err = self.cobus("token", "create", *flags, **options)
        self.assertRegex(out, r"^cobus://127\.0\.0\.1:\d+\?cluster=[a-z2-7]{52}&token=[a-z2-7]{32}\n$")
        return out.strip(), err

    def join_file(self, line):
        return "@" + self.file(line + "\n", suffix=".join")

    def test_a_token_is_one_line_and_lets_in_as_often_as_it_says(self):
        line, err = self.create("--uses", "1", "--note", "for beta")
        secret = line.split("token=")[1]
        self.assertNotIn(secret, err)
        self.assertIn("role node, 1 use", err)
        join = self.join_file(line)
        other = os.path.join(self.state, "other")
        node = self.cluster.start("beta", "cobus-node", "--name", "beta", "--join", join, state=other)
        late = subprocess.run([os.path.join(processes.BIN, "cobus-node"), "--state", os.path.join(self.state, "late"), "--name",
                               "late", "--join", join], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(late.returncode, 77, late.stderr)
        self.assertIn("used up", late.stderr)
        listed = [token for token in self.lines("token", "list") if token["note"] == "for beta"]
        self.assertEqual([(token["role"], token["uses"], token["used"], token["usable"]) for token in listed],
                         [("node", 1, 1, False)])
        node.terminate()
        self.assertEqual(node.wait(timeout=30), 0)
        for name in ("broker", "alpha", "beta"):
            self.assertNotIn(secret, self.cluster.log_of(name) + late.stderr)
        with open(os.path.join(self.state, "broker", "tokens"), encoding="utf-8") as file:
            self.assertNotIn(secret, file.read())

    def test_a_token_gives_its_role_and_none_after_it_was_deleted(self):
        line, err = self.create("--role", "submit", "--ttl", "5m", "--uses", "20")
        join = self.join_file(line)
        me = os.path.join(self.state, "me")
        self.cobus("call", "Echo", "--join", join, state=me)
        self.cobus("tap", "--for", "100ms", "--join", join, state=me, code=77)
        err = self.cobus("token", "create", "--join", join, state=me, code=77)[1]
        self.assertIn("PERMISSION_DENIED", err)
        self.cobus("keys", "--join", join, state=me, code=77)
        refused = r"refused a call of [\w.-]+ \(key [a-z2-7]{12}\): the role 'submit' may not call"
        self.cluster.wait_until(lambda: re.search(refused, self.cluster.log_of("broker")), "the broker to log that")
        self.cobus("revoke", "alpha", "--join", join, state=me, code=77)
        token = next(token for token in self.lines("token", "list") if token["uses"] == 20)
        self.assertIn("lets nobody in", self.cobus("token", "delete", token["id"][:8])[1])
        self.fails(77, "nodes", "--join", join, "--state", os.path.join(self.state, "you"), says="does not know the token")
        self.cobus("call", "Echo", "--join", join, state=me)  # who came with it stays
        self.fails(2, "token", "delete", token["id"], says=["no token", "cobus token list"])

    def test_what_is_wrong_is_said(self):
        for flags, says in ((("create", "--role", "king"), "none of node|submit|observe|admin"),
                            (("create", "--ttl", "0"), "no time at all"),
                            (("create", "--ttl", "400d"), "at most a year"),
                            (("create", "--uses", "0"), "from 1 to"),
                            (("create", "x"), "takes no ID"),
                            (("delete",), "needs ID"),
                            (("list", "--role", "node"), "is for cobus token create"),
                            (("burn",), "create, list and delete"),
                            ((), "needs ACTION")):
            self.fails(2, "token", *flags, says=says)

    def test_no_list_of_processes_shows_a_token(self):
        line = self.create()[0]
        node = self.cluster.start("gamma", "cobus-node", "--name", "gamma", "--join", line, state=os.path.join(self.state, "gamma"))
        with open(f"/proc/{node.pid}/cmdline", encoding="utf-8") as file:
            words = file.read()
        self.assertIn("&token=****", words)
        self.assertNotIn(line.split("token=")[1], words)
        node.send_signal(signal.SIGHUP)  # looks at the command line again
        self.wait_until(lambda: "SIGHUP: reloaded" in self.cluster.log_of("gamma"), "a reload")
        self.assertNotIn("next start", self.cluster.log_of("gamma"))
        node.terminate()
        self.assertEqual(node.wait(timeout=30), 0)

    def test_json_has_all_of_it(self):
        made = self.json("token", "create", "--role", "observe", "-o", "json")
        self.assertEqual((made["role"], made["uses"], made["used"], made["usable"]), ("observe", 1, 0, True))
        self.assertTrue(made["join"].startswith("cobus://"))
        listed = self.json("token", "list", "-o", "json")
        self.assertIn(made["id"], [token["id"] for token in listed])
        self.assertIn(made["id"], self.cobus("token", "list", "-o", "id")[0].split())
        self.assertEqual({token["note"] for token in listed} & {"STATE/join/node", "STATE/join/admin"},
                         {"STATE/join/node", "STATE/join/admin"})


class Keys(SharedCluster):
    NODES = ("alpha", "beta")

    def test_keys_lists_who_was_let_in(self):
        keys = {key["name"]: key for key in self.lines("keys")}
        self.assertTrue({"alpha", "beta"} <= keys.keys())
        alpha = keys["alpha"]
        self.assertEqual((alpha["role"], alpha["state"], alpha["revoked_at"]), ("node", "valid", None))
        self.assertRegex(alpha["fingerprint"], "^[a-z2-7]{52}$")
        self.assertRegex(alpha["valid_until"], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$")

    def test_keys_show_says_who_one_is_also_without_a_broker(self):
        me = self.json("keys", "show", "-o", "json")
        self.assertEqual(me["role"], "admin")
        self.assertIn(me["fingerprint"], [key["fingerprint"] for key in self.lines("keys")])
        alone = os.path.join(self.state, "alone")
        with open(os.path.join(self.state, "join", "submit"), encoding="utf-8") as file:
            nowhere = file.read().strip().replace("127.0.0.1:", "127.0.0.2:")
        shown, err = self.cobus("keys", "show", "-o", "json", "--join", "@" + self.file(nowhere), state=alone)
        self.assertIsNone(json.loads(shown)["role"])
        self.assertIn("no certificate yet", err)
        self.assertNotIn("token", shown)
        self.fails(2, "keys", "sho", says="list and show")


class Revocation(processes.ClusterTest):
    NODES = ("alpha", "beta")

    def test_a_revoked_node_is_out_within_a_second_and_stays_out(self):
        out, err = self.cobus("revoke", "beta", "--reason", "for the test", "-o", "json")
        revoked = json.loads(out)
        self.assertEqual([(key["name"], key["state"], key["reason"]) for key in revoked], [("beta", "revoked", "for the test")])
        end = time.monotonic() + 1.5
        looked = time.monotonic()  # a look itself takes what a slow machine needs
        while self.names_up() != ["alpha"]:
            self.assertLess(looked, end, "beta is still there")
            looked = time.monotonic()
        self.assertEqual([key["state"] for key in self.lines("keys") if key["name"] == "beta"], ["revoked"])
        # Also with another life of everybody.
        self.processes["beta"].terminate()
        self.assertEqual(self.processes["beta"].wait(timeout=30), 0)
        again = subprocess.run([os.path.join(processes.BIN, "cobus-node"), "--state", self.state, "--name", "beta"],
                               capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(again.returncode, 77, again.stderr)
        self.assertIn("it was revoked", again.stderr)
        self.assertTrue(os.path.exists(os.path.join(self.state, "nodes", "alpha", "revoked")))
        self.wait_until(lambda: re.search(r"refused a connection from 127\.0\.0\.1 \(key [a-z2-7]{12}\): its key is revoked", self.log_of("broker")), "the broker to log that")
        # With a key of its own somebody of that name joins again.
        os.rename(os.path.join(self.state, "nodes", "beta"), os.path.join(self.state, "nodes", "old"))
        self.start_node("beta")
        self.assertEqual(self.names_up(), ["alpha", "beta"])

    def test_the_tap_of_a_revoked_key_ends_within_a_second(self):
        me = os.path.join(self.state, "me")
        watch = "@" + os.path.join(self.state, "join", "observe")
        self.cobus("nodes", "--join", watch, state=me)
        mine = self.json("keys", "show", "-o", "json", "--join", watch, state=me)["fingerprint"]
        tap = start(self, self.command("tap", "--join", watch, state=me))
        self.assertIn("tapping", tap.stderr.readline())
        self.cobus("revoke", mine[:12], "--yes")
        begun = time.monotonic()
        self.assertIn("shut out of the cluster", tap.stderr.readline())
        self.assertLess(time.monotonic() - begun, 1.5)
        self.assertEqual(tap.wait(timeout=10), 77)
        err = self.cobus("nodes", "--join", watch, state=me, code=77)[1]
        self.assertIn("it was revoked", err)

    def test_ones_own_key_needs_to_be_meant(self):
        mine = self.json("keys", "show", "-o", "json")["fingerprint"]
        err = self.cobus("revoke", mine, code=2)[1]
        self.assertIn("add --yes", err)
        code, shown = in_terminal(self.command("revoke", mine), typed="y\nn\n")
        self.assertEqual(code, 3, shown)
        self.assertIn("nothing was revoked", shown)
        self.cobus("nodes")
        self.cobus("revoke", mine, "--yes")
        self.wait_until(lambda: "revoked" in self.log_of("alpha"), "alpha to hear of it", seconds=2)
        self.cobus("nodes", code=77)

    def test_on_a_terminal_it_asks(self):
        code, shown = in_terminal(self.command("revoke", "beta"), typed="n\n")
        self.assertEqual(code, 3, shown)
        self.assertEqual(self.names_up(), ["alpha", "beta"])
        code, shown = in_terminal(self.command("revoke", "beta"), typed="y\n")
        self.assertEqual(code, 0, shown)
        self.wait_until(lambda: self.names_up() == ["alpha"], "beta to be gone")

    def test_a_revocation_that_is_not_written_down_is_not_done(self):
        kept = os.path.join(self.state, "broker", "revoked")
        os.mkdir(kept)  # where the file is to be: nothing can be written there, as on a full disk
        out, err = self.cobus("revoke", "beta", "-o", "json", code=1)
        self.assertEqual(out, "")
        self.assertIn("could not write that down", err)
        self.assertIn(kept, err)
        self.wait_until(lambda: self.names_up() == ["alpha"], "beta to be out all the same")
        self.cobus("revoke", "beta", code=1)
        os.rmdir(kept)
        self.wait_until(lambda: os.path.isfile(kept), "the broker to write it down by itself")
        self.wait_until(lambda: "what was revoked is written down now" in self.log_of("broker"), "the broker to say so")
        revoked = json.loads(self.cobus("revoke", "beta", "-o", "json")[0])
        self.assertEqual([key["state"] for key in revoked], ["revoked"])
        # Its disk is all that knows of it then.
        for name in ("alpha", "beta"):
            self.processes[name].terminate()
            self.assertEqual(self.processes[name].wait(timeout=30), 0)
        self.kill("broker")
        for name in ("alpha", "beta"):
            with contextlib.suppress(FileNotFoundError):
                os.remove(os.path.join(self.state, "nodes", name, "revoked"))
        self.start("broker", "cobus-broker", "--listen", "tcp://127.0.0.1:0")
        again = subprocess.run([os.path.join(processes.BIN, "cobus-node"), "--state", self.state, "--name", "beta"],
                               capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(again.returncode, 77, again.stderr)

    def test_one_broker_that_writes_it_down_is_enough(self):
        other = os.path.join(self.state, "other")
        for folder in (other, os.path.join(other, "broker")):
            os.mkdir(folder, 0o700)
        shutil.copy(os.path.join(self.state, "broker", "cluster.key"), os.path.join(other, "broker"))
        self.start("broker2", "cobus-broker", "--listen", "tcp://127.0.0.1:0", state=other)
        join = {}
        for which, state in (("first", self.state), ("second", other)):
            with open(os.path.join(state, "join", "admin"), encoding="utf-8") as file:
                join[which] = file.read().strip()
        second = re.match(r"cobus://([^?]+)", join["second"]).group(1)
        both = os.path.join(self.state, "both.join")
        with open(both, "w", encoding="utf-8", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(join["first"].replace("?", f",{second}?", 1) + "\n")
        self.cobus("nodes")  # has a certificate now, which counts at both
        os.mkdir(os.path.join(self.state, "broker", "revoked"))
        out, err = self.cobus("revoke", "beta", "-o", "json", "--join", "@" + both)
        self.assertEqual([key["name"] for key in json.loads(out)], ["beta"])
        self.assertIn("does not keep it", err)
        self.assertTrue(os.path.isfile(os.path.join(other, "broker", "revoked")))

    def test_what_cannot_be_revoked_is_said(self):
        for who, says in (("nobody", "knows no certificate"), ("7", "knows no certificate")):
            self.assertIn(says, self.cobus("revoke", who, code=2)[1])
        self.assertIn("a broker cannot be revoked", self.cobus("revoke", "broker", code=1)[1])
        self.assertIn("at most 200", self.cobus("revoke", "beta", "--reason", "x" * 201, code=2)[1])


class Record(processes.ClusterTest):
    NODES = ()

    def restart_broker(self, *flags):
        broker = self.processes["broker"]
        address = re.search(r"is ready at tcp://(\S+);", self.log_of("broker")).group(1)
        broker.terminate()
        self.assertEqual(broker.wait(timeout=30), 0)
        self.start("broker", "cobus-broker", "--listen", "tcp://" + address, *flags)

    def test_a_full_record_takes_no_newcomers_and_forgets_nobody(self):
        self.cobus("keys")  # the admin is the first
        self.restart_broker("--certificates-max", "2")
        self.start_node("alpha")
        submit = os.path.join(self.state, "join", "submit")
        you = os.path.join(self.state, "you")
        err = self.cobus("nodes", "--join", "@" + submit, state=you, code=75)[1]
        self.assertIn("record of certificates is full", err)
        self.assertIn("--certificates-max", err)
        self.assertEqual(len(self.lines("keys")), 2)
        self.assertEqual(self.names_up(), ["alpha"])
        with open(os.path.join(self.state, "late.log"), "w", encoding="utf-8") as log:
            self.processes["late"] = subprocess.Popen(
                [os.path.join(processes.BIN, "cobus-node"), "--state", self.state, "--name", "late"],
                stdin=subprocess.DEVNULL, stderr=log)
        self.restart_broker("--certificates-max", "10")
        self.wait_until(lambda: self.names_up() == ["alpha", "late"], "the node that waited to be let in")
        self.cobus("nodes", "--join", "@" + submit, state=you)
        self.assertEqual(sorted(key["role"] for key in self.lines("keys")), ["admin", "node", "node", "submit"])

    def test_the_record_of_an_earlier_release_is_taken_over(self):
        self.cobus("keys")
        record = os.path.join(self.state, "broker", "certificates")
        self.processes["broker"].terminate()
        self.assertEqual(self.processes["broker"].wait(timeout=30), 0)
        end = int(time.time()) + 86_400
        with open(record, "w", encoding="utf-8") as file:
            file.write(f"cobus certificates v1\n7 node {'a' * 52} {end - 90_000} {end} earlier\n"
                       f"8 node {'a' * 52} {end - 90_000} {end + 9} earlier\n")
        for rest in ("-wal", "-journal"):
            self.assertFalse(os.path.exists(record + rest), "a broker that stopped leaves one file")
        self.start("broker", "cobus-broker", "--listen", "tcp://127.0.0.1:0")
        self.assertEqual([(key["name"], key["serial"]) for key in self.lines("keys")], [("earlier", "8")])
        self.assertEqual(oct(os.stat(record).st_mode & 0o777), "0o600")
        self.cobus("revoke", "earlier")


class Doctor(processes.ClusterTest):
    NODES = ("alpha", "beta")

    def findings(self, *flags, code=1, **options):
        """Without what depends on the machine: a state folder in memory, few descriptors."""
        out, err = self.cobus_any("doctor", "-o", "json", *flags, **options)
        found = [finding for finding in json.loads(out) if finding["code"] not in ("D008", "D009")]
        return found, err

    def cobus_any(self, *arguments, state=None):
        done = subprocess.run(self.command(*arguments, state=state), capture_output=True, text=True, timeout=60, check=False)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        self.assertEqual(done.returncode, 1 if json.loads(done.stdout) else 0)
        return done.stdout, done.stderr

    def test_nothing_is_wrong_with_a_cluster_that_is_well(self):
        self.assertEqual(self.findings("--mesh")[0], [])

    def test_each_finding_has_a_code_an_object_a_cause_and_a_mend(self):
        os.chmod(os.path.join(self.state, "join", "node"), 0o644)
        os.kill(self.processes["beta"].pid, signal.SIGSTOP)
        self.addCleanup(os.kill, self.processes["beta"].pid, signal.SIGCONT)
        found = self.findings("--mesh")[0]
        codes = {finding["code"] for finding in found}
        self.assertTrue({"D001", "D004"} <= codes, found)
        for finding in found:
            self.assertEqual(set(finding), {"code", "object", "cause", "mend"})
            self.assertTrue(all(finding.values()), finding)
        self.assertIn("join/node", next(finding["object"] for finding in found if finding["code"] == "D001"))
        self.assertEqual(next(finding["object"] for finding in found if finding["code"] == "D004"), "node beta")
        self.assertIn(("D012", "alpha -> beta"), {(finding["code"], finding["object"]) for finding in found})

    def test_a_node_that_was_killed_is_named_until_it_is_back_and_one_that_left_is_not(self):
        self.processes["alpha"].terminate()
        self.assertEqual(self.processes["alpha"].wait(timeout=30), 0)
        self.assertEqual(self.findings()[0], [])
        self.kill("beta")
        self.wait_until(lambda: "node beta is gone" in self.log_of("broker"), "the broker to lose beta")
        found = {finding["code"]: finding for finding in self.findings()[0]}
        self.assertEqual(set(found), {"D013", "D015"})
        self.assertEqual(found["D015"]["object"], "node beta")
        self.assertIn("connection lost", found["D015"]["cause"])
        self.start_node("beta")
        self.assertEqual(self.findings()[0], [])

    def test_without_a_broker_it_is_69(self):
        self.kill("broker")
        self.cobus("doctor", "--connect-timeout", "500ms", code=69)

    def test_it_is_not_for_everybody(self):
        submit = "@" + os.path.join(self.state, "join", "submit")
        self.cobus("doctor", "--join", submit, state=os.path.join(self.state, "me"), code=77)


if __name__ == "__main__":
    processes.BIN = sys.argv.pop(1)
    unittest.main(verbosity=2)
