// SPDX-License-Identifier: Apache-2.0
#include "node/runtime/standard_descriptors.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

namespace cobus {
namespace {

// The exit code of `check` in a process of its own, whose three descriptors are closed.
int in_child(int (*check)()) {
  const pid_t child = ::fork();
  if (child == 0) {
    for (int descriptor = 0; descriptor < 3; ++descriptor) ::close(descriptor);
    open_standard_descriptors();
    ::_exit(check());
  }
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(StandardDescriptors, AreTakenByNothingElse) {
  EXPECT_EQ(in_child([] { return ::open("/dev/null", O_RDONLY); }), 3);
}

TEST(StandardDescriptors, ClosedStdinCannotBeRead) {
  EXPECT_EQ(in_child([] {
              char byte = 0;
              return ::read(0, &byte, 1) == -1 ? errno : 0;
            }),
            EBADF);
}

TEST(StandardDescriptors, ClosedStdoutCannotBeWritten) {
  EXPECT_EQ(in_child([] { return ::write(1, "x", 1) == -1 ? errno : 0; }), EBADF);
}

TEST(StandardDescriptors, ClosedStderrTakesEverything) {
  EXPECT_EQ(in_child([] { return static_cast<int>(::write(2, "x", 1)); }), 1);
}

TEST(StandardDescriptors, OpenOnesStayAsTheyAre) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  open_standard_descriptors();
  EXPECT_EQ(::write(ends[1], "x", 1), 1);
  char byte = 0;
  EXPECT_EQ(::read(ends[0], &byte, 1), 1);
  ::close(ends[0]);
  ::close(ends[1]);
}

}  // namespace
}  // namespace cobus
