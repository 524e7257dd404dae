// SPDX-License-Identifier: Apache-2.0
#include "node/observe/log_writer.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <string>
#include <thread>
#include <utility>

namespace cobus {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A pipe whose reader takes nothing until it is asked to.
class Pipe {
 public:
  Pipe() { EXPECT_EQ(::pipe2(ends_.data(), O_CLOEXEC), 0); }
  ~Pipe() {
    close_writer();
    ::close(ends_[0]);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  [[nodiscard]] int writer() const { return ends_[1]; }
  void close_writer() {
    if (ends_[1] >= 0) ::close(std::exchange(ends_[1], -1));
  }
  // So that the next byte has to wait for the reader.
  void fill() const {
    const int flags = ::fcntl(ends_[1], F_GETFL);
    EXPECT_EQ(::fcntl(ends_[1], F_SETFL, flags | O_NONBLOCK), 0);
    const std::string page(4096, '.');
    while (::write(ends_[1], page.data(), page.size()) > 0) continue;
    EXPECT_EQ(::fcntl(ends_[1], F_SETFL, flags), 0);
  }
  // What has come, until `text` is in it.
  std::string read_until(const std::string& text) {
    std::array<char, 65536> bytes{};
    while (read_.find(text) == std::string::npos) {
      const ssize_t size = ::read(ends_[0], bytes.data(), bytes.size());
      if (size <= 0) break;
      read_.append(bytes.data(), static_cast<std::size_t>(size));
    }
    return read_;
  }

 private:
  std::array<int, 2> ends_{-1, -1};
  std::string read_;
};

std::string missing(std::uint64_t count) { return "missing " + std::to_string(count) + "\n"; }

TEST(LogWriter, WritesLinesInOrder) {
  Pipe pipe;
  LogWriter writer(pipe.writer(), missing, {});
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(writer.put("line " + std::to_string(i) + "\n"));
  EXPECT_TRUE(writer.flush(seconds(20)));
  writer.close();
  pipe.close_writer();
  std::string expected;
  for (int i = 0; i < 100; ++i) expected += "line " + std::to_string(i) + "\n";
  EXPECT_EQ(pipe.read_until("end"), expected);
  EXPECT_EQ(writer.dropped(), 0U);
}

TEST(LogWriter, DropsAndCountsLinesThatNobodyReads) {
  Pipe pipe;
  pipe.fill();
  LogWriter writer(pipe.writer(), missing, {.bytes_max = 100'000});
  const std::string line = std::string(999, 'x') + "\n";
  std::uint64_t dropped = 0;
  for (int i = 0; i < 1000; ++i) dropped += writer.put(line) ? 0 : 1;
  EXPECT_GT(dropped, 800U);
  EXPECT_EQ(writer.dropped(), dropped);
  EXPECT_FALSE(writer.flush(milliseconds(1)));
  // The reader comes back: it finds how many are missing, where they are, also when no line follows.
  EXPECT_NE(pipe.read_until("missing ").find("missing "), std::string::npos);
  EXPECT_TRUE(writer.flush(seconds(20)));
  EXPECT_TRUE(writer.put("after\n"));
  EXPECT_NE(pipe.read_until("after").find(missing(dropped) + "after\n"), std::string::npos);
}

TEST(LogWriter, TellsOfAGapBeforeTheNextLine) {
  Pipe pipe;
  pipe.fill();
  LogWriter writer(pipe.writer(), missing, {});
  const std::string line = std::string(999, 'x') + "\n";
  std::uint64_t dropped = 0;
  while (dropped < 5) dropped += writer.put(line) ? 0 : 1;
  // Lines are dropped until half of the queue is written, so that gaps are few.
  std::thread reader([&pipe] { pipe.read_until("next"); });
  while (!writer.put("next\n")) {
    ++dropped;
    std::this_thread::yield();
  }
  reader.join();
  EXPECT_NE(pipe.read_until("next").find(missing(dropped) + "next\n"), std::string::npos);
  EXPECT_EQ(writer.dropped(), dropped);
}

TEST(LogWriter, EndsAlthoughNobodyReads) {
  Pipe pipe;
  pipe.fill();
  const auto begin = std::chrono::steady_clock::now();
  {
    LogWriter writer(pipe.writer(), missing, {.close_idle = milliseconds(50)});
    for (int i = 0; i < 200; ++i) writer.put(std::string(999, 'x') + "\n");
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(20));
  EXPECT_EQ(pipe.read_until(".").front(), '.');  // which lets the thread that was left behind end
}

TEST(LogWriter, WritesWhatWaitsBeforeItEnds) {
  Pipe pipe;
  std::thread reader([&pipe] { pipe.read_until("last"); });
  {
    LogWriter writer(pipe.writer(), missing, {});
    for (int i = 0; i < 500; ++i) EXPECT_TRUE(writer.put(std::string(999, 'x') + "\n"));
    EXPECT_TRUE(writer.put("last\n"));
  }
  pipe.close_writer();
  reader.join();
  EXPECT_EQ(pipe.read_until("last").size(), 500U * 1000 + 5);
}

TEST(LogWriter, CountsLinesWhoseReaderIsGone) {
  std::signal(SIGPIPE, SIG_IGN);
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  ::close(ends[0]);
  LogWriter writer(ends[1], missing, {});
  for (int i = 0; i < 10; ++i) writer.put("line\n");
  EXPECT_TRUE(writer.flush(seconds(20)));
  EXPECT_EQ(writer.dropped(), 10U);
  writer.close();
  ::close(ends[1]);
}

}  // namespace
}  // namespace cobus
