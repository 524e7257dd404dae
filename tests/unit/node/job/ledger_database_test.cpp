// SPDX-License-Identifier: Apache-2.0
#include "node/job/ledger_database.hpp"

#include <sys/stat.h>

#include <fstream>

#include "tests/unit/node/job/ledger_fixture.hpp"

namespace cobus::job {
namespace {

class LedgerDatabaseTest : public testing::Test {
 protected:
  [[nodiscard]] std::filesystem::path path() const { return folder_.path() / "ledger.db"; }
  void change(const std::string& sql) const {
    SQLite::Database(path().string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE).exec(sql);
    chmod(path().c_str(), 0600);
  }
  PrivateFolder folder_;
};

TEST_F(LedgerDatabaseTest, SyncsEveryCommitAndMapsNothing) {
  auto database = LedgerDatabase::open(path());
  ASSERT_TRUE(database) << database.error().to_string();
  EXPECT_EQ(database->sql().execAndGet("PRAGMA journal_mode").getString(), "wal");
  EXPECT_EQ(database->sql().execAndGet("PRAGMA synchronous").getInt(), 2);
  EXPECT_EQ(database->sql().execAndGet("PRAGMA mmap_size").getInt(), 0);
  EXPECT_EQ(database->sql().execAndGet("PRAGMA locking_mode").getString(), "exclusive");
  EXPECT_EQ(database->sql().execAndGet("PRAGMA user_version").getInt(), ledger_schema);
}

TEST_F(LedgerDatabaseTest, KeepsEveryFilePrivate) {
  auto database = LedgerDatabase::open(path());
  ASSERT_TRUE(database);
  for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
    struct stat info{};
    ASSERT_EQ(stat(entry.path().c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777U, 0600U) << entry.path();
  }
}

TEST_F(LedgerDatabaseTest, RefusesASchemaOfANewerRelease) {
  ASSERT_TRUE(LedgerDatabase::open(path()));
  change("PRAGMA user_version = 7");
  const auto database = LedgerDatabase::open(path());
  ASSERT_FALSE(database);
  EXPECT_EQ(database.error().code(), Code::failed_precondition);
  EXPECT_NE(database.error().message().find("newer release (schema 7, this one knows 2)"), std::string::npos);
}

TEST_F(LedgerDatabaseTest, TakesOverALedgerOfAnEarlierReleaseAndGivesItsJobsTheLeastRole) {
  ASSERT_TRUE(LedgerDatabase::open(path()));
  change(
      "ALTER TABLE job DROP COLUMN role; PRAGMA user_version = 1;"
      "INSERT INTO job (id, method, state, attempts_max, timeout_us, submitted_us)"
      " VALUES ('0a', 'a.A/B', 3, 5, 0, 0)");
  for (int i = 0; i < 2; ++i) {
    auto database = LedgerDatabase::open(path());
    ASSERT_TRUE(database) << database.error().to_string();
    EXPECT_EQ(database->sql().execAndGet("PRAGMA user_version").getInt(), ledger_schema);
    EXPECT_EQ(database->sql().execAndGet("SELECT role FROM job").getInt(), v1::SUBMIT);
  }
}

TEST_F(LedgerDatabaseTest, RefusesTheDatabaseOfAnotherProgram) {
  change("CREATE TABLE bookmarks (url)");
  const auto database = LedgerDatabase::open(path());
  ASSERT_FALSE(database);
  EXPECT_EQ(database.error().code(), Code::failed_precondition);
  EXPECT_NE(database.error().message().find("another program"), std::string::npos);
}

TEST_F(LedgerDatabaseTest, RefusesAFileThatIsNoDatabase) {
  std::ofstream(path()) << std::string(8192, 'x');
  chmod(path().c_str(), 0600);
  const auto database = LedgerDatabase::open(path());
  ASSERT_FALSE(database);
  EXPECT_EQ(database.error().code(), Code::failed_precondition);
  EXPECT_NE(database.error().message().find("is not a ledger"), std::string::npos);
}

TEST_F(LedgerDatabaseTest, RefusesADamagedFile) {
  ASSERT_TRUE(LedgerDatabase::open(path()));
  {
    std::fstream file(path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4096);
    file << std::string(4096, '\x7f');
  }
  const auto database = LedgerDatabase::open(path());
  ASSERT_FALSE(database);
  EXPECT_EQ(database.error().code(), Code::data_loss) << database.error().to_string();
  EXPECT_NE(database.error().message().find("damaged"), std::string::npos);
}

TEST_F(LedgerDatabaseTest, IsHeldAgainstOtherPrograms) {
  auto database = LedgerDatabase::open(path());
  ASSERT_TRUE(database);
  SQLite::Database other(path().string(), SQLite::OPEN_READONLY);
  EXPECT_THROW(other.execAndGet("SELECT count(*) FROM job"), SQLite::Exception);
}

}  // namespace
}  // namespace cobus::job
