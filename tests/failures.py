#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints which tests failed, each with the end of its output: failures.py JUNIT-FILE...

Reads what tests/runner.py wrote. .ci/run ends with it, since the end of a long output is what is kept.
Exit code 0 if nothing failed, 1 if something did or a file cannot be read.
"""
import sys
import xml.etree.ElementTree as ET

LINES = 60


def failures(path):
    """The tests of a file that failed, as (name, reason, output)."""
    for case in ET.parse(path).getroot().iter('testcase'):
        failure = case.find('failure')
        if failure is not None:
            yield case.get('name'), failure.get('message'), case.findtext('system-out') or ''


def main(paths):
    code = 0
    for path in paths:
        try:
            found = list(failures(path))
        except (OSError, ET.ParseError) as error:
            print(f'{path}: {error}')
            code = 1
            continue
        for name, reason, output in found:
            code = 1
            print(f'-- {path}: {name}: {reason}')
            print('\n'.join(output.rstrip().splitlines()[-LINES:]))
    return code


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
