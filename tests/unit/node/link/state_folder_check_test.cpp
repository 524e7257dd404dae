// SPDX-License-Identifier: Apache-2.0
#include "node/link/state_folder_check.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

namespace cobus::link {
namespace {

// As a user who is in no passwd database, in a process of its own.
TEST(StateFolderCheck, RefusesAUserWithoutAHomeFolder) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become another user";
  const auto answer = [](const char* home) {
    const pid_t child = ::fork();
    if (child == 0) {
      if (!check_state_folder("from/flag").ok()) ::_exit(8);
      for (const char* name : {"COBUS_STATE", "XDG_STATE_HOME", "HOME"}) ::unsetenv(name);
      if (home != nullptr) ::setenv("HOME", home, 1);
      if (::setuid(54321) != 0) ::_exit(9);
      const Status checked = check_state_folder("");
      if (checked.ok()) ::_exit(1);
      const std::string& text = checked.message();
      const auto names = [&](const char* word) { return text.find(word) != std::string::npos; };
      ::_exit(names("HOME") && names("COBUS_STATE") && names("--state") ? 0 : 3);
    }
    int status = -1;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  };
  EXPECT_EQ(answer("/somewhere"), 1);
  EXPECT_EQ(answer(nullptr), 0);
  EXPECT_EQ(answer(""), 0);
  EXPECT_EQ(answer("relative"), 0) << "where it leads depends on the working folder";
}

}  // namespace
}  // namespace cobus::link
