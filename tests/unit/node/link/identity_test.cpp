// SPDX-License-Identifier: Apache-2.0
//
// Identities on disk: made once, private, found again; and the files that must not be trusted.
#include "node/link/identity.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

namespace cobus::link {
namespace {

namespace fs = std::filesystem;

class IdentityFiles : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "cobus-identity.XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
  }
  void TearDown() override { fs::remove_all(root_); }
  static mode_t mode_of(const fs::path& path) {
    struct stat facts{};
    EXPECT_EQ(::stat(path.c_str(), &facts), 0) << path;
    return facts.st_mode & 0777;
  }
  static std::string message_of(const Status& status) { return status.to_string(); }

  fs::path root_;
};

v1::Certificate issue(const ClusterSecret& cluster, const CurveKey& key, std::int64_t not_after = INT64_MAX) {
  v1::CertificateBody body;
  body.set_name("n1");
  body.set_role(v1::NODE);
  body.set_curve_key(key.bytes.data(), key.bytes.size());
  body.set_not_before(1);
  body.set_not_after(not_after);
  return cluster.sign(body);
}

TEST_F(IdentityFiles, AreMadePrivateAndFoundAgain) {
  const ClusterSecret cluster = ClusterSecret::make();
  const fs::path folder = root_ / "state" / "nodes" / "n1";
  const auto made = load_identity(folder, cluster.key());
  ASSERT_TRUE(made) << message_of(made.error());
  EXPECT_FALSE(made->certificate);
  EXPECT_EQ(mode_of(root_ / "state"), 0700U);
  EXPECT_EQ(mode_of(folder), 0700U);
  EXPECT_EQ(mode_of(folder / "curve.key"), 0600U);

  ASSERT_TRUE(save_certificate(folder, issue(cluster, made->pair.key)).ok());
  const auto again = load_identity(folder, cluster.key());
  ASSERT_TRUE(again) << message_of(again.error());
  EXPECT_EQ(again->pair.key, made->pair.key);
  EXPECT_EQ(again->pair.secret.bytes(), made->pair.secret.bytes());
  ASSERT_TRUE(again->certificate);
  EXPECT_EQ(mode_of(folder / "certificate"), 0600U);
  EXPECT_EQ(*read_private_file(folder / "cluster.pub"), fingerprint(cluster.key()) + "\n");
  // Nothing half-written stays behind.
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), fs::directory_iterator()), 3);
}

TEST_F(IdentityFiles, IgnoreACertificateThatHasExpired) {
  const ClusterSecret cluster = ClusterSecret::make();
  const fs::path folder = root_ / "n1";
  const auto made = load_identity(folder, cluster.key());
  ASSERT_TRUE(made);
  ASSERT_TRUE(save_certificate(folder, issue(cluster, made->pair.key, 2)).ok());
  const auto again = load_identity(folder, cluster.key());
  ASSERT_TRUE(again);
  EXPECT_FALSE(again->certificate);
}

TEST_F(IdentityFiles, IgnoreACertificateOfAnotherClusterOrKeyOrDamaged) {
  const ClusterSecret cluster = ClusterSecret::make();
  const fs::path folder = root_ / "n1";
  const auto made = load_identity(folder, cluster.key());
  ASSERT_TRUE(made);
  ASSERT_TRUE(save_certificate(folder, issue(cluster, make_curve_pair().key)).ok());
  EXPECT_FALSE(load_identity(folder, cluster.key())->certificate);
  ASSERT_TRUE(write_private_file(folder / "certificate", "rubbish").ok());
  EXPECT_FALSE(load_identity(folder, cluster.key())->certificate);
  ASSERT_TRUE(save_certificate(folder, issue(cluster, made->pair.key)).ok());
  EXPECT_TRUE(load_identity(folder, cluster.key())->certificate);
  EXPECT_FALSE(load_identity(folder, ClusterSecret::make().key())->certificate);
}

TEST_F(IdentityFiles, AreRefusedWhenOthersCanReadThem) {
  const ClusterKey cluster = ClusterSecret::make().key();
  const fs::path folder = root_ / "n1";
  ASSERT_TRUE(load_identity(folder, cluster));
  ASSERT_EQ(::chmod((folder / "curve.key").c_str(), 0640), 0);
  const auto refused = load_identity(folder, cluster);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::permission_denied);
  EXPECT_NE(refused.error().message().find("chmod 600 " + (folder / "curve.key").string()), std::string::npos)
      << refused.error().message();
  EXPECT_EQ(mode_of(folder / "curve.key"), 0640U);  // refused, not mended

  ASSERT_EQ(::chmod((folder / "curve.key").c_str(), 0600), 0);
  ASSERT_EQ(::chmod(folder.c_str(), 0755), 0);
  const auto open = load_identity(folder, cluster);
  ASSERT_FALSE(open);
  EXPECT_EQ(open.error().code(), Code::permission_denied);
  EXPECT_NE(open.error().message().find("chmod 700 " + folder.string()), std::string::npos)
      << open.error().message();
  EXPECT_FALSE(read_private_file(folder / "curve.key"));
}

