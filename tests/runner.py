#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the tests that CTest knows, several at a time: runner.py --build FOLDER [--jobs N] [--junit FILE] [CTEST-ARGUMENT...]

CTest starts one process for each GoogleTest test, some two thousand, and each start loads 23 libraries. This runner asks CTest for
its list (so `-R`, `-E`, `-L`, `-LE` work as usual), then starts a GoogleTest program once for a batch of its tests and reads from its
output how each one ended. A test that crashes or hangs costs only itself: the rest of its batch is started again
without it. A program that fails although all of its tests passed (a leak found at exit) is started again test by test.

Prints progress, each failed test with the end of its output, the slowest tests, and as its last line
"N passed, N failed, N skipped". Exit code 0 if none failed and at least one ran.
"""
import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree as ET
from collections import deque
from dataclasses import dataclass, field

BATCH = 25             # tests of one program started together, at most
BATCHES_PER_JOB = 2    # of one program, at least, where it has the tests: every job has something to do until the end
LOOK_S = 0.02          # between two looks at a running process
SILENT_PROGRESS_S = 30  # between two lines of progress when nobody watches a terminal
LINES_SHOWN = 60       # of a failed test's output
SLOW_S = 30            # a test that takes longer says why in its first lines
START_S = 120          # for a program to begin its first test, go on to the next or end after its last one
GRACE_S = 5            # between SIGTERM and SIGKILL for a test that takes too long

PASSED, FAILED, SKIPPED = 'passed', 'failed', 'skipped'


@dataclass
class Case:
    """One test as CTest knows it, and how it ended."""
    name: str
    command: list
    program: str = ''      # of a GoogleTest test, else empty
    filter: str = ''       # its name within the program
    timeout_s: float = 300
    environment: dict = field(default_factory=dict)
    folder: str = ''
    alone: bool = False    # measures times: nothing else runs beside it
    skip_code: int = -1
    outcome: str = ''
    reason: str = ''
    output: str = ''
    seconds: float = 0


def cases_of(document):
    """The tests of `ctest --show-only=json-v1`."""
    for test in document['tests']:
        properties = {entry['name']: entry['value'] for entry in test.get('properties', [])}
        case = Case(test['name'], test.get('command', []))
        case.timeout_s = float(properties.get('TIMEOUT', case.timeout_s))
        case.environment = dict(entry.split('=', 1) for entry in properties.get('ENVIRONMENT', []))
        case.folder = properties.get('WORKING_DIRECTORY', '')
        case.alone = bool(properties.get('RUN_SERIAL', False))
        case.skip_code = int(properties.get('SKIP_RETURN_CODE', -1))
        if properties.get('DISABLED', False):
            case.outcome, case.reason = SKIPPED, 'disabled'
        elif not case.command or not os.path.exists(case.command[0]):
            case.outcome, case.reason = FAILED, 'it is not built'
        else:
            filters = [a for a in case.command[1:] if a.startswith('--gtest_filter=')]
            if len(filters) == 1:
                case.program, case.filter = case.command[0], filters[0].split('=', 1)[1]
        yield case


def batches_of(cases, jobs):
    """What is started as one process: a batch of a program's tests, or one other test. What takes long comes first: other tests, then
    the programs with few tests, the simulations among them."""
    programs = {}
    for case in cases:
        if case.program:
            programs.setdefault((case.program, case.alone), []).append(case)
        else:
            yield [case]
    for tests in sorted(programs.values(), key=len):
        size = max(1, min(BATCH, len(tests) // (BATCHES_PER_JOB * jobs)))
        for i in range(0, len(tests), size):
            yield tests[i:i + size]


class Process:
    """A started command whose output is read while it runs. It leads a process group of its own, so that what it started can be ended with it."""

    def __init__(self, command, environment, folder):
        self._file = tempfile.TemporaryFile()
        self._reader = os.fdopen(os.dup(self._file.fileno()), 'rb', buffering=0)
        self._position = 0
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self._file, stderr=subprocess.STDOUT, start_new_session=True,
            cwd=folder or None, env={**os.environ, **environment})

    def poll(self):
        """The new output, and the exit code (None while it runs). Output is complete once there is an exit code."""
        code = self._process.poll()
        data = os.pread(self._reader.fileno(), 1 << 24, self._position)
        self._position += len(data)
        return data, code

    def end(self):
        for number, wait in ((signal.SIGTERM, GRACE_S), (signal.SIGKILL, None)):
            try:
                os.killpg(self._process.pid, number)
            except ProcessLookupError:
                pass
            try:
                self._process.wait(wait)
                return
            except subprocess.TimeoutExpired:
                continue

    def close(self):
        self._reader.close()
        self._file.close()


def described(code):
    """An exit code in words."""
    if code < 0:
        return f'ended by {signal.Signals(-code).name}'
    return f'exit code {code}'


class Batch:
    """Runs the tests of one GoogleTest program together and notes how each ended. Used by one thread."""
    LINE = re.compile(r'\[( RUN      |       OK |  FAILED  |  SKIPPED )\] ([^\s,]+)')

    def __init__(self, cases, told):
        self._left = {case.filter: case for case in cases}
        self._told = told
        self._current = None
        self._begun = 0
        self._text = []

    def run(self):
        """Returns the tests that have yet to run, as batches: what a crash, a hang or a failing exit left over."""
        everything = list(self._left.values())
        first = everything[0]
        command = [first.program, '--gtest_also_run_disabled_tests', '--gtest_color=no', '--gtest_filter=' + ':'.join(self._left)]
        process = Process(command, first.environment, first.folder)
        try:
            code, late = self._follow(process)
        finally:
            process.close()
        began = len(self._left) < len(everything)
        if self._current is not None:
            self._finish(FAILED, f'took longer than {self._current.timeout_s:.0f} s' if late else described(code))
        elif late:
            return self._one_by_one(everything, 'the program neither began a test nor ended in time')
        elif not began:
            return self._one_by_one(everything, 'the program has no such test' if code == 0 else f'no test began: {described(code)}')
        elif code != 0 and all(case.outcome != FAILED for case in everything):
            return self._one_by_one(everything, f'{described(code)} although the test passed')
        return [list(self._left.values())] if self._left else []

    def _one_by_one(self, cases, why):
        """A failure that belongs to no test in sight: each test is started by itself, and one that already was has failed."""
        if len(cases) > 1:
            for case in cases:
                case.outcome = ''
            return [[case] for case in cases]
        cases[0].output += ''.join(self._text)
        self._told(cases[0], FAILED, why)
        return []

    def _follow(self, process):
        partial = ''
        self._begun = time.monotonic()
        while True:
            data, code = process.poll()
            partial += data.decode('utf-8', 'replace')
            *lines, partial = partial.split('\n')
            for line in lines:
                self._line(line)
            limit = self._current.timeout_s if self._current is not None else START_S
            if code is not None:
                if partial:
                    self._line(partial)
                return code, False
            if time.monotonic() - self._begun > limit:
                process.end()
                return -signal.SIGKILL, True
            if not data:
                time.sleep(LOOK_S)

    def _line(self, line):
        found = self.LINE.search(line)
        what = found.group(1).strip() if found else ''
        if what == 'RUN' and found.group(2) in self._left and self._current is None:
            self._current, self._begun, self._text = self._left[found.group(2)], time.monotonic(), []
            return
        self._text.append(line + '\n')
        if self._current is not None and what in ('OK', 'FAILED', 'SKIPPED') and found.group(2) == self._current.filter:
            outcome = {'OK': PASSED, 'FAILED': FAILED, 'SKIPPED': SKIPPED}[what]
            self._finish(outcome, 'a check failed' if outcome == FAILED else '')

    def _finish(self, outcome, reason):
        case, self._current = self._current, None
        case.seconds = time.monotonic() - self._begun
        case.output = ''.join(self._text)
        self._begun = time.monotonic()
        self._text = []
        del self._left[case.filter]
        self._told(case, outcome, reason)


def run_single(case, told):
    """Runs a test that is a command of its own."""
    begun = time.monotonic()
    process = Process(case.command, case.environment, case.folder)
    output = b''
    late = False
    try:
        while True:
            data, code = process.poll()
            output += data
            if code is not None:
                break
            if time.monotonic() - begun > case.timeout_s:
                process.end()
                late = True
            elif not data:
                time.sleep(LOOK_S)
    finally:
        process.close()
    case.seconds = time.monotonic() - begun
    case.output = output.decode('utf-8', 'replace')
    if late:
        told(case, FAILED, f'took longer than {case.timeout_s:.0f} s')
    elif code == case.skip_code:
        told(case, SKIPPED, (case.output.strip().splitlines() or ['it does not say why'])[-1])
    else:
        told(case, PASSED if code == 0 else FAILED, described(code) if code else '')


class Run:
    """All tests of one run: hands batches to the jobs, counts, and shows how far it is."""

    def __init__(self, cases, jobs, out=sys.stdout):
        self._cases = cases
        self._jobs = jobs
        self._out = out
        self._terminal = out.isatty()
        self._lock = threading.Condition()
        self._waiting = deque()
        self._running = 0
        self._begun = time.monotonic()
        self._shown = self._begun

    def run(self):
        todo = [case for case in self._cases if not case.outcome]
        for case in self._cases:
            if case.outcome == FAILED:
                self._show_failure(case)
        self._pass((case for case in todo if not case.alone), self._jobs)
        self._pass((case for case in todo if case.alone), 1)
        self._erase()

    def counts(self):
        return tuple(sum(case.outcome == outcome for case in self._cases) for outcome in (PASSED, FAILED, SKIPPED))

    def _pass(self, cases, jobs):
        self._waiting.extend(batches_of(cases, jobs))
        threads = [threading.Thread(target=self._work) for _ in range(jobs)]
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():
                thread.join(0.5)
                self._show_progress()

    def _work(self):
        while True:
            with self._lock:
                while not self._waiting and self._running:
                    self._lock.wait()
                if not self._waiting:
                    return
                batch = self._waiting.popleft()
                self._running += 1
            more = []
            try:
                if batch[0].program:
                    more = Batch(batch, self._told).run()
                else:
                    run_single(batch[0], self._told)
            except OSError as error:
                for case in batch:
                    self._told(case, FAILED, f'cannot be started: {error}')
            finally:
                with self._lock:
                    self._running -= 1
                    self._waiting.extendleft(more)
                    self._lock.notify_all()

    def _told(self, case, outcome, reason):
        with self._lock:
            case.outcome, case.reason = outcome, reason
            if outcome == FAILED:
                self._show_failure(case)

    def _erase(self):
        if self._terminal:
            self._out.write('\r\033[K')
            self._out.flush()

    def _show_failure(self, case):
        self._erase()
        self._out.write(f'-- FAILED {case.name}: {case.reason}\n')
        self._out.write(''.join(line + '\n' for line in case.output.rstrip().splitlines()[-LINES_SHOWN:]))
        self._out.flush()

    def _show_progress(self):
        now = time.monotonic()
        if now - self._shown < (0.5 if self._terminal else SILENT_PROGRESS_S):
            return
        self._shown = now
        with self._lock:
            passed, failed, skipped = self.counts()
            line = f'tests      {now - self._begun:4.0f} s: {passed + failed + skipped} of {len(self._cases)} done, {failed} failed'
            self._out.write('\r\033[K' + line if self._terminal else line + '\n')
            self._out.flush()


XML_FORBIDDEN = re.compile('[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]')


def write_junit(path, cases):
    """Every test with its outcome and time; the output of those that did not pass."""
    suite = ET.Element('testsuite', name='cobus', tests=str(len(cases)))
    for case in cases:
        node = ET.SubElement(suite, 'testcase', name=case.name, time=f'{case.seconds:.3f}', status=case.outcome)
        if case.outcome != PASSED:
            reason = XML_FORBIDDEN.sub('?', case.reason)
            ET.SubElement(node, 'failure' if case.outcome == FAILED else 'skipped', message=reason)
            ET.SubElement(node, 'system-out').text = XML_FORBIDDEN.sub('?', case.output)
    for outcome, name in ((FAILED, 'failures'), (SKIPPED, 'skipped')):
        suite.set(name, str(sum(case.outcome == outcome for case in cases)))
    ET.ElementTree(suite).write(path, encoding='utf-8', xml_declaration=True)


def main():
    parser = argparse.ArgumentParser(usage='%(prog)s --build FOLDER [--jobs N] [--junit FILE] [CTEST-ARGUMENT...]')
    parser.add_argument('--build', required=True)
    parser.add_argument('--jobs', type=int, default=3 * (os.cpu_count() or 1))  # most of a test's time is waiting
    parser.add_argument('--junit')
    options, rest = parser.parse_known_args()
    listed = subprocess.run(['ctest', '--test-dir', options.build, '--show-only=json-v1', *rest], stdin=subprocess.DEVNULL,
                            capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        sys.stderr.write(listed.stderr or listed.stdout)
        return 1
    cases = list(cases_of(json.loads(listed.stdout)))
    run = Run(cases, max(1, options.jobs))
    begun = time.monotonic()
    run.run()
    if options.junit:
        write_junit(options.junit, cases)
    for case in cases:
        if case.outcome == SKIPPED:
            print(f'-- skipped {case.name}: {case.reason}')
    slowest = sorted(cases, key=lambda case: -case.seconds)[:5]
    print('slowest    ' + ', '.join(f'{case.name} {case.seconds:.0f} s' for case in slowest))
    passed, failed, skipped = run.counts()
    print(f'tests      {time.monotonic() - begun:4.0f} s')
    if not passed + failed:
        print('No test ran: nothing matches, or nothing is built.')
    print(f'{passed} passed, {failed} failed, {skipped} skipped')
    return 0 if passed and not failed else 1


if __name__ == '__main__':
    sys.exit(main())
