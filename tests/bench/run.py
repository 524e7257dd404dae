# SPDX-License-Identifier: Apache-2.0
"""Runs the bench programs, ours and the peers' in turn, and prints medians, ranges and ratios."""
import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS_BUILT = ROOT / "build/release/bin"
TIMEOUT_S = 300


class Measurement(NamedTuple):
    """One name of the table: who is measured, by `PROGRAM NAME [COUNT] [FOLDER]`."""
    unit: str
    quick_count: int  # enough to see that it works
    systems: dict     # system -> program


LOWER_IS_BETTER = {"B", "us", "ns", "%", "x"}
MAY_BE_ZERO = {"%"}
LOCAL = {"cobus": "local_bench", "erlang": "erlang_bench.sh", "caf": "caf_bench"}
LINK = {"cobus": "link_bench", "libzmq": "libzmq_bench"}
LINK_OR_SERVER = LINK | {"nats": "nats_bench"}
MEASUREMENTS = {
    "spawn": Measurement("1/s", 10_000, LOCAL),
    "bytes_per_worker": Measurement("B", 10_000, LOCAL),
    "ping_pong": Measurement("1/s", 10_000, LOCAL),
    "one_way": Measurement("1/s", 20_000, LOCAL),
    "ring": Measurement("1/s", 10_000, LOCAL),
    "cross_shard": Measurement("1/s", 20_000, LOCAL),
    "cross_ping_pong": Measurement("1/s", 1_000, {"cobus": "local_bench"}),
    "timer": Measurement("ns", 1_000, LOCAL),
    "generator": Measurement("ns", 1_000, {"cobus": "local_bench"}),
    "idle_cpu": Measurement("%", 200, LOCAL),
    "link_100": Measurement("msg/s", 20_000, LINK_OR_SERVER),
    "link_100_curve": Measurement("msg/s", 20_000, LINK),
    "link_1k": Measurement("msg/s", 5_000, LINK_OR_SERVER),
    "link_1k_curve": Measurement("msg/s", 5_000, LINK),
    "link_64k": Measurement("MB/s", 200, LINK_OR_SERVER),
    "link_64k_curve": Measurement("MB/s", 200, LINK),
    "link_1m": Measurement("MB/s", 20, LINK_OR_SERVER),
    "link_64m": Measurement("MB/s", 1, LINK),
    "round_trip_p50": Measurement("us", 200, LINK_OR_SERVER),
    "round_trip_p99": Measurement("us", 1_000, LINK),
    "fan_in_50": Measurement("msg/s", 25_000, {"cobus": "many_bench", "libzmq": "libzmq_bench"}),
    "slow_reader": Measurement("x", 500, {"cobus": "many_bench"}),
    "jobs_sqlite": Measurement("1/s", 500, {"cobus": "jobs_bench"}),
}
WITH_VERSIONS = ("local_bench", "libzmq_bench", "jobs_bench", "erlang_bench.sh", "caf_bench", "nats_bench")
# peers that need not be there
PACKAGES = {"erlang_bench.sh": "erlang-base", "caf_bench": "libcaf-dev", "nats_bench": "nats-server libnats-dev"}
INSTALL = ROOT / "deploy/install-packages.sh"


class Programs:
    """Where the programs are, and which peers are not."""

    def __init__(self, folder):
        self.folder = folder
        self.missing = set()
        if not (shutil.which("erl") and shutil.which("erlc")):
            self.missing.add("erlang_bench.sh")
        self.missing |= {program for program in ("caf_bench", "nats_bench") if not (folder / program).exists()}

    def path(self, program):
        return (ROOT / "tests/bench/peers" if program.endswith(".sh") else self.folder) / program


def parse_arguments():
    parser = argparse.ArgumentParser(prog="run.sh", description=__doc__, epilog="names: " + " ".join(MEASUREMENTS))
    parser.add_argument("names", nargs="*", metavar="NAME", help="what to measure; all without a name")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the results there")
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="of each, alternating between systems (5)")
    parser.add_argument("--bin", type=Path, metavar="FOLDER", help="take the programs from there; build nothing")
    parser.add_argument("--quick", action="store_true", help="small counts: shows that it works, no figures to quote")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in MEASUREMENTS]
    if unknown:
        parser.error(f"no measurement {', '.join(unknown)}; there are: {' '.join(MEASUREMENTS)}")
    if arguments.runs < 1:
        parser.error("--runs: at least 1")
    return arguments


def install_peers(names):
    """Installs the peers' packages. Without them the figures of cobus still stand, so a failure ends nothing."""
    if any(program in PACKAGES for name in names for program in MEASUREMENTS[name].systems.values()):
        if subprocess.run([INSTALL, "bench"], check=False).returncode != 0:
            print("bench: goes on without the peers that are not installed", file=sys.stderr)


def build():
    """Builds the programs of the release preset."""
    for command in (["cmake", "--preset", "release", "-DCOBUS_BENCH=ON"],
                    ["cmake", "--build", "build/release", "--target", "bench"]):
        ran = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if ran.returncode != 0:
            sys.exit("\n".join(ran.stdout.splitlines()[-40:]) + f"\nbench: failed: {' '.join(command)}")


def ask(command):
    """The lines of JSON that a bench program prints; RuntimeError with its complaint when there is none."""
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as late:
        raise RuntimeError(f"no figure after {TIMEOUT_S} s") from late
    if ran.returncode != 0 or not ran.stdout.strip():
        raise RuntimeError(ran.stderr.strip() or f"exit code {ran.returncode} without a figure")
    return [json.loads(line) for line in ran.stdout.strip().splitlines()]


