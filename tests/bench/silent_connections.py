#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Opens many connections to a broker on the loopback, says nothing on them, and tells what they cost.

What the broker takes, how many it keeps, how fast a client is served meanwhile, and when all are gone.
"""
import argparse
import pathlib
import re
import resource
import socket
import subprocess
import sys
import tempfile
import time

BIN = pathlib.Path(__file__).resolve().parents[2] / "build/release/bin"
GONE_S = 30


def resident_mib(process):
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024


def kept(connections):
    """Those whose other end has not closed them."""
    left = []
    for one in connections:
        try:
            while one.recv(256):  # a greeting
                pass
        except BlockingIOError:
            left.append(one)
        except OSError:
            pass
    return left


def serve_seconds(state):
    begin = time.monotonic()
    subprocess.run([BIN / "cobus", "--state", state, "nodes"], check=True, capture_output=True, timeout=60)
    return time.monotonic() - begin


def connect(endpoint, addresses, count):
    connections = []
    for number in range(count):
        one = socket.socket()
        one.bind((f"127.0.1.{1 + number % addresses}", 0))
        one.settimeout(10)
        try:
            one.connect(endpoint)
        except OSError:
            one.close()
            continue
        one.setblocking(False)
        connections.append(one)
    return connections


def measure(process, state, addresses, count):
    ready = process.stderr.readline()
    host, port = re.search(r"tcp://([\d.]+):(\d+)", ready).groups()
    before = resident_mib(process)
    print(f"one client: served in {serve_seconds(state):.2f} s, the broker takes {before:.0f} MiB")
    connections = connect((host, int(port)), addresses, count)
    rush = serve_seconds(state)
    time.sleep(1)
    left = kept(connections)
    print(f"{len(connections)} connections from {addresses} addresses: {len(left)} kept, a client served in {rush:.2f} s "
          f"right behind them and in {serve_seconds(state):.2f} s then, the broker takes {resident_mib(process):.0f} MiB")
    begin = time.monotonic()
    while left and time.monotonic() - begin < GONE_S:
        time.sleep(0.2)
        left = kept(left)
    print(f"{len(left)} left after {time.monotonic() - begin:.1f} s, the broker takes {resident_mib(process):.0f} MiB")
    return 1 if left else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=10_000, help="connections (10,000)")
    parser.add_argument("--addresses", type=int, default=10, help="addresses that they come from (10), at most 250")
    arguments = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory(prefix="cobus-silent-") as state, subprocess.Popen(
            [BIN / "cobus-broker", "--state", state, "--listen", "tcp://127.0.0.1:0", "--log-level", "error"],
            stderr=subprocess.PIPE, text=True) as process:
        try:
            return measure(process, state, arguments.addresses, arguments.count)
        finally:
            process.terminate()


if __name__ == "__main__":
    sys.exit(main())
