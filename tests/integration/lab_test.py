# SPDX-License-Identifier: Apache-2.0
#
# deploy/lab/lab.sh: its hosts reach one another and nothing else, a cut cable is silent, one-way cuts are, and loss
# loses what it says, a healed lab works again, and `down` leaves nothing. Exits 77 (skipped) where this machine allows
# no network namespaces; what needs nftables is skipped by itself.
# Run as: lab_test.py LAB_SCRIPT
import os
import subprocess
import sys
import time
import unittest

SCRIPT = ""
LAB = f"t{os.getpid()}"

# Answers one connection after another with one word, and says when it is ready.
SERVER = """
import socket
server = socket.create_server(("10.77.0.2", 0))
print(server.getsockname()[1], flush=True)
while True:
    connection, _ = server.accept()
    connection.sendall(b"hello")
    connection.close()
"""
CLIENT = """
import socket, sys
try:
    print(socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=float(sys.argv[3])).recv(5).decode())
except OSError as error:
    print("no answer", type(error).__name__)
"""

# Counts the datagrams that come until it is told that all were sent, and sends so many.
COUNTER = """
import select, socket, sys
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
one.setsockopt(socket.SOL_SOCKET, 33, 4 << 20)  # SO_RCVBUFFORCE: all of them may wait while the machine is busy
one.bind(("0.0.0.0", 9009))
print("ready", flush=True)
count = 0
while sys.stdin not in select.select([one, sys.stdin], [], [])[0]:
    one.recv(9)
    count += 1
while select.select([one], [], [], 0.3)[0]:
    one.recv(9)
    count += 1
print(count)
"""
SENDER = """
import socket, sys, time
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(int(sys.argv[2])):
    one.sendto(b"x", (sys.argv[1], 9009))
    time.sleep(0.0002)
"""


def lab(*arguments, name=LAB):
    return subprocess.run([SCRIPT, "--name", name, *arguments], capture_output=True, text=True, check=False)


def ask(host, port, timeout=5.0):
    return lab("exec", host, sys.executable, "-c", CLIENT, "10.77.0.2", port, str(timeout)).stdout.strip()


