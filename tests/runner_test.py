# SPDX-License-Identifier: Apache-2.0
"""tests/runner.py counts what happened: programs that pass, fail, skip, crash, hang or leak, each in a batch with others."""
import io
import os
import stat
import tempfile
import textwrap
import unittest
import unittest.mock
import xml.etree.ElementTree as ET

import runner

# Behaves as a GoogleTest program with the tests that its command line names; what each does is its name.
PROGRAM = '''\
    #!/usr/bin/env python3
    import os, signal, sys, time
    with open(os.environ['STARTS'], 'a') as starts:
        starts.write('x')
    names = next(a for a in sys.argv if a.startswith('--gtest_filter=')).split('=', 1)[1].split(':')
    code = 0
    for name in names:
        if name == 'S.unknown':
            continue
        if name == 'S.cannot_start':
            sys.exit(7)
        print(f'[ RUN      ] {name}', flush=True)
        print(f'this is {name}', flush=True)
        end = 'OK'
        if name == 'S.fails':
            end, code = 'FAILED', 1
        elif name == 'S.skips':
            end = 'SKIPPED'
        elif name == 'S.crashes':
            os.kill(os.getpid(), signal.SIGSEGV)
        elif name == 'S.hangs':
            time.sleep(60)
        elif name == 'S.exits':
            sys.exit(0)
        elif name == 'S.leaks':
            code = 23
        sys.stdout.write('no newline at the end')
        where = ', where GetParam() = 3' if end == 'FAILED' else ''
        shown = {'OK': '[       OK ]', 'FAILED': '[  FAILED  ]', 'SKIPPED': '[  SKIPPED ]'}[end]
        print(f'{shown} {name}{where} (1 ms)', flush=True)
    if code == 23:
        print('leak: 16 bytes', flush=True)
    sys.exit(code)
'''


