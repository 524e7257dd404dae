// SPDX-License-Identifier: Apache-2.0
#include "client/cli/child_process.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

namespace cobus::client {
namespace {

using namespace std::chrono_literals;

Result<ChildProcess> shell(const std::string& script) {
  return ChildProcess::start("child", {"/bin/sh", "-c", script});
}

TEST(ChildProcess, SaysWhenItIsReadyAndTheRestIsKept) {
  auto child = shell("echo first >&2; echo it is ready at last >&2; echo later >&2; exec sleep 60");
  ASSERT_TRUE(child);
  EXPECT_EQ(child->wait_for_line(" is ready at ", 20s), "it is ready at last");
  std::vector<std::string> said = child->take_said();
  while (said.size() < 2) {
    ASSERT_TRUE(child->read_more());
    for (std::string& line : child->take_said()) said.push_back(std::move(line));
  }
  EXPECT_EQ(said, (std::vector<std::string>{"first", "later"}));
}

TEST(ChildProcess, ThatEndsEarlyIsQuotedWithItsLastWords) {
  auto child = shell("echo one >&2; echo the port is taken >&2; exit 69");
  ASSERT_TRUE(child);
  const auto line = child->wait_for_line("ready", 20s);
  ASSERT_FALSE(line);
  EXPECT_EQ(line.error(), Status(Code::unavailable, "the port is taken"));
}

TEST(ChildProcess, ThatSaysNothingIsGivenUp) {
  auto child = shell("exec sleep 60");
  ASSERT_TRUE(child);
  EXPECT_EQ(child->wait_for_line("ready", 50ms).error().message(), "child is not ready in time");
}

TEST(ChildProcess, AProgramThatIsNotThereIsNamed) {
  auto child = ChildProcess::start("child", {"/no/such/program"});
  ASSERT_TRUE(child);
  EXPECT_NE(child->wait_for_line("ready", 20s).error().message().find("/no/such/program cannot be started"),
            std::string::npos);
}

TEST(ChildProcess, EndsWhenItsOwnerDoes) {
  int descriptor = -1;
  {
    auto child =
        shell("trap 'echo stopped >&2; exit 0' TERM; echo it is ready >&2; while :; do sleep 0.01; done");
    ASSERT_TRUE(child);
    ASSERT_TRUE(child->wait_for_line("ready", 20s));
    descriptor = ::dup(child->descriptor());
  }
  // Every end of the pipe is closed, so the process is gone.
  std::string rest(64, '\0');
  rest.resize(static_cast<std::size_t>(::read(descriptor, rest.data(), rest.size())));
  EXPECT_EQ(rest, "stopped\n");
  EXPECT_EQ(::read(descriptor, rest.data(), rest.size()), 0);
  ::close(descriptor);
}

}  // namespace
}  // namespace cobus::client
