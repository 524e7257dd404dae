// SPDX-License-Identifier: Apache-2.0
//
// ChildProcess over real processes of the shell.
#include "node/host/child_process.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <optional>
#include <thread>

namespace cobus::host {
namespace {

using testing::HasSubstr;

ChildCommand shell(const std::string& script) {
  return {"a.child", "/bin/sh", {"sh", "-c", script}, {"PATH=/usr/bin:/bin", "GIVEN=given"}, 0};
}

// How it ended; empty when it still runs after ten seconds.
std::string end_of(ChildProcess& child) {
  pollfd waiting{child.descriptor(), POLLIN, 0};
  if (::poll(&waiting, 1, 10'000) != 1) return "";
  return child.reap().value_or("");
}

std::string end_of(const ChildCommand& command) {
  Result<ChildProcess> child = ChildProcess::start(command);
  return child ? end_of(*child) : child.error().message();
}

// What is listed as its program.
std::string name_of(pid_t id) {
  std::ifstream file("/proc/" + std::to_string(id) + "/comm");
  std::string name;
  std::getline(file, name);
  return name;
}

TEST(ChildProcess, TellsTheExitCodeOrTheSignalThatEndedIt) {
  EXPECT_EQ(end_of(shell("exit 0")), "exit code 0");
  EXPECT_EQ(end_of(shell("exit 69")), "exit code 69");
  EXPECT_EQ(end_of(shell("kill -SEGV $$")), "signal SIGSEGV (Segmentation fault)");
  EXPECT_THAT(end_of(shell("kill -40 $$")), HasSubstr("signal 40"));
}

TEST(ChildProcess, IsReadableOnceItHasEndedAndNotBefore) {
  Result<ChildProcess> child = ChildProcess::start(shell("exec sleep 100"));
  ASSERT_TRUE(child.has_value());
  pollfd waiting{child->descriptor(), POLLIN, 0};
  EXPECT_EQ(::poll(&waiting, 1, 0), 0);
  EXPECT_EQ(child->reap(), std::nullopt);
  child->send(SIGKILL);
  EXPECT_EQ(end_of(*child), "signal SIGKILL (Killed)");
}

TEST(ChildProcess, TakesSignalsThatItsParentBlocksOrIgnores) {
  sigset_t before;
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const auto pipe_before = std::signal(SIGPIPE, SIG_IGN);
  EXPECT_EQ(end_of(shell("kill -TERM $$; exit 1")), "signal SIGTERM (Terminated)");
  EXPECT_EQ(end_of(shell("kill -PIPE $$; exit 1")), "signal SIGPIPE (Broken pipe)");
  std::signal(SIGPIPE, pipe_before);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

TEST(ChildProcess, InheritsNoDescriptorBeyondStandardError) {
  const int open_file = ::open("/dev/null", O_RDONLY);  // NOLINT(android-cloexec-open): what a library may do
  ASSERT_GE(open_file, 3);
  EXPECT_EQ(end_of(shell("test ! -e /proc/self/fd/" + std::to_string(open_file))), "exit code 0");
  ::close(open_file);
}

TEST(ChildProcess, HasTheEnvironmentThatItWasGivenAndNoOther) {
  ASSERT_EQ(::setenv("COBUS_TEST_OF_PARENT", "x", 1), 0);
  EXPECT_EQ(end_of(shell("test \"$GIVEN\" = given -a -z \"$COBUS_TEST_OF_PARENT\"")), "exit code 0");
  ::unsetenv("COBUS_TEST_OF_PARENT");
}

TEST(ChildProcess, GetsNoMoreMemoryThanItsBound) {
  ChildCommand command = shell("test \"$(ulimit -v)\" = 65536");
  command.address_space_bytes_max = 64 << 20;
  EXPECT_EQ(end_of(command), "exit code 0");
}

TEST(ChildProcess, AProgramThatIsNotThereIsAnEndWithACodeOfItsOwn) {
  ChildCommand command = shell("");
  command.program = "/no/such/program";
  testing::internal::CaptureStderr();
  EXPECT_EQ(end_of(command), "exit code 127");
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "child a.child cannot be started: /no/such/program: No such file or directory\n");
}

TEST(ChildProcess, W5_EndsWithTheThreadThatStartedIt) {
  std::optional<Result<ChildProcess>> child;
  std::thread([&] {
    child.emplace(ChildProcess::start(shell("exec sleep 100")));
    while (*child && name_of((*child)->id()) != "sleep") std::this_thread::yield();
  }).join();
  ASSERT_TRUE(child->has_value());
  EXPECT_EQ(end_of(**child), "signal SIGTERM (Terminated)");
}

}  // namespace
}  // namespace cobus::host
