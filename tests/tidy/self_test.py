# SPDX-License-Identifier: Apache-2.0
"""Every check of tests/tidy can fail: each is given a small tree with one thing wrong and must name it."""
import tempfile
import unittest
from pathlib import Path

import tidy
from sizes import functions
from tree import Tree

HEADER = "// SPDX-License-Identifier: Apache-2.0\n//\n// Thing: solves a problem.\n#pragma once\n"
SOURCE = "// SPDX-License-Identifier: Apache-2.0\n"
SCRIPT = "#!/usr/bin/env bash\n# SPDX-License-Identifier: Apache-2.0\n"


def problems(check, files):
    """What `check` says of a tree of {path: text}."""
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            file = Path(root, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
            if path.endswith(".sh"):
                file.chmod(0o755)
        return [str(problem) for problem in tidy.CHECKS[check](Tree(root))]


class Check(unittest.TestCase):
    def assert_says(self, check, files, *parts):
        found = problems(check, files)
        self.assertEqual(len(found), 1, found)
        for part in parts:
            self.assertIn(part, found[0])

    def assert_content(self, check, files):
        self.assertEqual(problems(check, files), [])


class Layers(Check):
    def test_an_include_that_points_up_is_named_with_its_line(self):
        self.assert_says("layers", {
            "node/link/door.cpp": SOURCE + '#include "node/worker/home.hpp"\n',
            "node/worker/home.hpp": HEADER,
        }, "node/link/door.cpp:2", "node/link -> node/worker")

    def test_broker_and_client_do_not_meet(self):
        self.assert_says("layers", {
            "broker/directory.cpp": SOURCE + '#include "client/cli/table.hpp"\n',
            "client/cli/table.hpp": HEADER,
        }, "broker -> client")

    def test_the_daemons_own_rooms_are_not_for_clients(self):
        self.assert_says("layers", {
            "client/cli/jobs.cpp": SOURCE + '#include "node/job/ledger.hpp"\n',
            "node/job/ledger.hpp": HEADER,
        }, "client -> node/job")

    def test_links_use_the_clock_of_the_runtime_and_nothing_else_of_it(self):
        files = {
            "node/link/door.cpp": SOURCE + '#include "node/runtime/clock.hpp"\n',
            "node/runtime/clock.hpp": HEADER,
            "node/runtime/task.hpp": HEADER,
        }
        self.assert_content("layers", files)
        files["node/link/door.cpp"] += '#include "node/runtime/task.hpp"\n'
        self.assert_says("layers", files, "node/link -> node/runtime", "task.hpp")

    def test_public_headers_and_generated_ones_are_found(self):
        self.assert_content("layers", {
            "node/services/echo.cpp": SOURCE + '#include <cobus/service.hpp>\n#include "echo.cobus.h"\n',
            "node/services/echo.proto": "",
            "node/include/cobus/service.hpp": HEADER,
            "broker/enrolment.cpp": SOURCE + '#include "cobus/v1/session.pb.h"\n',
        })

    def test_a_generated_coroutine_header_is_above_the_contract(self):
        self.assert_says("layers", {"proto/codec.cpp": SOURCE + '#include "cobus/v1/job.cobus.h"\n'}, "proto -> node/include")

    def test_an_include_of_nothing_is_named(self):
        self.assert_says("layers", {"proto/codec.cpp": SOURCE + '#include "codec.hpp"\n'}, "no file under the root")
        self.assert_says("layers", {"broker/main.cpp": SOURCE + "#include <cobus/gone.hpp>\n"}, "<cobus/gone.hpp>")

    def test_sockets_stay_in_the_link_layer(self):
        self.assert_says("layers", {"broker/main.cpp": SOURCE + "#include <zmq.hpp>\n"}, "broker -> <zmq.hpp>", "node/link")

    def test_code_outside_every_room_is_named(self):
        self.assert_says("layers", {"util/misc.cpp": SOURCE}, "no room")


class Sizes(Check):
    def test_a_file_may_have_400_lines_and_no_more(self):
        self.assert_content("sizes", {"proto/a.cpp": SOURCE * 400})
        self.assert_says("sizes", {"proto/a.cpp": SOURCE * 401}, "401 lines")

    def test_a_function_may_have_70_lines_and_no_more(self):
        def function(lines):
            return {"proto/a.cpp": SOURCE + "namespace cobus {\nint f(int a) {\n" + "  ++a;\n" * (lines - 2) + "}\n}\n"}
        self.assert_content("sizes", function(70))
        self.assert_says("sizes", function(71), "proto/a.cpp:3", "71 lines")

    def test_tests_may_be_long(self):
        self.assert_content("sizes", {"tests/unit/a_test.cpp": SOURCE * 500})

    def test_functions_are_found_where_they_begin_and_end(self):
        code = """class A {
  A() : b_{1}, c_(2) {
    d();
  }
  void f() const noexcept override { g("}"); /* } */ }
  int table_[2] = {1, 2};
};
constexpr int table[] = {f(1), f(2)};
template <class T>
auto g(T t)
    -> int {
  if (t) { return 1; }
  auto h = [] { return 2; };
  return h();
}
"""
        self.assertEqual(list(functions(code)), [(2, 4), (5, 5), (9, 15)])


class Text(Check):
    def test_a_file_without_a_licence_line_is_named(self):
        self.assert_says("text", {"proto/a.cpp": "int a;\n"}, "SPDX")
        self.assert_says("text", {"deploy/a.sh": "#!/usr/bin/env bash\necho\n"}, "deploy/a.sh:2", "SPDX")
        self.assert_content("text", {"deploy/a.sh": SCRIPT, "deploy/b.cpp": SOURCE})

    def test_a_header_without_a_purpose_is_named(self):
        self.assert_says("text", {"proto/a.hpp": SOURCE + "#pragma once\n"}, "purpose")
        self.assert_says("text", {"proto/a.hpp": SOURCE + "//\n" + "// more\n" * 11 + "#pragma once\n"}, "essay")
        self.assert_content("text", {"proto/a.hpp": HEADER})

    def test_leftovers_are_named(self):
        for leftover in ("#if " + "0", "// TO" + "DO later", "// FIX" + "ME", "TEST(A, DISA" + "BLED_b) {}", "<<<<<<< ours", "x; "):
            self.assert_says("text", {"proto/a.cpp": SOURCE + leftover + "\n"}, "proto/a.cpp:2")


class DeadFiles(Check):
    def test_a_source_that_nobody_builds_is_named(self):
        files = {"proto/CMakeLists.txt": "add_library(p codec.cpp)\n", "proto/codec.cpp": SOURCE, "proto/code.cpp": SOURCE}
        self.assert_says("dead_files", files, "proto/code.cpp", "not built")

    def test_a_test_that_is_not_registered_is_named(self):
        self.assert_says("dead_files", {
            "tests/CMakeLists.txt": "cobus_unit_test(a unit/a_test.cpp)\n# cobus_unit_test(b unit/b_test.cpp)\n",
            "tests/unit/a_test.cpp": SOURCE,
            "tests/unit/b_test.cpp": SOURCE,
        }, "tests/unit/b_test.cpp", "not registered")

    def test_a_test_in_python_must_be_registered_and_not_only_mentioned(self):
        files = {"tests/system/a_test.py": "# SPDX-License-Identifier: Apache-2.0\n", "tests/README.md": "`a_test.py`\n"}
        self.assert_says("dead_files", files, "tests/system/a_test.py", "not registered")
        for registered in ("add_test(NAME a COMMAND a_test.py)\n", "foreach(test b a)\n"):
            self.assert_content("dead_files", {**files, "tests/system/CMakeLists.txt": registered})

    def test_a_long_test_must_be_described(self):
        files = {"tests/system/skew_test.py": "", "tests/README.md": ""}
        self.assert_says("dead_files", files, "tests/system/skew_test.py", "tests/README.md does not say")
        self.assert_content("dead_files", {**files, "tests/README.md": "`skew_test.py`\n"})

    def test_a_header_that_nobody_includes_is_named(self):
        files = {"CMakeLists.txt": "proto/a.cpp", "proto/a.cpp": SOURCE + '#include "proto/a.hpp"\n', "proto/a.hpp": HEADER}
        self.assert_says("dead_files", files, "proto/a.hpp", "nobody includes")

    def test_any_other_file_must_be_named_somewhere(self):
        files = {"deploy/lab.sh": SCRIPT}
        self.assert_says("dead_files", files, "deploy/lab.sh", "no other file names")
        self.assert_content("dead_files", {**files, "deploy/README.md": "`lab.sh`\n"})


class Readmes(Check):
    PAGE = "# cobus\n| folder | what |\n|---|---|\n| `proto/` | the contract |\n"

    def test_a_folder_that_the_table_leaves_out_is_named(self):
        self.assert_says("readmes", {"README.md": self.PAGE, "proto/README.md": "", "node/README.md": ""}, "leaves out node/")

    def test_a_folder_that_is_not_there_is_named_with_its_line(self):
        page = self.PAGE + "| `broker/` | the directory |\n"
        self.assert_says("readmes", {"README.md": page, "proto/README.md": ""}, "README.md:5", "broker/, which is not there")

    def test_a_file_that_is_not_there_is_named(self):
        page = "| file | what |\n|---|---|\n| `codec` | frames |\n| `cod` | fish |\n"
        self.assert_says("readmes", {"README.md": self.PAGE, "proto/README.md": page, "proto/codec.hpp": HEADER}, "lists cod,")

    def test_a_new_top_level_entry_is_named(self):
        self.assert_says("readmes", {"README.md": self.PAGE, "proto/README.md": "", "Makefile": ""}, "Makefile", "top level")

    def test_a_room_without_a_readme_is_named(self):
        self.assert_says("readmes", {"README.md": self.PAGE, "proto/a.hpp": ""}, "proto", "no README.md")

    def test_a_page_is_not_longer_than_a_page(self):
        self.assert_says("readmes", {"README.md": self.PAGE, "proto/README.md": "line\n" * 121}, "121 lines")

    def test_a_link_to_nothing_is_named(self):
        self.assert_says("readmes", {"README.md": self.PAGE, "proto/README.md": "[a](docs/gone.md)\n"}, "docs/gone.md")


class Guarantees(Check):
    PAGE = "proto/docs/guarantees.md"
    TEST = {"tests/unit/a_test.cpp": SOURCE + "TEST_F(Bonds, W2_OneDown) {}\n"}

    def test_a_test_that_is_not_there_is_named_with_its_line(self):
        page = {self.PAGE: "**W2** One Down.\n- `Bonds.W2_OneDown`, `Bonds.Gone`\n"}
        self.assert_says("guarantees", {**self.TEST, **page}, self.PAGE + ":2", "Bonds.Gone, which is no test")

    def test_a_test_of_a_guarantee_that_does_not_name_it_is_named(self):
        page = {self.PAGE: "**W3** Links.\n- `Bonds.W2_OneDown`\n"}
        self.assert_says("guarantees", {**self.TEST, **page}, "tests/unit/a_test.cpp:2", "shows W2")

    def test_a_page_that_agrees_is_fine(self):
        self.assert_content("guarantees", {**self.TEST, self.PAGE: "**W2** One Down.\n- `Bonds.W2_OneDown`\n"})


class Tools(Check):
    def test_unformatted_code_is_named(self):
        style = {".clang-format": "BasedOnStyle: Google\n"}
        self.assert_says("format", {**style, "proto/a.cpp": "int  a ;\n"}, "proto/a.cpp:1", "clang-format-19 -i")
        self.assert_content("format", {**style, "proto/a.cpp": "int a;\n"})

    def test_a_careless_script_is_named(self):
        self.assert_says("scripts", {"deploy/a.sh": SCRIPT + "rm -r $1\n"}, "deploy/a.sh:3", "SC2086")
        self.assert_says("scripts", {"tests/a.py": "def f(:\n"}, "tests/a.py:1", "no Python")
        self.assert_content("scripts", {"deploy/a.sh": SCRIPT + 'rm -r "$1"\n', "tests/a.py": "a = 1\n"})


if __name__ == "__main__":
    unittest.main()
