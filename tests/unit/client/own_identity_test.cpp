// SPDX-License-Identifier: Apache-2.0
//
// Which certificate a program shows, by the join string that it was given.
#include "client/own_identity.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

namespace cobus::client {
namespace {

namespace fs = std::filesystem;

class OwnIdentity : public testing::Test {
 protected:
  OwnIdentity() {
    std::string name = (fs::temp_directory_path() / "cobus-own.XXXXXX").string();
    folder_ = fs::path(::mkdtemp(name.data())) / "client";
  }
  ~OwnIdentity() override { fs::remove_all(folder_.parent_path()); }

  [[nodiscard]] link::JoinString with_token(const std::string& token) const {
    return {{"h:1"}, cluster_.key(), token};
  }
  [[nodiscard]] v1::Certificate certificate(v1::Role role) const {
    const auto identity = link::load_identity(folder_, cluster_.key());
    v1::CertificateBody body;
    body.set_name("n");
    body.set_role(role);
    body.set_curve_key(identity->pair.key.bytes.data(), identity->pair.key.bytes.size());
    body.set_not_before(1);
    body.set_not_after(INT64_MAX);
    return cluster_.sign(body);
  }
  void enrol(const std::string& token, v1::Role role) const {
    EXPECT_EQ(keep_certificate(folder_, with_token(token), certificate(role)), Status());
  }
  // The role that it would act with; ROLE_UNSPECIFIED when it would enrol.
  [[nodiscard]] static v1::Role role(const Result<link::Identity>& identity) {
    v1::CertificateBody body;
    if (!identity) ADD_FAILURE() << identity.error().message();
    if (identity && identity->certificate) body.ParseFromString(identity->certificate->body());
    return body.role();
  }
  [[nodiscard]] v1::Role role(const link::JoinString& join) const {
    return role(own_identity(folder_, join));
  }

  const link::ClusterSecret cluster_ = link::ClusterSecret::make();
  fs::path folder_;
};

TEST_F(OwnIdentity, ActsWithTheRightsOfTheTokenThatIsGiven) {
  enrol("submit-token", v1::SUBMIT);
  EXPECT_EQ(role(with_token("submit-token")), v1::SUBMIT);
  EXPECT_EQ(role(with_token("admin-token")), v1::ROLE_UNSPECIFIED) << "it enrols";
  enrol("admin-token", v1::ADMIN);
  EXPECT_EQ(role(with_token("admin-token")), v1::ADMIN);
  EXPECT_EQ(role(with_token("submit-token")), v1::SUBMIT);
  EXPECT_EQ(role(with_token("observe-token")), v1::ROLE_UNSPECIFIED);
}

TEST_F(OwnIdentity, IsOneKeyForAllTokens) {
  const auto first = own_identity(folder_, with_token("a"));
  const auto second = own_identity(folder_, with_token("b"));
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->pair.key, second->pair.key);
}

TEST_F(OwnIdentity, KeepsClustersApart) {
  enrol("token", v1::ADMIN);
  link::JoinString elsewhere = with_token("token");
  elsewhere.cluster = link::ClusterSecret::make().key();
  EXPECT_EQ(role(elsewhere), v1::ROLE_UNSPECIFIED);
  EXPECT_NE(certificate_folder(folder_, elsewhere), certificate_folder(folder_, with_token("token")));
}

TEST_F(OwnIdentity, WritesTheTokenNowhereAndNothingThatOthersCanRead) {
  enrol("sekrit", v1::SUBMIT);
  const fs::path own = certificate_folder(folder_, with_token("sekrit"));
  EXPECT_EQ(own.string().find("sekrit"), std::string::npos);
  EXPECT_EQ(own, certificate_folder(folder_, with_token("SEKRIT"))) << "a broker takes either";
  struct stat facts{};
  ASSERT_EQ(::stat(own.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777U, 0700U);
}

TEST_F(OwnIdentity, WithoutATokenUsesTheCertificateThatAnEarlierReleaseKept) {
  ASSERT_EQ(link::save_certificate(folder_, certificate(v1::OBSERVE)), Status());
  EXPECT_EQ(role(with_token("")), v1::OBSERVE);
  EXPECT_EQ(role(with_token("admin-token")), v1::ROLE_UNSPECIFIED) << "whose it was is not known";
}

TEST_F(OwnIdentity, WithoutATokenUsesTheOnlyCertificateAndDoesNotChooseAmongSeveral) {
  enrol("submit-token", v1::SUBMIT);
  EXPECT_EQ(role(with_token("")), v1::SUBMIT);
  enrol("admin-token", v1::ADMIN);
  const auto several = own_identity(folder_, with_token(""));
  ASSERT_FALSE(several);
  EXPECT_EQ(several.error().code(), Code::failed_precondition);
  EXPECT_NE(several.error().message().find("join string that has its token"), std::string::npos);
}

}  // namespace
}  // namespace cobus::client