class Lab(unittest.TestCase):
    def tearDown(self):
        lab("down")

    def test_hosts_reach_one_another_until_a_cable_is_cut(self):
        self.assertEqual(lab("up", "3").stdout, "h1 10.77.0.1\nh2 10.77.0.2\nh3 10.77.0.3\n")
        with subprocess.Popen([SCRIPT, "--name", LAB, "exec", "h2", sys.executable, "-c", SERVER],
                              stdout=subprocess.PIPE, text=True) as server:
            try:
                port = server.stdout.readline().strip()
                self.assertEqual(ask("h1", port), "hello")
                self.assertEqual(lab("cut", "h2").returncode, 0)
                self.assertTrue(ask("h1", port, timeout=0.3).startswith("no answer"))
                self.assertEqual(lab("heal", "h2").returncode, 0)
                self.assertEqual(ask("h3", port), "hello")
            finally:
                server.terminate()  # reaches the server itself: `exec` takes the script's place

    def test_a_host_has_no_way_out_of_the_lab(self):
        lab("up", "1")
        routes = lab("exec", "h1", "ip", "-o", "route", "show").stdout.splitlines()
        self.assertEqual([line.split()[0] for line in routes], ["10.77.0.0/24"])

    def arrive(self, source, target, count=5, cut=False):
        """How many of so many datagrams reach `target`."""
        address = f"10.77.0.{target[1:]}"
        give_up = time.monotonic() + (0 if cut else 10)
        # Whoever could not ask for a hardware address asks again after a second.
        while "Refused" not in lab("exec", source, sys.executable, "-c", CLIENT, address, "9009", "0.2").stdout:
            if time.monotonic() > give_up:
                break
        with subprocess.Popen([SCRIPT, "--name", LAB, "exec", target, sys.executable, "-c", COUNTER],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as counter:
            self.assertEqual(counter.stdout.readline(), "ready\n")
            lab("exec", source, sys.executable, "-c", SENDER, address, str(count))
            counter.stdin.close()
            return int(counter.stdout.readline())

    def fault(self, *arguments):
        done = lab(*arguments)
        if done.returncode == 77:
            self.skipTest(done.stderr.strip())
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_cut_one_way_leaves_the_other(self):
        lab("up", "3")
        self.fault("cut", "h1", "h2")
        self.assertEqual((self.arrive("h1", "h2", cut=True), self.arrive("h3", "h2")), (0, 5))
        self.fault("cut", "h3", "--out")
        self.fault("cut", "h3", "--out")  # once more is the same
        self.assertEqual(self.arrive("h3", "h2", cut=True), 0)
        self.fault("heal", "h2")
        self.assertEqual((self.arrive("h1", "h2"), self.arrive("h3", "h2", cut=True)), (5, 0))
        self.fault("cut", "h1", "--in")
        self.assertEqual(self.arrive("h2", "h1", cut=True), 0)
        self.fault("heal")
        self.assertEqual((self.arrive("h2", "h1"), self.arrive("h3", "h1")), (5, 5))

    def test_loss_loses_as_much_as_it_says(self):
        lab("up", "2")
        self.fault("loss", "h2", "20")
        self.assertTrue(730 <= self.arrive("h1", "h2", 1000) <= 870, "twenty of a hundred, within five deviations")
        self.fault("loss", "h2", "90")
        self.assertLessEqual(self.arrive("h1", "h2", 1000), 160, "the last word counts")
        self.fault("heal", "h1")
        self.assertLessEqual(self.arrive("h1", "h2", 1000), 160, "which is not about h1")
        self.fault("heal", "h2")
        self.assertEqual(self.arrive("h1", "h2", 100), 100)

    def test_exec_gives_back_the_exit_code_of_the_command(self):
        lab("up", "1")
        self.assertEqual(lab("exec", "h1", "sh", "-c", "exit 7").returncode, 7)

    def test_two_labs_do_not_meet(self):
        other = LAB + "x"
        self.addCleanup(lab, "down", name=other)
        self.assertEqual(lab("up", "1").returncode, 0)
        self.assertEqual(lab("up", "2", name=other).returncode, 0)
        self.assertIn("no host 'h2'", lab("exec", "h2", "true").stderr)
        self.assertEqual(lab("down", name=other).returncode, 0)
        self.assertEqual(lab("exec", "h1", "true").returncode, 0)

    def test_down_leaves_nothing_and_may_be_said_twice(self):
        lab("up", "2")
        self.assertEqual(lab("down").returncode, 0)
        self.assertEqual(lab("down").returncode, 0)
        left = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
        self.assertNotIn(f"cobus-{LAB}-", left)

    def test_a_mistake_is_explained(self):
        self.assertIn("no lab named", lab("cut", "h1").stderr)
        lab("up", "1")
        self.assertIn("its hosts: h1", lab("cut", "h4").stderr)
        self.assertIn("is up already", lab("up", "1").stderr)
        self.assertEqual(lab("up", "many").returncode, 2)
        self.assertEqual(lab("fly").returncode, 2)
        for wrong in (("cut", "h1", "h1"), ("cut", "h1", "--up"), ("loss", "h1"), ("loss", "h1", "100"), ("cut",)):
            self.assertEqual(lab(*wrong).returncode, 2, wrong)
        self.assertIn("no host 'h9'", lab("cut", "h1", "h9").stderr)


if __name__ == "__main__":
    SCRIPT = sys.argv.pop(1)
    tried = lab("up", "1")
    lab("down")
    if tried.returncode == 77:
        print("SKIPPED:", tried.stderr.strip())
        sys.exit(77)
    unittest.main()
