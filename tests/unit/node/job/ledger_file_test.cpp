// SPDX-License-Identifier: Apache-2.0
#include "node/job/ledger_file.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "tests/unit/node/job/ledger_fixture.hpp"

namespace cobus::job {
namespace {

TEST(LedgerFile, IsPrivate) {
  const PrivateFolder folder;
  const auto file = LedgerFile::acquire(folder.path() / "ledger.db");
  ASSERT_TRUE(file) << file.error().to_string();
  struct stat info{};
  ASSERT_EQ(stat(file->path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
}

TEST(LedgerFile, RefusesASecondHolderAndNamesTheFirst) {
  const PrivateFolder folder;
  const auto first = LedgerFile::acquire(folder.path() / "ledger.db");
  ASSERT_TRUE(first);
  const auto second = LedgerFile::acquire(folder.path() / "ledger.db");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), Code::unavailable);
  EXPECT_NE(second.error().message().find("process " + std::to_string(getpid())), std::string::npos);
  EXPECT_NE(second.error().message().find((folder.path() / "ledger.db").string()), std::string::npos);
}

TEST(LedgerFile, IsFreeAgainWhenItsHolderIsGone) {
  const PrivateFolder folder;
  ASSERT_TRUE(LedgerFile::acquire(folder.path() / "ledger.db"));
  EXPECT_TRUE(LedgerFile::acquire(folder.path() / "ledger.db"));
}

TEST(LedgerFile, RefusesWhatOthersCanReadAndSaysHowToMendIt) {
  const PrivateFolder folder;
  const auto path = folder.path() / "ledger.db";
  std::ofstream(path).put('x');
  ASSERT_EQ(chmod(path.c_str(), 0644), 0);
  const auto file = LedgerFile::acquire(path);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code(), Code::permission_denied);
  EXPECT_NE(file.error().message().find("chmod 600 " + path.string()), std::string::npos);
}

TEST(LedgerFile, SaysWhyAMissingFolderDoesNotDo) {
  const auto file = LedgerFile::acquire("/nonexistent/folder/ledger.db");
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code(), Code::unavailable);
  EXPECT_NE(file.error().message().find("No such file or directory"), std::string::npos);
}

TEST(LedgerFile, NoticesThatItWasTakenAwayAndPutBack) {
  const PrivateFolder folder;
  const auto path = folder.path() / "ledger.db";
  const auto file = LedgerFile::acquire(path);
  ASSERT_TRUE(file);
  EXPECT_TRUE(file->in_place().ok());
  std::filesystem::rename(path, folder.path() / "elsewhere");
  EXPECT_EQ(file->in_place().code(), Code::unavailable);
  std::ofstream(path).put('x');
  EXPECT_EQ(file->in_place().code(), Code::unavailable) << "another file in its place";
  std::filesystem::rename(folder.path() / "elsewhere", path);
  EXPECT_TRUE(file->in_place().ok());
}

}  // namespace
}  // namespace cobus::job
