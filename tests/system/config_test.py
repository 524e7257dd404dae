# SPDX-License-Identifier: Apache-2.0
#
# What configures the programs besides flags: what --check-config finds, what SIGHUP takes over, where the client
# looks. Run as: config_test.py BIN_FOLDER [TEST...]
import os
import signal
import subprocess
import sys
import unittest

import processes


class ConfigTest(processes.ClusterTest):
    NODES = ()

    def path(self, name, text):
        path = os.path.join(self.state, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def run_program(self, code, program, *flags, **options):
        done = subprocess.run([os.path.join(processes.BIN, program), *flags], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=60, check=False, **options)
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stdout if code == 0 else done.stderr


class Checked(ConfigTest):
    def test_check_config_refuses_what_a_start_refuses(self):
        garbage = self.path("garbage", "no join string\n")
        os.chmod(garbage, 0o600)
        for flags, says in ((("--listen", "bogus"), "tcp://"), (("--name", "a b"), "is not a node name"),
                            (("--label", "x"), "KEY=VALUE"), (("--advertise", "bogus"), "tcp://NUMERIC-ADDRESS:PORT"),
                            (("--join", "cobus://"), "cobus://"), (("--join", "@"), "@FILE"),
                            (("--join", "@" + garbage), garbage), (("--service", "/no/such.so"), "/no/such.so")):
            for check in (("--check-config",), ()):
                err = self.run_program(1 if says == "/no/such.so" else 2, "cobus-node", "--state", self.state, *flags, *check)
                self.assertIn(says, err)
        self.assertIn("valid", self.run_program(0, "cobus-node", "--state", self.state, "--check-config"))
        self.assertIn("valid", self.run_program(0, "cobus-broker", "--state", self.state, "--check-config"))
        self.assertIn("tcp://", self.run_program(2, "cobus-broker", "--listen", "bogus", "--check-config"))
        self.assertIn("valid", self.run_program(0, "cobus-node", "--state", self.state + "/absent", "--check-config"))
        self.assertFalse(os.path.exists(self.state + "/absent"))

    def test_a_folder_is_no_file_of_options(self):
        self.assertIn("no file that can be read", self.run_program(2, "cobus-node", "--config", self.state))
        self.assertIn("no file that can be read", self.run_program(2, "cobus-node", "--config", self.state + "/none"))


class Reloaded(ConfigTest):
    def test_sighup_takes_over_how_to_log_and_names_the_rest(self):
        for name, program, flags in (("b", "cobus-broker", ("--listen", "tcp://127.0.0.1:0")), ("n", "cobus-node", ("--name", "n"))):
            state = os.path.join(self.state, name)
            flags += ("--join", "@" + self.state + "/join/node") if program == "cobus-node" else ()
            config = self.path(name + ".toml", 'log-level = "info"\nlog-format = "json"\n')
            self.start(name, program, *flags, "--config", config, state=state)
            self.path(name + ".toml", 'log-level = "debug"\nlog-format = "text"\nadvertise = "tcp://127.0.0.1:9"\n')
            self.processes[name].send_signal(signal.SIGHUP)
            self.wait_until(lambda: "SIGHUP" in self.log_of(name), "its answer")
            line = next(line for line in self.log_of(name).splitlines() if "SIGHUP" in line)
            self.assertIn("log-level is debug, log-format text; changed, but only for the next start: advertise", line)
            self.assertFalse(line.startswith("{"))
            self.path(name + ".toml", "log-level = 3\n")
            self.processes[name].send_signal(signal.SIGHUP)
            self.wait_until(lambda: "nothing is reloaded" in self.log_of(name), "its refusal")
            self.assert_logged(name, "is none of: debug")


class Client(ConfigTest):
    NODES = ("alpha",)

    def test_it_looks_from_the_flag_to_the_machine(self):
        home = os.path.join(self.state, "home")
        project = os.path.join(self.state, "project")
        below = os.path.join(project, "a", "b")
        os.makedirs(below)
        env = {**os.environ, "XDG_CONFIG_HOME": home}
        shown = lambda *flags, **more: self.run_program(0, "cobus", "nodes", *flags, cwd=below, env={**env, **more})
        self.path("home/cobus/config.toml", f'state = "{self.state}"\noutput = "yaml"\n')
        self.assertIn("- name: alpha\n", shown())
        self.path("project/cobus.toml", 'output = "id"\nstate = ".."\n')
        self.assertEqual(shown(), "alpha\n")
        self.assertIn('{"name":"alpha"', shown(COBUS_OUTPUT="jsonl"))
        self.assertEqual(shown("-o", "id", COBUS_OUTPUT="jsonl"), "alpha\n")
        self.assertIn("COBUS_OUTPUT", self.run_program(2, "cobus", "nodes", cwd=below, env={**env, "COBUS_OUTPUT": "jsn"}))
        self.path("project/cobus.toml", 'colour = "never"\n')
        self.assertIn("no option 'colour'", self.run_program(2, "cobus", "nodes", cwd=below, env=env))
        os.chmod(os.path.join(project, "cobus.toml"), 0o666)
        self.assertIn("chmod go-w", self.run_program(77, "cobus", "nodes", cwd=below, env=env))


if __name__ == "__main__":
    processes.BIN = sys.argv.pop(1)
    unittest.main(verbosity=2)