class Runner(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.program = os.path.join(self.folder, 'program')
        self.starts = os.path.join(self.folder, 'starts')
        with open(self.program, 'w', encoding='utf-8') as file:
            file.write(textwrap.dedent(PROGRAM))
        os.chmod(self.program, stat.S_IRWXU)

    def case(self, name, **properties):
        entry = {'name': f'program.{name}', 'command': [self.program, f'--gtest_filter={name}'],
                 'properties': [{'name': 'ENVIRONMENT', 'value': [f'STARTS={self.starts}']}]}
        entry['properties'] += [{'name': key, 'value': value} for key, value in properties.items()]
        return next(runner.cases_of({'tests': [entry]}))

    def command(self, *words, **properties):
        entry = {'name': 'command', 'command': ['/bin/sh', '-c', *words],
                 'properties': [{'name': key, 'value': value} for key, value in properties.items()]}
        return next(runner.cases_of({'tests': [entry]}))

    def together(self, *cases):
        """The outcomes of these when they are one batch."""
        with unittest.mock.patch.object(runner, 'BATCHES_PER_JOB', 1):
            return self.outcomes(*cases, jobs=1)

    def outcomes(self, *cases, jobs=2):
        self.out = io.StringIO()
        run = runner.Run(list(cases), jobs, self.out)
        run.run()
        self.assertEqual(sum(run.counts()), len(cases), 'a test was lost')
        return [case.outcome for case in cases]

    def started(self):
        with open(self.starts, encoding='utf-8') as file:
            return len(file.read())

    def test_a_batch_is_one_process(self):
        cases = [self.case(f'S.passes{i}') for i in range(2 * runner.BATCHES_PER_JOB * runner.BATCH)]
        self.assertEqual(self.outcomes(*cases), [runner.PASSED] * len(cases))
        self.assertEqual(self.started(), 2 * runner.BATCHES_PER_JOB)

    def test_a_failure_is_told_with_its_own_output_only(self):
        cases = [self.case('S.before'), self.case('S.fails'), self.case('S.after')]
        self.assertEqual(self.together(*cases), [runner.PASSED, runner.FAILED, runner.PASSED])
        self.assertIn('FAILED program.S.fails: a check failed', self.out.getvalue())
        self.assertIn('this is S.fails', self.out.getvalue())
        self.assertNotIn('this is S.before', self.out.getvalue())

    def test_a_skip_is_not_a_pass(self):
        self.assertEqual(self.together(self.case('S.skips'), self.case('S.passes')), [runner.SKIPPED, runner.PASSED])

    def test_a_crash_fails_one_test_and_the_rest_runs(self):
        cases = [self.case('S.before'), self.case('S.crashes'), self.case('S.after')]
        self.assertEqual(self.together(*cases), [runner.PASSED, runner.FAILED, runner.PASSED])
        self.assertEqual(cases[1].reason, 'ended by SIGSEGV')
        self.assertEqual(self.started(), 2)

    def test_a_hang_fails_one_test_and_the_rest_runs(self):
        cases = [self.case('S.hangs', TIMEOUT=0.3), self.case('S.after')]
        self.assertEqual(self.together(*cases), [runner.FAILED, runner.PASSED])
        self.assertEqual(cases[0].reason, 'took longer than 0 s')

    def test_an_exit_in_the_middle_of_a_test_is_a_failure(self):
        self.assertEqual(self.together(self.case('S.exits'), self.case('S.after')), [runner.FAILED, runner.PASSED])

    def test_a_leak_that_is_found_at_exit_is_traced_to_its_test(self):
        cases = [self.case('S.before'), self.case('S.leaks'), self.case('S.after')]
        self.assertEqual(self.together(*cases), [runner.PASSED, runner.FAILED, runner.PASSED])
        self.assertIn('exit code 23', cases[1].reason)
        self.assertIn('leak: 16 bytes', cases[1].output)

    def test_a_program_that_cannot_start_fails_its_tests(self):
        cases = [self.case('S.cannot_start'), self.case('S.passes')]
        self.assertEqual(self.together(*cases), [runner.FAILED, runner.PASSED])

    def test_a_test_that_the_program_does_not_have_fails(self):
        self.assertEqual(self.together(self.case('S.unknown'), self.case('S.passes')), [runner.FAILED, runner.PASSED])

    def test_a_program_that_is_not_built_fails_its_tests(self):
        case = self.case('S.passes')
        case.command[0] += '.gone'
        listed = {'tests': [{'name': case.name, 'command': case.command}]}
        self.assertEqual(self.outcomes(*runner.cases_of(listed)), [runner.FAILED])

    def test_commands_pass_fail_skip_and_end_in_time(self):
        self.assertEqual(self.outcomes(self.command('true')), [runner.PASSED])
        self.assertEqual(self.outcomes(self.command('echo no; exit 77')), [runner.FAILED])
        case = self.command('echo why; exit 77', SKIP_RETURN_CODE=77)
        self.assertEqual(self.outcomes(case), [runner.SKIPPED])
        self.assertEqual(case.reason, 'why')
        self.assertEqual(self.outcomes(self.command('sleep 60', TIMEOUT=0.2)), [runner.FAILED])

    def test_what_runs_alone_has_nothing_beside_it(self):
        busy = os.path.join(self.folder, 'busy')
        others = [self.command(f'touch {busy}; sleep 0.3; rm {busy}') for _ in range(2)]
        alone = self.command(f'test ! -e {busy}', RUN_SERIAL=True)
        self.assertEqual(self.outcomes(alone, *others, jobs=3)[0], runner.PASSED)

    def test_the_file_of_results_names_what_did_not_pass(self):
        cases = [self.case('S.fails'), self.case('S.skips'), self.case('S.passes')]
        self.outcomes(*cases)
        path = os.path.join(self.folder, 'tests.xml')
        runner.write_junit(path, cases)
        suite = ET.parse(path).getroot()
        self.assertEqual((suite.get('tests'), suite.get('failures'), suite.get('skipped')), ('3', '1', '1'))
        self.assertEqual([case.find('failure') is not None for case in suite], [True, False, False])


if __name__ == '__main__':
    unittest.main()
