#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints which tests failed, each with the end of its output: failures.py JUNIT-FILE...

Reads what ctest --output-junit wrote. .ci/run ends with it, since the end of a long output is what is kept.
Exit code 0 if nothing failed, 1 if something did or a file cannot be read.
"""
import sys
import xml.etree.ElementTree as ET

LINES = 60


def failures(path):
    """The tests of a file that neither passed nor say themselves that they skip, as (name, status, output)."""
    for case in ET.parse(path).getroot().iter('testcase'):
        skipped = case.find('skipped')
        says_so = case.get('status') == 'disabled' or (
            skipped is not None and (skipped.get('message') or '').startswith('SKIP_'))
        if case.get('status') != 'run' and not says_so:
            failure = case.find('failure')
            message = failure.get('message') if failure is not None else None
            yield case.get('name'), message or case.get('status'), case.findtext('system-out') or ''


def main(paths):
    code = 0
    for path in paths:
        try:
            found = list(failures(path))
        except (OSError, ET.ParseError) as error:
            print(f'{path}: {error}')
            code = 1
            continue
        for name, message, output in found:
            code = 1
            print(f'-- {path}: {name}: {message or "failed"}')
            print('\n'.join(output.rstrip().splitlines()[-LINES:]))
    return code


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
