#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the fuzzers, each for a while, and keeps what they found new in corpus/TARGET.hex.

An input that breaks a target is left in build/fuzz/crashes; the exit code is then 1.
"""
import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "fuzz"
CORPUS = ROOT / "tests" / "fuzz" / "corpus"
KEPT_MAX = 150  # inputs of one target, the smallest; a page of text is enough for a test
INPUT_BYTES_MAX = 2048


def write_inputs(folder, inputs):
    folder.mkdir()
    for number, data in enumerate(inputs):
        (folder / str(number)).write_bytes(data)


def fuzz(target, seconds):
    """Runs one fuzzer and returns whether it found nothing wrong."""
    program = BUILD / "bin" / f"fuzz_{target}"
    kept = CORPUS / f"{target}.hex"
    crashes = BUILD / "crashes"
    crashes.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        work = pathlib.Path(name)
        write_inputs(work / "kept", [bytes.fromhex(line) for line in kept.read_text().splitlines()])
        (work / "found").mkdir()
        (work / "merged").mkdir()
        run = subprocess.run(
            [program, f"-max_total_time={seconds}", "-max_len=4096", "-timeout=10", "-print_final_stats=1",
             f"-artifact_prefix={crashes}/{target}-", work / "found", work / "kept"],
            stderr=subprocess.PIPE, text=True, errors="replace", check=False)
        executed = re.search(r"number_of_executed_units:\s*(\d+)", run.stderr)
        if run.returncode != 0:
            print(run.stderr[-4000:])
        subprocess.run([program, "-merge=1", work / "merged", work / "kept", work / "found"],
                       stderr=subprocess.DEVNULL, check=False)
        inputs = sorted((path.read_bytes() for path in (work / "merged").iterdir()), key=lambda data: (len(data), data))
        inputs = [data for data in inputs if len(data) <= INPUT_BYTES_MAX][:KEPT_MAX]
        if len(inputs) >= 3:
            kept.write_text("".join(data.hex() + "\n" for data in inputs))
    print(f"{target}: {'nothing wrong' if run.returncode == 0 else 'BROKEN, see build/fuzz/crashes'} in "
          f"{executed.group(1) if executed else '?'} inputs of {seconds} s; {len(inputs)} kept", flush=True)
    return run.returncode == 0


def main():
    known = sorted(path.stem for path in CORPUS.glob("*.hex"))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=600, help="for each target (default 600)")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(known)}; without: all")
    arguments = parser.parse_args()
    for target in arguments.targets:
        if target not in known:
            parser.error(f"no target '{target}'; there are: {', '.join(known)}")
    subprocess.run(["cmake", "--preset", "fuzz"], cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    subprocess.run(["cmake", "--build", "build/fuzz", "--target", "fuzzers"], cwd=ROOT, stdout=subprocess.DEVNULL,
                   check=True)
    results = [fuzz(target, arguments.seconds) for target in arguments.targets or known]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
