// SPDX-License-Identifier: Apache-2.0
#include "node/runtime/file_lock.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

#include "node/runtime/io_status.hpp"

namespace cobus {
namespace {

class FileLockTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "cobus-lock-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path folder_;
};

TEST_F(FileLockTest, NamesItsHolderToWhoeverComesSecond) {
  const auto first = FileLock::acquire(folder_ / "lock");
  ASSERT_TRUE(first) << first.error().to_string();
  const auto second = FileLock::acquire(folder_ / "lock");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), Code::already_exists);
  EXPECT_EQ(second.error().message(), "process " + std::to_string(::getpid()));
}

TEST_F(FileLockTest, IsFreeAgainWhenItsHolderIsGone) {
  ASSERT_TRUE(FileLock::acquire(folder_ / "lock"));
  EXPECT_TRUE(FileLock::acquire(folder_ / "lock"));
}

TEST_F(FileLockTest, SaysWhyAFolderDoesNotDo) {
  const auto lock = FileLock::acquire(folder_ / "absent" / "lock");
  ASSERT_FALSE(lock);
  EXPECT_EQ(lock.error().code(), Code::unavailable);
  EXPECT_NE(lock.error().message().find("No such file or directory"), std::string::npos);
}

TEST(IoStatus, TellsAFullDiskApartAndHowToMendIt) {
  const Status full = io_status("cannot write x", ENOSPC);
  EXPECT_EQ(full.code(), Code::resource_exhausted);
  EXPECT_EQ(full.message(),
            "cannot write x: No space left on device: make room on this disk, then try again");
  EXPECT_EQ(io_status("cannot write x", EDQUOT).code(), Code::resource_exhausted);
  EXPECT_EQ(io_status("cannot write x", EACCES).code(), Code::unavailable);
}

}  // namespace
}  // namespace cobus
