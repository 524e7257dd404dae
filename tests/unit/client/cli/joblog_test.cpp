// SPDX-License-Identifier: Apache-2.0
#include "client/cli/joblog.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace cobus::client {
namespace {

class JoblogTest : public testing::Test {
 protected:
  JoblogTest() {
    std::string name = (std::filesystem::temp_directory_path() / "cobus-joblog.XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~JoblogTest() override { std::filesystem::remove_all(folder_); }
  [[nodiscard]] std::string file() const { return (folder_ / "log.tsv").string(); }
  [[nodiscard]] std::string content() const {
    std::ostringstream text;
    text << std::ifstream(file()).rdbuf();
    return text.str();
  }
  void write(const std::string& text) const { std::ofstream(file()) << text; }

  std::filesystem::path folder_;
};

JoblogEntry entry(std::uint64_t sequence, int exit = 0) {
  JoblogEntry entry;
  entry.sequence = sequence;
  entry.host = "n1";
  entry.start_s = 1700000000.125;
  entry.runtime_s = 0.5;
  entry.sent = 10;
  entry.received = 20;
  entry.exit = exit;
  entry.command = "echo.Echo/Echo {\"text\":\"a\tb\\n\"}";
  entry.job = "01k2";
  entry.attempt = 2;
  return entry;
}

TEST_F(JoblogTest, HasTheColumnsOfGnuParallelAndTwoMore) {
  EXPECT_EQ(
      joblog_header("3f2a"),
      "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\tJobId\tAttempt\tmap=3f2a");
  EXPECT_EQ(
      joblog_line(entry(3)),
      "3\tn1\t1700000000.125\t     0.500\t10\t20\t0\t0\techo.Echo/Echo {\"text\":\"a\\tb\\\\n\"}\t01k2\t2");
}

TEST_F(JoblogTest, WhatIsWrittenIsReadBack) {
  {
    auto writer = JoblogWriter::open(file(), false, "r");
    ASSERT_TRUE(writer);
    ASSERT_TRUE((*writer)->add(entry(1)).ok());
    ASSERT_TRUE((*writer)->add(entry(2, 1)).ok());
  }
  const auto entries = read_joblog(file());
  ASSERT_TRUE(entries);
  ASSERT_EQ(entries->entries.size(), 2U);
  EXPECT_EQ(entries->entries.at(1).command, entry(1).command);
  EXPECT_EQ(entries->entries.at(1).attempt, 2U);
  EXPECT_EQ(entries->entries.at(2).exit, 1);
  EXPECT_EQ(entries->run, "r");
}

TEST_F(JoblogTest, TheLastEntryOfARequestCounts) {
  write(joblog_header("r") + '\n' + joblog_line(entry(1, 1)) + '\n' + joblog_line(entry(1, 0)) + '\n');
  EXPECT_EQ(read_joblog(file())->entries.at(1).exit, 0);
}

TEST_F(JoblogTest, ALineCutOffByACrashDoesNotCountAndIsOverwritten) {
  write(joblog_header("r") + '\n' + joblog_line(entry(1)) + "\n2\tn1\t17");
  ASSERT_TRUE(read_joblog(file()));
  EXPECT_EQ(read_joblog(file())->entries.size(), 1U);
  ASSERT_TRUE((*JoblogWriter::open(file(), true, "r"))->add(entry(2)).ok());
  EXPECT_EQ(read_joblog(file())->entries.size(), 2U);
  EXPECT_EQ(content(),
            joblog_header("r") + '\n' + joblog_line(entry(1)) + '\n' + joblog_line(entry(2)) + '\n');
}

TEST_F(JoblogTest, ANewLogReplacesTheOldAndGoingOnKeepsIt) {
  ASSERT_TRUE((*JoblogWriter::open(file(), false, "r"))->add(entry(1)).ok());
  ASSERT_TRUE((*JoblogWriter::open(file(), true, "r"))->add(entry(2)).ok());
  EXPECT_EQ(read_joblog(file())->entries.size(), 2U);
  ASSERT_TRUE(JoblogWriter::open(file(), false, "r"));
  EXPECT_EQ(read_joblog(file())->entries.size(), 0U);
}

TEST_F(JoblogTest, OtherFilesAreRefusedWithTheLine) {
  EXPECT_EQ(read_joblog(file()).error().code(), Code::not_found);
  write("not a joblog\n");
  const auto entries = read_joblog(file());
  ASSERT_FALSE(entries);
  EXPECT_EQ(entries.error().code(), Code::invalid_argument);
  EXPECT_NE(entries.error().message().find("line 1"), std::string::npos);
  write(joblog_header("r") + "\nx\tn1\t1\t1\t1\t1\t0\t0\tc\tj\t1\n");
  EXPECT_NE(read_joblog(file()).error().message().find("Seq"), std::string::npos);
}

TEST_F(JoblogTest, AFileThatCannotBeWrittenSaysWhy) {
  const auto writer = JoblogWriter::open((folder_ / "no" / "such").string(), false, "r");
  ASSERT_FALSE(writer);
  EXPECT_NE(writer.error().message().find("No such file"), std::string::npos);
  const auto full = JoblogWriter::open("/dev/full", false, "r");
  ASSERT_FALSE(full);
  EXPECT_NE(full.error().message().find("No space"), std::string::npos);
}

}  // namespace
}  // namespace cobus::client
