// SPDX-License-Identifier: Apache-2.0
#include "broker/trust.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>

#include "tests/support/private_folder.hpp"

namespace cobus::broker {
namespace {

constexpr std::int64_t now_s = 1'700'000'000;
constexpr std::int64_t day_s = 86'400;

class TrustTest : public testing::Test {
 protected:
  std::unique_ptr<Trust> open() {
    auto trust = Trust::open(folder_.path(), std::chrono::hours(24), random_, now_s);
    EXPECT_TRUE(trust) << trust.error().to_string();
    return std::move(*trust);
  }
  // As a restart does: one connection to the record ends before the next begins.
  std::unique_ptr<Trust> reopen() {
    trust_.reset();
    return open();
  }
  // A newcomer with this name, and its key.
  link::CurveKey enrol(const std::string& name, v1::Role role = v1::NODE) {
    const link::CurveKey key = link::make_curve_pair().key;
    v1::Hello hello;
    hello.set_name(name);
    hello.set_token(token(role).secret());
    EXPECT_TRUE(trust_->enrol(hello, key, now_s));
    return key;
  }
  v1::CreateTokenReply token(v1::Role role = v1::NODE, std::uint64_t ttl_s = 60, std::uint32_t uses = 1) {
    return trust_->create_token(request(role, ttl_s, uses), now_s).value();
  }
  static v1::CreateTokenRequest request(v1::Role role, std::uint64_t ttl_s, std::uint32_t uses) {
    v1::CreateTokenRequest made;
    made.set_role(role);
    made.set_ttl_s(ttl_s);
    made.set_uses(uses);
    made.set_note("for\nthe test");
    return made;
  }
  std::vector<Issued> find(const std::string& who) {
    return trust_->find(who, {}, now_s).value_or(std::vector<Issued>());
  }
  // All pages of them.
  std::vector<v1::IssuedCertificate> certificates(std::int64_t at_s) {
    std::vector<v1::IssuedCertificate> all;
    Trust::Page page;
    while (!page.is_last) {
      page = trust_->certificates(page.next, at_s).value();
      std::ranges::move(page.certificates, std::back_inserter(all));
    }
    return all;
  }
  // As its session shows it who has `certificate`.
  static link::PeerInfo peer_of(const v1::IssuedCertificate& certificate) {
    link::PeerInfo peer;
    peer.name = certificate.name();
    peer.role = certificate.role();
    peer.key = link::curve_key_of(certificate.curve_key());
    peer.issued_s = certificate.not_before();
    peer.expires_s = certificate.not_after();
    return peer;
  }
  Code refusal(const std::string& who) { return trust_->find(who, {}, now_s).error().code(); }

