# SPDX-License-Identifier: Apache-2.0
#
# A cluster over several hosts: the broker on one, a node on each of the others, as network namespaces.
# The main job runs across them, a cut cable is noticed and work goes elsewhere. Exits 77 (skipped, loudly)
# where this machine allows no network namespaces. Run as: lab_cluster_test.py LAB_SCRIPT BIN_FOLDER
import glob
import json
import subprocess

import lab_cluster
from lab_cluster import LabCluster, lab

LICENSES = sorted(glob.glob("/usr/share/common-licenses/*"))


class Cluster(LabCluster):
    def word_counts(self):
        done = self.cobus("map", "text.Text/WordCount", "--files", "text", *LICENSES, "--keep-order", "-o", "jsonl")
        self.assertEqual(done.returncode, 0, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def test_the_main_job_runs_across_hosts_and_a_cut_host_is_left_out(self):
        self.assertEqual({node["address"].split(":")[1] for node in self.nodes()},
                         {"//10.77.0.2", "//10.77.0.3", "//10.77.0.4"})
        expected = []
        for file in LICENSES:
            counts = subprocess.run(["wc", file], env={"LC_ALL": "C"}, capture_output=True, text=True, check=True)
            expected.append([file, *counts.stdout.split()[:3]])
        got = self.word_counts()
        self.assertEqual([[line["input"], line["result"]["lines"], line["result"]["words"], line["result"]["bytes"]]
                          for line in got], expected)
        self.assertEqual({line["node"] for line in got}, {"h2", "h3", "h4"}, "every host took part")

        self.assertEqual(lab("cut", "h3").returncode, 0)
        self.wait_for_nodes({"h2", "h4"})
        self.assertEqual({line["node"] for line in self.word_counts()}, {"h2", "h4"})
        self.assertEqual(lab("heal", "h3").returncode, 0)
        self.wait_for_nodes({"h2", "h3", "h4"})


if __name__ == "__main__":
    lab_cluster.main()
