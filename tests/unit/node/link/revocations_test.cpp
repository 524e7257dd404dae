// SPDX-License-Identifier: Apache-2.0
#include "node/link/revocations.hpp"

#include <cobus/v1/directory.pb.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "node/link/identity.hpp"
#include "tests/support/private_folder.hpp"

namespace cobus::link {
namespace {

constexpr std::int64_t now_s = 1'700'000'000;

using Said = google::protobuf::RepeatedPtrField<v1::Revocation>;

struct RevocationsTest : testing::Test {
  [[nodiscard]] v1::Revocation revoked(const CurveKey& of, std::int64_t until = now_s + 100) const {
    v1::RevocationBody body;
    body.set_curve_key(of.bytes.data(), of.bytes.size());
    body.set_until(until);
    body.set_name("beta");
    return cluster.sign(body);
  }
  static Said said(std::initializer_list<v1::Revocation> all) { return {all.begin(), all.end()}; }

  ClusterSecret cluster = ClusterSecret::make();
  CurveKey key = make_curve_pair().key;
  Revocations list{cluster.key()};
};

TEST_F(RevocationsTest, A5_OnlyWhatTheClusterSignedCountsWhoeverBringsIt) {
  const ClusterSecret other = ClusterSecret::make();
  v1::Revocation forged = revoked(key);
  forged.set_signature(other.sign(v1::RevocationBody()).signature());
  EXPECT_TRUE(list.merge(said({forged}), now_s).empty());
  v1::RevocationBody body;
  ASSERT_TRUE(body.ParseFromString(revoked(key).body()));
  EXPECT_TRUE(list.merge(said({other.sign(body)}), now_s).empty());
  for (const std::size_t at : {std::size_t{0}, std::size_t{5}, std::size_t{40}}) {
    v1::Revocation changed = revoked(key);
    (*changed.mutable_body())[at] ^= 1;
    EXPECT_TRUE(list.merge(said({changed}), now_s).empty()) << at;
  }
  // A certificate is signed with the same key, and is no revocation.
  v1::CertificateBody certificate;
  v1::Revocation taken;
  taken.set_body(cluster.sign(certificate).body());
  taken.set_signature(cluster.sign(certificate).signature());
  EXPECT_TRUE(list.merge(said({taken}), now_s).empty());
  EXPECT_FALSE(list.find(key, now_s));
  EXPECT_EQ(list.merge(said({revoked(key)}), now_s).size(), 1U);
  EXPECT_TRUE(list.find(key, now_s));
}

TEST_F(RevocationsTest, IsTheUnionOfWhatAnybodySaidInAnyOrder) {
  const CurveKey second = make_curve_pair().key;
  EXPECT_EQ(list.merge(said({revoked(key), revoked(second)}), now_s).size(), 2U);
  EXPECT_TRUE(list.merge(said({revoked(key)}), now_s).empty()) << "nothing new";
  EXPECT_TRUE(list.merge(said({revoked(key, now_s + 50)}), now_s).empty()) << "less is no news";
  EXPECT_EQ(list.merge(said({revoked(key, now_s + 200)}), now_s).size(), 1U);
  EXPECT_EQ(list.find(key, now_s)->body.until(), now_s + 200);
  EXPECT_EQ(list.all(now_s).size(), 2U);
}

TEST_F(RevocationsTest, AnEntryGoesWithTheCertificates) {
  ASSERT_EQ(list.merge(said({revoked(key)}), now_s).size(), 1U);
  EXPECT_TRUE(list.find(key, now_s + 99));
  EXPECT_FALSE(list.find(key, now_s + 100));
  EXPECT_TRUE(list.all(now_s + 100).empty());
  EXPECT_TRUE(list.merge(said({revoked(key)}), now_s + 100).empty()) << "nor does it come back";
}

TEST_F(RevocationsTest, A5_AFileThatIsLargerThanOthersIsReadAgain) {
  const PrivateFolder folder;
  const std::filesystem::path file = folder.path() / "revoked";
  v1::ShareRequest large;
  while (large.ByteSizeLong() < private_file_bytes_max) {
    v1::RevocationBody body;
    body.set_curve_key(key.bytes.data(), key.bytes.size());
    body.set_until(now_s + 100);
    body.set_reason(std::string(100'000, 'x'));
    *large.add_revoked() = cluster.sign(body);
  }
  ASSERT_TRUE(write_private_file(file, large.SerializeAsString()).ok());
  Revocations again(cluster.key(), file);
  EXPECT_TRUE(again.load(now_s).ok());
  EXPECT_TRUE(again.find(key, now_s));
}

TEST_F(RevocationsTest, TheKeyOfTheBrokersCannotBeRevoked) {
  EXPECT_TRUE(list.merge(said({revoked(cluster.broker_pair().key)}), now_s).empty());
}

TEST_F(RevocationsTest, A5_IsKeptInAPrivateFile) {
  const PrivateFolder folder;
  const std::filesystem::path file = folder.path() / "revoked";
  {
    Revocations kept(cluster.key(), file);
    ASSERT_TRUE(kept.load(now_s).ok());
    ASSERT_EQ(kept.merge(said({revoked(key)}), now_s).size(), 1U);
    ASSERT_TRUE(kept.save().ok());
  }
  struct stat facts{};
  ASSERT_EQ(::stat(file.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600U);
  Revocations again(cluster.key(), file);
  ASSERT_TRUE(again.load(now_s).ok());
  EXPECT_TRUE(again.find(key, now_s));
  Revocations of_another(ClusterSecret::make().key(), file);
  ASSERT_TRUE(of_another.load(now_s).ok());
  EXPECT_TRUE(of_another.all(now_s).empty());
  ASSERT_EQ(::chmod(file.c_str(), 0644), 0);
  EXPECT_EQ(Revocations(cluster.key(), file).load(now_s).code(), Code::permission_denied);
  ASSERT_TRUE(write_private_file(file, "no list").ok());
  EXPECT_EQ(Revocations(cluster.key(), file).load(now_s).code(), Code::failed_precondition);
}

}  // namespace
}  // namespace cobus::link