  PrivateFolder folder_;
  SeededRandom random_{1};
  std::unique_ptr<Trust> trust_ = open();
};

TEST_F(TrustTest, A3_ATokenIsListedWithoutItsSecretAndNeverWrittenDown) {
  const v1::CreateTokenReply made = token(v1::SUBMIT, 60, 3);
  const auto listed = trust_->tokens(now_s);
  ASSERT_EQ(listed.size(), 1U);
  EXPECT_EQ(listed[0].id(), made.token().id());
  EXPECT_EQ(listed[0].role(), v1::SUBMIT);
  EXPECT_EQ(listed[0].uses(), 3U);
  EXPECT_EQ(listed[0].expires(), now_s + 60);
  EXPECT_EQ(listed[0].note(), "for the test");
  EXPECT_TRUE(listed[0].usable());
  EXPECT_EQ(listed[0].ShortDebugString().find(made.secret()), std::string::npos);
  std::ostringstream file;
  file << std::ifstream(folder_.path() / "tokens").rdbuf();
  EXPECT_EQ(file.str().find(made.secret()), std::string::npos);
  EXPECT_FALSE(made.secret().starts_with(made.token().id()));
  trust_ = reopen();
  EXPECT_EQ(trust_->tokens(now_s).at(0).SerializeAsString(), listed[0].SerializeAsString());
  EXPECT_FALSE(trust_->tokens(now_s + 60).at(0).usable());
}

TEST_F(TrustTest, WhatATokenMayNotBeIsRefused) {
  for (const auto& bad : {request(v1::BROKER, 60, 1), request(v1::ROLE_UNSPECIFIED, 60, 1),
                          request(v1::NODE, 0, 1), request(v1::NODE, token_ttl_s_max + 1, 1),
                          request(v1::NODE, 60, 0), request(v1::NODE, 60, token_uses_max + 1)}) {
    EXPECT_EQ(trust_->create_token(bad, now_s).error().code(), Code::invalid_argument)
        << bad.ShortDebugString();
  }
  v1::CreateTokenRequest noted = request(v1::NODE, 60, 1);
  noted.set_note(std::string(note_bytes_max + 1, 'x'));
  EXPECT_EQ(trust_->create_token(noted, now_s).error().code(), Code::invalid_argument);
  EXPECT_TRUE(trust_->tokens(now_s).empty());
}

TEST_F(TrustTest, A3_ADeletedTokenLetsNobodyIn) {
  const v1::CreateTokenReply made = token(v1::NODE, 60, 5);
  v1::Hello hello;
  hello.set_name("n1");
  hello.set_token(made.secret());
  ASSERT_TRUE(trust_->enrol(hello, link::make_curve_pair().key, now_s));
  EXPECT_EQ(trust_->delete_token("zzzz", now_s).error().code(), Code::not_found);
  EXPECT_EQ(trust_->delete_token("", now_s).error().code(), Code::not_found);
  ASSERT_TRUE(trust_->delete_token(made.token().id().substr(0, 6), now_s));
  hello.set_name("n2");
  EXPECT_EQ(trust_->enrol(hello, link::make_curve_pair().key, now_s).error().code(), Code::unauthenticated);
  trust_ = reopen();
  EXPECT_TRUE(trust_->tokens(now_s).empty());
}

TEST_F(TrustTest, TheTokenOfAJoinStringIsKeptForAsLongAsItIsGood) {
  const std::string first = trust_->join_token(v1::NODE, "", now_s).value();
  EXPECT_EQ(trust_->join_token(v1::NODE, first, now_s), first);
  EXPECT_NE(trust_->join_token(v1::ADMIN, first, now_s), first) << "of another role";
  ASSERT_TRUE(trust_->delete_token(TokenStore::id_of(first), now_s));
  EXPECT_NE(trust_->join_token(v1::NODE, first, now_s), first);
}

TEST_F(TrustTest, WhatIsIssuedIsWrittenDownUntilItExpires) {
  const link::CurveKey key = enrol("n1");
  trust_ = reopen();
  const auto issued = certificates(now_s);
  ASSERT_EQ(issued.size(), 1U);
  EXPECT_EQ(issued[0].name(), "n1");
  EXPECT_EQ(issued[0].role(), v1::NODE);
  EXPECT_EQ(link::curve_key_of(issued[0].curve_key()), key);
  EXPECT_NE(issued[0].serial(), 0U);
  EXPECT_EQ(issued[0].not_after(), now_s + day_s);
  EXPECT_EQ(issued[0].revoked_at(), 0);
  EXPECT_TRUE(certificates(now_s + day_s).empty());
  struct stat facts{};
  ASSERT_EQ(::stat((folder_.path() / "certificates").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600U);
}

TEST_F(TrustTest, A6_ARenewalIsForTheSameKeyNameAndRoleUnlessRevoked) {
  const link::CurveKey key = enrol("n1", v1::OBSERVE);
  const link::PeerInfo peer = peer_of(certificates(now_s).at(0));
  const std::int64_t later_s = now_s + day_s / 2;
  const auto later = trust_->renew(peer, later_s);
  ASSERT_TRUE(later) << later.error().to_string();
  const auto body = link::check_certificate(*later, trust_->secret().key(), key, later_s);
  ASSERT_TRUE(body);
  EXPECT_EQ(body->name(), "n1");
  EXPECT_EQ(body->role(), v1::OBSERVE);
  EXPECT_EQ(body->not_after(), later_s + day_s);
  const auto listed = certificates(now_s);
  ASSERT_EQ(listed.size(), 1U) << "it replaces the one before";
  EXPECT_EQ(listed[0].serial(), body->serial());
  ASSERT_TRUE(trust_->revoke(find("n1"), "", now_s));
  EXPECT_EQ(trust_->renew(peer, later_s).error().code(), Code::permission_denied);
}

TEST_F(TrustTest, A6_ARenewalBeforeHalfOfTheLifeIsRefused) {
  enrol("n1");
  const v1::IssuedCertificate first = certificates(now_s).at(0);
  const std::int64_t half_s = first.not_before() + (first.not_after() - first.not_before()) / 2;
  const auto refused = trust_->renew(peer_of(first), half_s - 1);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::failed_precondition);
  EXPECT_NE(refused.error().message().find("in 1 s"), std::string::npos) << refused.error().message();
  EXPECT_TRUE(trust_->renew(peer_of(first), half_s));
}

TEST_F(TrustTest, A6_WhoAsksAgainGetsTheSameCertificateAndTheRecordOneEntry) {
  enrol("n1");
  const v1::IssuedCertificate first = certificates(now_s).at(0);
  const std::int64_t later_s = now_s + day_s * 2 / 3;
  const auto renewed = trust_->renew(peer_of(first), later_s);
  ASSERT_TRUE(renewed);
  for (int i = 1; i < 1'000; ++i) {
    const auto again = trust_->renew(peer_of(first), later_s + i);  // as if the answer had been lost
    ASSERT_TRUE(again);
    ASSERT_EQ(again->body(), renewed->body());
  }
  EXPECT_EQ(certificates(now_s).size(), 1U);
  // Whoever shows the later one has to wait again.
  EXPECT_EQ(trust_->renew(peer_of(certificates(now_s).at(0)), later_s + 1'000).error().code(),
            Code::failed_precondition);
}

TEST_F(TrustTest, A5_ARevocationOutlivesACertificateThatAShorterOneReplaced) {
  const link::CurveKey key = enrol("n1");
  link::PeerInfo peer = peer_of(certificates(now_s).at(0));
  peer.issued_s = now_s - 300 * day_s;  // of a broker that issued them for longer
  peer.expires_s = now_s + 200 * day_s;
  const std::int64_t later_s = now_s + day_s * 2 / 3;
  ASSERT_TRUE(trust_->renew(peer, later_s));
  const auto revoked = trust_->revoke(find("n1"), "", later_s);
  ASSERT_TRUE(revoked);
  EXPECT_GT(revoked->at(0).body.until(), peer.expires_s);
  EXPECT_EQ(revoked->at(0).key, key);
}

TEST_F(TrustTest, A6_AFullRecordRefusesNewcomersAndKeepsEveryValidCertificate) {
  trust_.reset();
  trust_ = Trust::open(folder_.path(), std::chrono::hours(24), random_, now_s, 2).value();
  const link::CurveKey first = enrol("n1");
  enrol("n2");
  v1::Hello hello;
  hello.set_name("n3");
  hello.set_token(token().secret());
  const auto refused = trust_->enrol(hello, link::make_curve_pair().key, now_s);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::resource_exhausted);
  EXPECT_NE(refused.error().message().find("--certificates-max"), std::string::npos);
  EXPECT_EQ(find("n1").at(0).key, first) << "nothing is forgotten";
  EXPECT_EQ(find("n2").size(), 1U);
  EXPECT_TRUE(trust_->renew(peer_of(certificates(now_s).at(0)), now_s + day_s / 2)) << "who is in stays in";
  // What has expired makes space.
  hello.set_token(trust_->create_token(request(v1::NODE, 60, 1), now_s + day_s).value().secret());
  EXPECT_TRUE(trust_->enrol(hello, link::make_curve_pair().key, now_s + day_s));
  EXPECT_TRUE(trust_->find("n2", {}, now_s + day_s).error().code() == Code::not_found);
}

TEST_F(TrustTest, AKeyIsFoundByNameSerialAndFingerprint) {
  const link::CurveKey key = enrol("n1");
  enrol("n2");
  const std::string fingerprint = link::fingerprint(key);
  for (const std::string& who : {std::string("n1"), fingerprint, fingerprint.substr(0, 8),
                                 std::to_string(certificates(now_s)[0].serial())}) {
    const auto found = find(who);
    ASSERT_EQ(found.size(), 1U) << who;
    EXPECT_EQ(found[0].key, key) << who;
  }
  EXPECT_EQ(refusal(fingerprint.substr(0, 7)), Code::not_found) << "too short to be sure";
  EXPECT_EQ(refusal("n3"), Code::not_found);
  EXPECT_EQ(refusal(""), Code::not_found);
  // One that nobody here has heard of: its key is enough.
  const link::CurveKey unknown = link::make_curve_pair().key;
  EXPECT_EQ(find(link::fingerprint(unknown)).at(0).key, unknown);
  // And one that only the directory knows.
  const std::vector<Issued> seen = {{.name = "elsewhere", .role = v1::NODE, .key = unknown, .serial = 7}};
  EXPECT_EQ(trust_->find("elsewhere", seen, now_s).value().at(0).key, unknown);
}

TEST_F(TrustTest, ANameMeansEveryKeyWithACertificateForIt) {
  enrol("me", v1::SUBMIT);
  enrol("me", v1::ADMIN);
  EXPECT_EQ(find("me").size(), 2U);
}

TEST_F(TrustTest, ABrokerCannotBeRevokedAndItIsSaidWhy) {
  for (const std::string& who : {std::string("broker"), link::fingerprint(trust_->secret().broker_pair().key),
                                 link::fingerprint(trust_->secret().key())}) {
    const auto refused = trust_->find(who, {}, now_s);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), Code::failed_precondition);
    EXPECT_NE(refused.error().message().find("new cluster"), std::string::npos);
  }
}

TEST_F(TrustTest, A5_ARevocationOutlivesEveryCertificateOfTheKeyAndARestart) {
  const link::CurveKey key = enrol("n1");
  const auto revoked = trust_->revoke(find("n1"), "stolen\nfrom the\x1b[31m rack", now_s + 10);
  ASSERT_TRUE(revoked);
  ASSERT_EQ(revoked->size(), 1U);
  ASSERT_TRUE(trust_->revocations().save().ok());
  const auto body = link::check_revocation(revoked->at(0).proof, trust_->secret().key());
  ASSERT_TRUE(body);
  EXPECT_GT(body->until(), now_s + day_s) << "another broker may have renewed it just now";
  EXPECT_EQ(body->reason(), "stolen from the [31m rack");
  trust_ = reopen();
  EXPECT_TRUE(trust_->revocations().find(key, now_s + day_s));
  const auto listed = certificates(now_s);
  ASSERT_EQ(listed.size(), 1U);
  EXPECT_EQ(listed[0].revoked_at(), now_s + 10);
  EXPECT_EQ(trust_->revoke({}, std::string(note_bytes_max + 1, 'x'), now_s).error().code(),
            Code::invalid_argument);
}

}  // namespace
}  // namespace cobus::broker
