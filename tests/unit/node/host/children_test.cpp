// SPDX-License-Identifier: Apache-2.0
//
// Children over real processes of the shell, each of which says on a line of a file that it was started.
#include "node/host/children.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include "tests/support/told_log.hpp"

namespace cobus::host {
namespace {

using std::chrono::seconds;

class ChildrenTest : public testing::Test {
 protected:
  ChildrenTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "cobus-children-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~ChildrenTest() override { std::filesystem::remove_all(folder_); }

  // What is started as `name` does `first`, writes its process id on a line of its own, and does `script`.
  [[nodiscard]] ChildCommand shell(const std::string& name, const std::string& script,
                                   const std::string& first = "") const {
    const std::string told = "echo $$ >> " + (folder_ / name).string() + "; ";
    return {name, "/bin/sh", {"sh", "-c", first + told + script}, {"PATH=/usr/bin:/bin"}, 0};
  }
  static std::unique_ptr<Children> start(std::vector<ChildCommand> commands) {
    auto children = Children::start(std::move(commands));
    EXPECT_TRUE(children.has_value());
    return std::move(*children);
  }
  // The process ids of all that ran as `name`.
  [[nodiscard]] std::vector<pid_t> starts_of(const std::string& name) const {
    std::ifstream file(folder_ / name);
    std::vector<pid_t> all;
    for (pid_t id = 0; file >> id;) all.push_back(id);
    return all;
  }
  pid_t wait_for_start(const std::string& name, std::size_t count) const {
    const auto end = std::chrono::steady_clock::now() + seconds(30);
    while (starts_of(name).size() < count) {
      if (std::chrono::steady_clock::now() > end) {
        ADD_FAILURE() << name << " was started " << starts_of(name).size() << " times, not " << count;
        return -1;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return starts_of(name).at(count - 1);
  }
  static bool is_there(pid_t id) { return ::kill(id, 0) == 0 || errno != ESRCH; }
  static Duration time_of(const std::function<void()>& what) {
    const auto begin = std::chrono::steady_clock::now();
    what();
    return std::chrono::steady_clock::now() - begin;
  }

  ToldLog log_;
  std::filesystem::path folder_;
};

TEST_F(ChildrenTest, W5_WhatCrashesIsStartedAgainAndTheOthersGoOn) {
  auto children = start({shell("bad", "kill -SEGV $$"), shell("good", "exec sleep 100")});
  const pid_t good = wait_for_start("good", 1);
  wait_for_start("bad", 4);
  EXPECT_EQ(starts_of("good").size(), 1U);
  EXPECT_TRUE(is_there(good));
  children.reset();
  EXPECT_FALSE(is_there(good));
  EXPECT_TRUE(
      log_.says("child bad: it ended with signal SIGSEGV (Segmentation fault); it is started again in 0.1 s"))
      << log_.text();
}

TEST_F(ChildrenTest, OneThatIsKilledByHandComesBack) {
  auto children = start({shell("one", "exec sleep 100")});
  ::kill(wait_for_start("one", 1), SIGKILL);
  EXPECT_TRUE(is_there(wait_for_start("one", 2)));
}

TEST_F(ChildrenTest, AProgramThatCannotBeRunIsTriedAgainAndNotSaidEachTime) {
  ChildCommand none = shell("none", "");
  none.program = (folder_ / "none").string();
  testing::internal::CaptureStderr();
  auto children = start({none, shell("other", "exit 3")});
  wait_for_start("other", 5);
  children.reset();
  EXPECT_NE(testing::internal::GetCapturedStderr().find("child none cannot be started"), std::string::npos);
  const std::string told = log_.text();
  for (const char* end :
       {"child none: it ended with exit code 127", "child other: it ended with exit code 3"}) {
    const std::size_t first = told.find(end);
    ASSERT_NE(first, std::string::npos) << told;
    EXPECT_EQ(told.find(end, first + 1), std::string::npos) << told;
  }
}

TEST_F(ChildrenTest, AStopLetsEachEndInItsTimeAndStartsNoneAgain) {
  const std::string ended = (folder_ / "ended").string();
  auto children = start(
      {shell("polite", "while :; do sleep 0.01; done", "trap 'echo x > " + ended + "; exit 0' TERM; ")});
  const pid_t polite = wait_for_start("polite", 1);
  children->ask_to_stop(seconds(30));
  EXPECT_LT(time_of([&] { children->join(); }), seconds(20));
  EXPECT_FALSE(is_there(polite));
  EXPECT_EQ(starts_of("polite").size(), 1U);
  EXPECT_TRUE(std::filesystem::exists(ended));
}

TEST_F(ChildrenTest, WhatDoesNotEndInTimeIsKilledAndNoneIsLeft) {
  auto children =
      start({shell("deaf", "while :; do sleep 1; done", "trap '' TERM; "), shell("good", "exec sleep 100")});
  const pid_t deaf = wait_for_start("deaf", 1);
  const pid_t good = wait_for_start("good", 1);
  children->ask_to_stop(std::chrono::milliseconds(300));
  children->join();
  EXPECT_FALSE(is_there(deaf) || is_there(good));
  EXPECT_TRUE(log_.says("has not ended 0.3 s after it was asked to: it is killed")) << log_.text();
}

TEST_F(ChildrenTest, AStopIsNotKeptWaitingByOneThatWaitsForItsRestart) {
  auto children = start({shell("bad", "exit 1")});
  wait_for_start("bad", 5);  // the next wait takes most of a second
  children->ask_to_stop(seconds(30));
  EXPECT_LT(time_of([&] { children->join(); }), seconds(10));
}

}  // namespace
}  // namespace cobus::host
