# SPDX-License-Identifier: Apache-2.0
#
# The failure detector, measured on real processes on several hosts: how soon a killed process, a pulled cable, a cable
# that carries one way only and a healed one are noticed, by the monitor of another node, the broker's directory and a
# client, and what a bad network does to sessions. Prints the times. Takes about a minute. Exits 77 (skipped, loudly)
# where this machine allows no network namespaces, or dropping packets.
# Run as: detector_test.py LAB_SCRIPT BIN_FOLDER MODULE [TEST...]
import json
import re
import signal
import subprocess
import sys
import threading
import time

import lab_cluster
from lab_cluster import LabCluster, Lines, lab

MODULE = ""  # lookout.so
KILLED = 1.0  # seconds within which the end of a process is noticed (W4)
SILENT = 5.0  # and silence
AGAIN = 4.0  # and within which two nodes have each other again (M8): two backoff caps
CAPPED = 12.0  # seconds after which the pauses between dials have grown to their cap
SAID_AGAIN = 31.0  # seconds after which a warning is said again, for sure
MEASURING = 0.5  # between what happens and what this program sees of it, on a machine that does other things too
HANDSHAKES = 1.0  # one-way: the last word of one side may come later than that of the other, by a beat


class Watch:
    """`cobus call` on h1 of a Lookout on `host`, which monitors workers on other hosts; as a client, it watches `host`."""

    def __init__(self, test, host, watched):
        ids = {node["name"]: int(node["id"], 16) for node in test.nodes()}
        self.names = {str(ids[name]): name for name in watched}
        request = json.dumps({"nodes": [str(ids[name]) for name in watched]})
        self.process = subprocess.Popen(
            test.command("call", "lookout.Lookout/Watch", request, "--node", host, "--timeout", "100s"),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        test.addCleanup(self.end)
        self.sightings, self.errors = Lines(self.process.stdout), Lines(self.process.stderr)
        for name in watched:
            test.assertIsNotNone(self.sees(name, "watching"), f"{host} cannot watch {name}: {self.sightings.said}")

    def sees(self, name, what, since=0.0):
        def fits(line):
            sighting = json.loads(line)
            return self.names.get(str(sighting["node"])) == name and sighting["what"] == what
        return self.sightings.first(fits, since)

    def is_told(self, since):
        """When the client itself was told that the node it called is lost."""
        return self.errors.first(lambda line: "UNAVAILABLE" in line, since)

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


class Talk:
    """A stream both ways between a client on h1 and `host`: numbers, which have to come back, each once and in order."""

    def __init__(self, test, host):
        self.process = subprocess.Popen(test.command("call", "echo.Echo/Chat", "-", "--node", host, "--timeout", "100s"),
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.over = threading.Event()
        self.said = 0
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.answers, self.errors = Lines(self.process.stdout), Lines(self.process.stderr)
        self.thread.start()

    def run(self):
        try:
            while not self.over.wait(0.02):
                print(json.dumps({"text": str(self.said)}), file=self.process.stdin, flush=True)
                self.said += 1
            self.process.stdin.close()
        except OSError:
            pass  # it has ended, and says why

    def end(self):
        """The numbers that came back, and the exit code."""
        self.over.set()
        self.thread.join()
        code = self.process.wait(timeout=60)
        self.answers.join()
        self.errors.join()
        self.process.stdout.close()
        self.process.stderr.close()
        return [int(json.loads(line)["text"]) for _, line in self.answers.said], code


class Detector(LabCluster):
    @classmethod
    def setUpClass(cls):
        cls.NODE_FLAGS = ("--service", MODULE, "--log-level", "debug")
        super().setUpClass()

    def setUp(self):
        self.addCleanup(lab, "heal")
        self.wait_for_nodes(set(self.HOSTS))
        self.watch = Watch(self, "h3", ("h2", "h4"))
        self.broker = self.logs["h1"]

    def happens(self, *arguments):
        """Does something to the lab; when it was done, as near as can be told."""
        done = lab(*arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return time.monotonic()

    def within(self, limit, since, **seen):
        """Prints how long after `since` each was seen, and holds it against the limit."""
        took = {who: None if when is None else when - since for who, when in seen.items()}
        print(f"{self.id().split('.')[-1]}: " + ", ".join(
            f"{who} {'never' if after is None else f'{after:.2f} s'}" for who, after in took.items()), flush=True)
        for who, after in took.items():
            self.assertIsNotNone(after, f"{who} noticed nothing")
            self.assertLessEqual(after, limit + MEASURING, who)

    def lost(self, by, whom, since):
        return self.logs[by].first(lambda line: f"lost {whom}:" in line, since)

    def found(self, by, whom, since):
        return self.logs[by].first(lambda line: f"connected with {whom} " in line, since)

    def gone(self, whom, since):
        return self.broker.first(lambda line: f"node {whom} is gone" in line, since)

    def back(self, whom, since):
        return self.broker.first(lambda line: f"node {whom} is here" in line, since)

    def pair_is_back(self, one, other, since):
        times = [self.found(one, other, since), self.found(other, one, since)]
        return None if None in times else max(times)

    def test_a_killed_process_is_noticed_by_everybody_within_a_second(self):
        client = Watch(self, "h4", ("h2",))
        began = time.monotonic()
        self.processes["h4"].kill()
        self.within(KILLED, began, monitor=self.watch.sees("h4", "down", began), directory=self.gone("h4", began),
                    client=client.is_told(began), another=self.lost("h2", "h4", began))
        self.processes["h4"].wait()
        self.processes["h4"].stderr.close()
        self.start_node("h4")

    def test_a_pulled_cable_is_noticed_by_everybody_within_five_seconds(self):
        client = Watch(self, "h2", ("h3",))
        began = self.happens("cut", "h2")
        self.within(SILENT, began, monitor=self.watch.sees("h2", "down", began), directory=self.gone("h2", began),
                    client=client.is_told(began), itself=self.lost("h2", "h3", began))
        time.sleep(max(0.0, began + CAPPED - time.monotonic()))
        healed = self.happens("heal", "h2")
        self.within(AGAIN, healed, pair=self.pair_is_back("h2", "h3", healed), directory=self.back("h2", healed))

    def test_one_way_between_two_nodes_is_one_verdict_for_both_and_nobody_elses(self):
        Watch(self, "h2", ("h3",))
        began = self.happens("cut", "h2", "h3")
        self.within(SILENT + HANDSHAKES, began, monitor=self.watch.sees("h2", "down", began),
                    hears_nothing=self.lost("h3", "h2", began), is_not_heard=self.lost("h2", "h3", began))
        self.assertEqual({node["name"] for node in self.nodes() if node["state"] == "up"}, set(self.HOSTS))
        self.assertEqual(self.broker.count(lambda line: "is gone" in line or "suspected" in line, began), 0)
        healed = self.happens("heal")
        self.within(AGAIN, healed, pair=self.pair_is_back("h2", "h3", healed))

    def test_a_host_that_hears_nothing_is_noticed_by_everybody_though_it_can_speak(self):
        began = self.happens("cut", "h2", "--in")
        self.within(SILENT + HANDSHAKES, began, monitor=self.watch.sees("h2", "down", began),
                    directory=self.gone("h2", began), itself=self.lost("h2", "h3", began))
        healed = self.happens("heal", "h2")
        self.within(AGAIN, healed, pair=self.pair_is_back("h2", "h3", healed), directory=self.back("h2", healed))

    def test_a_process_that_stood_still_for_some_seconds_takes_nobody_for_down(self):
        Watch(self, "h4", ("h2", "h3"))  # it doubts itself for some seconds then, and no other test asks it

        def says_so(line):
            return " s late: " in line
        # On a busy machine it may have said so already.
        while self.logs["h4"].count(says_so, time.monotonic() - SAID_AGAIN) > 0:
            time.sleep(0.5)
        began = time.monotonic()
        self.addCleanup(self.processes["h4"].send_signal, signal.SIGCONT)
        self.processes["h4"].send_signal(signal.SIGSTOP)
        time.sleep(3.5)
        self.processes["h4"].send_signal(signal.SIGCONT)
        self.within(4.5, began, says_that_it_was_late=self.logs["h4"].first(says_so, began))
        time.sleep(1)
        lost = sum(log.count(lambda line: re.search(r"\blost (h\d|broker):|is gone", line), began)
                   for log in self.logs.values())
        self.assertEqual(lost, 0, "sessions that ended")

    def test_a_fifth_of_all_packets_lost_loses_nothing_silently(self):
        talk = Talk(self, "h2")
        began = self.happens("loss", "h2", "20")
        time.sleep(20)
        self.happens("heal", "h2")
        came, code = talk.end()
        ended = sum(log.count(lambda line: "lost h2:" in line or "node h2 is gone" in line, began)
                    for log in self.logs.values())
        suspected = self.broker.count(lambda line: "node h2 is suspected" in line, began)
        print(f"a fifth lost for 20 s: {len(came)} of {talk.said} came back, exit code {code}, {ended} sessions with h2 "
              f"ended, {suspected} times suspected by the broker", flush=True)
        self.assertEqual(came, list(range(len(came))), "in order, each once")
        self.assertGreater(talk.said, 100, "or it shows nothing")
        self.assertGreater(len(came), 100, "nearly all of them, when the session stays")
        if code == 0:
            self.assertEqual(len(came), talk.said)
        else:
            self.assertIsNotNone(talk.errors.first(lambda line: "UNAVAILABLE" in line), talk.errors.said)


if __name__ == "__main__":
    MODULE = sys.argv.pop(3)
    lab_cluster.main(drops=True)