TEST_F(IdentityFiles, AFolderIsCheckedWithoutMakingIt) {
  EXPECT_TRUE(check_private_folder(root_ / "absent").ok());
  EXPECT_FALSE(fs::exists(root_ / "absent"));
  ASSERT_EQ(::chmod(root_.c_str(), 0755), 0);
  EXPECT_EQ(check_private_folder(root_).code(), Code::permission_denied);
  ASSERT_EQ(::chmod(root_.c_str(), 0700), 0);
  EXPECT_TRUE(check_private_folder(root_).ok());
}

TEST_F(IdentityFiles, AreRefusedWhenAnotherUserOwnsThemAlsoByRoot) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  constexpr uid_t other = 12345;
  const ClusterKey cluster = ClusterSecret::make().key();
  const fs::path folder = root_ / "n1";
  const fs::path key = folder / "curve.key";
  ASSERT_TRUE(load_identity(folder, cluster));
  for (const fs::path& given : {key, folder}) {
    ASSERT_EQ(::chown(given.c_str(), other, static_cast<gid_t>(-1)), 0);
    const auto refused = load_identity(folder, cluster);
    ASSERT_FALSE(refused) << given;
    EXPECT_EQ(refused.error().code(), Code::permission_denied);
    for (const std::string& part : {given.string() + " belongs to another user (uid 12345)",
                                    std::string("sudo -u '#12345'"), "chown 0 " + given.string()}) {
      EXPECT_NE(refused.error().message().find(part), std::string::npos) << refused.error().message();
    }
    ASSERT_EQ(::chown(given.c_str(), 0, static_cast<gid_t>(-1)), 0);
  }
  EXPECT_TRUE(load_identity(folder, cluster));
}

TEST_F(IdentityFiles, GiveBrokersOneClusterSecretForLife) {
  const auto made = load_cluster_secret(root_ / "broker");
  ASSERT_TRUE(made) << message_of(made.error());
  const auto again = load_cluster_secret(root_ / "broker");
  ASSERT_TRUE(again);
  EXPECT_EQ(again->key(), made->key());
  EXPECT_EQ(mode_of(root_ / "broker" / "cluster.key"), 0600U);
}

TEST_F(IdentityFiles, AreTheSameForAllWhoStartAtOnce) {
  std::vector<ClusterKey> keys(8);
  std::vector<std::thread> starters;
  for (ClusterKey& key : keys)
    starters.emplace_back([&] { key = load_cluster_secret(root_ / "broker")->key(); });
  for (std::thread& starter : starters) starter.join();
  for (const ClusterKey& key : keys) EXPECT_EQ(key, keys.front());
}

TEST_F(IdentityFiles, SayWhenAKeyIsDamaged) {
  ASSERT_TRUE(make_private_folder(root_ / "broker").ok());
  ASSERT_TRUE(write_private_file(root_ / "broker" / "cluster.key", "mzxw6\n").ok());
  const auto damaged = load_cluster_secret(root_ / "broker");
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().code(), Code::failed_precondition);
  EXPECT_NE(damaged.error().message().find("cluster.key is damaged"), std::string::npos);
  EXPECT_EQ(damaged.error().message().find("mzxw6"), std::string::npos);
}

TEST_F(IdentityFiles, SayWhatCannotBeWrittenOrRead) {
  const Status unwritable = write_private_file(root_ / "absent" / "file", "x");
  EXPECT_EQ(unwritable.code(), Code::unavailable);
  EXPECT_NE(unwritable.message().find((root_ / "absent" / "file").string()), std::string::npos);
  EXPECT_NE(unwritable.message().find("No such file"), std::string::npos);
  EXPECT_EQ(read_private_file(root_ / "absent").error().code(), Code::not_found);
  EXPECT_EQ(read_private_file(root_).error().code(), Code::failed_precondition);
  std::ofstream(root_ / "file") << "x";
  EXPECT_EQ(make_private_folder(root_ / "file").code(), Code::failed_precondition);
  EXPECT_EQ(make_private_folder(root_ / "file" / "below").code(), Code::unavailable);
}

TEST_F(IdentityFiles, ReplaceAFileWholeOrNotAtAll) {
  ASSERT_TRUE(make_private_folder(root_ / "private").ok());
  const fs::path file = root_ / "private" / "file";
  ASSERT_TRUE(write_private_file(file, std::string(100'000, 'a')).ok());
  ASSERT_TRUE(write_private_file(file, "b").ok());
  EXPECT_EQ(*read_private_file(file), "b");
}

TEST(StateFolder, IsTheFlagThenTheEnvironmentThenTheUsers) {
  ::unsetenv("COBUS_STATE");
  ::setenv("XDG_STATE_HOME", "/xdg", 1);
  EXPECT_EQ(state_folder(""), ::geteuid() == 0 ? "/var/lib/cobus" : "/xdg/cobus");
  ::setenv("COBUS_STATE", "/from/environment", 1);
  EXPECT_EQ(state_folder(""), "/from/environment");
  EXPECT_EQ(state_folder("from/flag"), "from/flag");
  ::unsetenv("COBUS_STATE");
  ::unsetenv("XDG_STATE_HOME");
}

}  // namespace
}  // namespace cobus::link
