// SPDX-License-Identifier: Apache-2.0
#include "broker/enrolment.hpp"

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>

#include "tests/support/private_folder.hpp"

namespace cobus::broker {
namespace {

using std::chrono::seconds;

constexpr std::int64_t now_s = 1'700'000'000;

class EnrolmentTest : public testing::Test {
 protected:
  [[nodiscard]] std::string token(v1::Role role, std::uint32_t uses = 1) {
    return tokens_.create(role, seconds(60), uses, now_s).value();
  }
  static v1::Hello hello(const std::string& name, const std::string& token) {
    v1::Hello made;
    made.set_name(name);
    made.set_token(token);
    return made;
  }
  PrivateFolder folder_;
  TokenStore tokens_ = TokenStore::open(folder_.path() / "tokens").value();
  IssuedStore issued_ = IssuedStore::open(folder_.path() / "certificates").value();
  link::ClusterSecret secret_ = link::ClusterSecret::make();
  link::CurvePair pair_ = link::make_curve_pair();
  SeededRandom random_{1};
  std::map<std::string, link::CurveKey, std::less<>> held_;
  Enrolment enrolment_{secret_, tokens_, issued_, random_,
                       [this](std::string_view name) -> std::optional<link::CurveKey> {
                         const auto found = held_.find(name);
                         if (found == held_.end()) return std::nullopt;
                         return found->second;
                       }};
};

TEST_F(EnrolmentTest, ATokenIsTradedForACertificateThatTheClusterVouchesFor) {
  const auto certificate = enrolment_.issue(hello("n1", token(v1::NODE)), pair_.key, now_s);
  ASSERT_TRUE(certificate) << certificate.error().to_string();
  const auto body = link::check_certificate(*certificate, secret_.key(), pair_.key, now_s);
  ASSERT_TRUE(body) << body.error().to_string();
  EXPECT_EQ(body->name(), "n1");
  EXPECT_EQ(body->role(), v1::NODE);
  EXPECT_EQ(body->not_before(), now_s - 300);
  EXPECT_EQ(body->not_after(), now_s + 365 * 24 * 3600);
}

TEST_F(EnrolmentTest, TheRoleIsThatOfTheToken) {
  const auto certificate = enrolment_.issue(hello("ann", token(v1::OBSERVE)), pair_.key, now_s);
  ASSERT_TRUE(certificate);
  EXPECT_EQ(link::check_certificate(*certificate, secret_.key(), pair_.key, now_s)->role(), v1::OBSERVE);
}

TEST_F(EnrolmentTest, TheCertificateIsGoodForNoOtherKeyAndNotForEver) {
  const auto certificate = enrolment_.issue(hello("n1", token(v1::NODE)), pair_.key, now_s);
  ASSERT_TRUE(certificate);
  EXPECT_FALSE(link::check_certificate(*certificate, secret_.key(), link::make_curve_pair().key, now_s));
  EXPECT_FALSE(link::check_certificate(*certificate, secret_.key(), pair_.key, now_s + 366 * 24 * 3600));
}

TEST_F(EnrolmentTest, SerialsDiffer) {
  const auto secret = token(v1::NODE, 2);
  v1::CertificateBody first;
  v1::CertificateBody second;
  ASSERT_TRUE(first.ParseFromString(enrolment_.issue(hello("n1", secret), pair_.key, now_s)->body()));
  ASSERT_TRUE(second.ParseFromString(enrolment_.issue(hello("n1", secret), pair_.key, now_s)->body()));
  EXPECT_NE(first.serial(), second.serial());
}

TEST_F(EnrolmentTest, WithoutTokenOrKeyNobodyIsLetIn) {
  EXPECT_EQ(enrolment_.issue(hello("n1", ""), pair_.key, now_s).error().code(), Code::unauthenticated);
  EXPECT_EQ(enrolment_.issue(hello("n1", "wrong"), pair_.key, now_s).error().code(), Code::unauthenticated);
  EXPECT_EQ(enrolment_.issue(hello("n1", token(v1::NODE)), link::CurveKey{}, now_s).error().code(),
            Code::unauthenticated);
}

TEST_F(EnrolmentTest, ABadNameDoesNotUseTheTokenUp) {
  const auto secret = token(v1::NODE);
  EXPECT_EQ(enrolment_.issue(hello("a b", secret), pair_.key, now_s).error().code(), Code::invalid_argument);
  EXPECT_TRUE(enrolment_.issue(hello("ab", secret), pair_.key, now_s));
}

TEST_F(EnrolmentTest, D4_ANameThatAnotherKeyHoldsIsRefusedWhateverTheRole) {
  const link::CurveKey other = link::make_curve_pair().key;
  held_["n1"] = other;
  const auto secret = token(v1::SUBMIT);
  const auto refused = enrolment_.issue(hello("n1", secret), pair_.key, now_s);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::already_exists);
  EXPECT_NE(refused.error().message().find(link::short_fingerprint(other)), std::string::npos);
  EXPECT_NE(refused.error().message().find(link::short_fingerprint(pair_.key)), std::string::npos);
  EXPECT_EQ(enrolment_.issue(hello("n1", "wrong"), pair_.key, now_s).error().code(), Code::unauthenticated)
      << "without a token nobody learns which names there are";
  EXPECT_TRUE(enrolment_.issue(hello("ann", secret), pair_.key, now_s)) << "the refusal used no token up";
  held_["n2"] = pair_.key;
  EXPECT_TRUE(enrolment_.issue(hello("n2", token(v1::NODE)), pair_.key, now_s)) << "the holder itself";
}

}  // namespace
}  // namespace cobus::broker