def figure_of(command, unit):
    """The best of the figures that a program prints: one for each way in which its system can be run."""
    figures = ask(command)
    for figure in figures:
        if figure["unit"] != unit or not (figure["value"] > 0 or unit in MAY_BE_ZERO):
            raise RuntimeError(f"this is no figure in {unit}: {figure}")
    return (min if unit in LOWER_IS_BETTER else max)(figures, key=lambda figure: figure["value"])


def cpu_name():
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def describe_machine(folder, programs):
    versions = {}
    for program in WITH_VERSIONS:
        if program not in programs.missing:
            versions |= ask([programs.path(program), "versions", "0", folder])[-1]
    stat = subprocess.run(["stat", "-f", "-c", "%T", folder], capture_output=True, text=True, check=False)
    return {
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": f"{platform.system()} {platform.release()}",
        "file_system": stat.stdout.strip(),
        "load_before": round(os.getloadavg()[0], 2),
        "versions": versions,
    }


def measure(name, arguments, folder, programs):
    """The results of one name, one for each system; one that failed or is not installed says so instead."""
    what = MEASUREMENTS[name]
    installed = {system: program for system, program in what.systems.items() if program not in programs.missing}
    values = {system: [] for system in installed}
    results = []
    conditions, failures = {}, {}
    for _ in range(arguments.runs):
        for system, program in installed.items():
            if system in failures:
                continue
            try:
                count = str(what.quick_count if arguments.quick else 0)
                figure = figure_of([programs.path(program), name, count, folder], what.unit)
            except RuntimeError as failure:
                failures[system] = str(failure)
                continue
            values[system].append(figure["value"])
            conditions[system] = figure["conditions"]
    for system, program in what.systems.items():
        if system not in installed:
            results.append({"name": name, "system": system, "not_installed": PACKAGES[program]})
        elif system in failures:
            results.append({"name": name, "system": system, "failure": failures[system]})
        else:
            results.append({"name": name, "system": system, "unit": what.unit,
                            "median": statistics.median(values[system]), "min": min(values[system]),
                            "max": max(values[system]), "runs": len(values[system]),
                            "conditions": conditions[system]})
    return results


def number(value):
    return f"{value:,.0f}" if value >= 1000 else f"{value:,.1f}" if value >= 10 else f"{value:.2f}"


def row_of(result, ours):
    if "failure" in result:
        return f"{result['name']:<18} {result['system']:<9} failed: {result['failure']}"
    if "not_installed" in result:
        return f"{result['name']:<18} {result['system']:<9} not installed: {result['not_installed']}"
    ratio = ""
    if result is not ours and "median" in ours:
        pair = (result["median"], ours["median"])
        better, worse = pair if result["unit"] in LOWER_IS_BETTER else pair[::-1]
        ratio = f"{better / worse:.2f}" if worse else ""
    return (f"{result['name']:<18} {result['system']:<9} {number(result['median']):>12} {number(result['min']):>12} "
            f"{number(result['max']):>12} {result['unit']:<6} {ratio:>6}").rstrip()


def print_machine(machine, runs):
    print(f"machine   {machine['cpu']}, {machine['cores']} cores, {machine['memory_bytes'] / 2**30:.0f} GiB, "
          f"{machine['system']}, files on {machine['file_system']}")
    print("versions  " + ", ".join(f"{name} {version}" for name, version in machine["versions"].items()))
    print(f"runs      {runs} of each, alternating; load average before them {machine['load_before']}")
    if machine["load_before"] > machine["cores"] / 2:
        print("          THE MACHINE WAS BUSY with something else: these figures are below what it can do")
    print(f"\n{'name':<18} {'system':<9} {'median':>12} {'min':>12} {'max':>12} {'unit':<6} {'ratio':>6}")


def print_notes(results, machine):
    packages = sorted({result["not_installed"] for result in results if "not_installed" in result})
    if packages:
        print(f"\nnot installed: {' '.join(packages)}; {INSTALL.relative_to(ROOT)} bench installs the peers' packages")
    print("\nratio: how many times as good cobus is as this peer, by medians (above 1: cobus is better)")
    for result in results:
        if "conditions" in result:
            print(f"{result['name']}, {result['system']}: {result['conditions']}")
    print(f"load average after them {machine['load_after']}")


def main():
    arguments = parse_arguments()
    names = arguments.names or list(MEASUREMENTS)
    if not arguments.bin:
        if not arguments.quick:
            install_peers(names)
        build()
    programs = Programs(arguments.bin or PROGRAMS_BUILT)
    results = []
    # Beside the programs: on a disk, where a sync is one; a temporary folder may be memory.
    with tempfile.TemporaryDirectory(prefix="bench-", dir=programs.folder) as folder:
        machine = describe_machine(folder, programs)
        print_machine(machine, arguments.runs)
        for name in names:
            of_name = measure(name, arguments, folder, programs)
            results += of_name
            for result in of_name:
                print(row_of(result, of_name[0]), flush=True)
    machine["load_after"] = round(os.getloadavg()[0], 2)
    print_notes(results, machine)
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": machine, "results": results}, indent=1) + "\n",
                                  encoding="utf-8")
    return 1 if any("failure" in result for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
