// SPDX-License-Identifier: Apache-2.0
//
// Keys, certificates and base32: what is accepted, and everything that must not be.
#include "node/link/keys.hpp"

#include <gtest/gtest.h>
#include <sodium.h>
#include <zmq.h>

#include <string>

namespace cobus::link {
namespace {

constexpr std::int64_t noon_s = 1'700'000'000;

struct Issued {
  ClusterSecret cluster = ClusterSecret::make();
  CurvePair pair = make_curve_pair();
  v1::Certificate certificate;

  Issued() {
    v1::CertificateBody body;
    body.set_name("n1");
    body.set_role(v1::NODE);
    body.set_curve_key(pair.key.bytes.data(), pair.key.bytes.size());
    body.set_serial(7);
    body.set_not_before(noon_s - 60);
    body.set_not_after(noon_s + 60);
    certificate = cluster.sign(body);
  }
};

void expect_refused(const Result<v1::CertificateBody>& checked, const std::string& reason) {
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code(), Code::permission_denied);
  EXPECT_NE(checked.error().message().find(reason), std::string::npos) << checked.error().message();
}

TEST(Certificate, IsAcceptedWithinItsTimeForItsKeyAndCluster) {
  const Issued issued;
  const auto body = check_certificate(issued.certificate, issued.cluster.key(), issued.pair.key, noon_s);
  ASSERT_TRUE(body) << body.error().message();
  EXPECT_EQ(body->name(), "n1");
  EXPECT_EQ(body->role(), v1::NODE);
  EXPECT_EQ(body->serial(), 7U);
}

TEST(Certificate, IsRefusedWhenAnyByteOfItIsChanged) {
  const Issued issued;
  for (std::size_t i = 0; i < issued.certificate.body().size(); ++i) {
    v1::Certificate tampered = issued.certificate;
    (*tampered.mutable_body())[i] ^= 1;
    expect_refused(check_certificate(tampered, issued.cluster.key(), issued.pair.key, noon_s),
                   "not signed by");
  }
  for (std::size_t i = 0; i < issued.certificate.signature().size(); ++i) {
    v1::Certificate tampered = issued.certificate;
    (*tampered.mutable_signature())[i] ^= 1;
    expect_refused(check_certificate(tampered, issued.cluster.key(), issued.pair.key, noon_s),
                   "not signed by");
  }
}

TEST(Certificate, IsRefusedWithoutOrWithACutSignature) {
  const Issued issued;
  v1::Certificate cut = issued.certificate;
  cut.mutable_signature()->pop_back();
  expect_refused(check_certificate(cut, issued.cluster.key(), issued.pair.key, noon_s), "not signed by");
  expect_refused(check_certificate({}, issued.cluster.key(), issued.pair.key, noon_s), "not signed by");
}

TEST(Certificate, IsRefusedBeforeAndAfterItsTime) {
  const Issued issued;
  const auto at = [&](std::int64_t now_s) {
    return check_certificate(issued.certificate, issued.cluster.key(), issued.pair.key, now_s);
  };
  EXPECT_TRUE(at(noon_s - 60));
  expect_refused(at(noon_s - 61), "valid only in 1 s");
  EXPECT_TRUE(at(noon_s + 59));
  expect_refused(at(noon_s + 60), "expired 0 s ago");
}

TEST(Certificate, IsRefusedForAnotherKey) {
  const Issued issued;
  expect_refused(check_certificate(issued.certificate, issued.cluster.key(), make_curve_pair().key, noon_s),
                 "another key");
}

TEST(Certificate, IsRefusedByAnotherCluster) {
  const Issued issued;
  expect_refused(check_certificate(issued.certificate, ClusterSecret::make().key(), issued.pair.key, noon_s),
                 "not signed by");
}

TEST(Certificate, SignsMoreThanTheBareBody) {
  // A signature made for another purpose over the same bytes is not a certificate.
  const Issued issued;
  std::array<unsigned char, crypto_sign_SECRETKEYBYTES> secret{};
  ClusterKey key;
  crypto_sign_seed_keypair(key.bytes.data(), secret.data(), issued.cluster.seed().bytes().data());
  const std::string& body = issued.certificate.body();
  std::array<unsigned char, crypto_sign_BYTES> signature{};
  crypto_sign_detached(signature.data(), nullptr, reinterpret_cast<const unsigned char*>(body.data()),
                       body.size(), secret.data());
  v1::Certificate bare = issued.certificate;
  bare.set_signature(signature.data(), signature.size());
  expect_refused(check_certificate(bare, key, issued.pair.key, noon_s), "not signed by");
}

TEST(ClusterSecret, IsTheSameAgainFromItsSeed) {
  const ClusterSecret made = ClusterSecret::make();
  const ClusterSecret again = ClusterSecret::from_seed(made.seed().clone());
  EXPECT_EQ(again.key(), made.key());
  EXPECT_EQ(again.broker_pair().key, made.broker_pair().key);
}

TEST(ClusterSecret, GivesBrokersAPairWhosePublicHalfFollowsFromTheFingerprint) {
  const ClusterSecret secret = ClusterSecret::make();
  const CurvePair pair = secret.broker_pair();
  const auto cluster = parse_fingerprint(fingerprint(secret.key()));
  ASSERT_TRUE(cluster);
  EXPECT_EQ(broker_curve_key(*cluster), pair.key);
  CurveKey computed;
  crypto_scalarmult_base(computed.bytes.data(), pair.secret.bytes().data());
  EXPECT_EQ(computed, pair.key);
}

TEST(CurvePair, IsOneThatLibzmqUnderstands) {
  const CurvePair pair = make_curve_pair();
  std::array<char, 41> secret{};
  std::array<char, 41> key{};
  std::array<char, 41> expected{};
  zmq_z85_encode(secret.data(), pair.secret.bytes().data(), 32);
  zmq_z85_encode(expected.data(), pair.key.bytes.data(), 32);
  ASSERT_EQ(zmq_curve_public(key.data(), secret.data()), 0);
  EXPECT_STREQ(key.data(), expected.data());
}

TEST(SecretKey, IsWipedWhenMovedFrom) {
  CurvePair pair = make_curve_pair();
  const auto bytes = pair.secret.bytes();
  const SecretKey taken = std::move(pair.secret);
  EXPECT_EQ(taken.bytes(), bytes);
  const std::array<std::uint8_t, 32> nothing{};
  EXPECT_EQ(pair.secret.bytes(), nothing);  // NOLINT(bugprone-use-after-move): that is the point
}

TEST(Fingerprint, ComesBackFromItsText) {
  const ClusterKey key = ClusterSecret::make().key();
  const std::string text = fingerprint(key);
  EXPECT_EQ(text.size(), 52U);
  EXPECT_EQ(*parse_fingerprint(text), key);
  EXPECT_EQ(short_fingerprint(key), text.substr(0, 12));
}

TEST(Fingerprint, IsRefusedWhenCutLongOrNoKey) {
  const std::string text = fingerprint(ClusterSecret::make().key());
  for (const std::string& wrong : {text.substr(1), text + "a", std::string(), std::string(52, 'a'),
                                   std::string(52, '1'), std::string(51, 'A') + "a"}) {
    const auto parsed = parse_fingerprint(wrong);
    ASSERT_FALSE(parsed) << wrong;
    EXPECT_EQ(parsed.error().code(), Code::invalid_argument);
  }
}

TEST(Base32, AgreesWithTheExamplesOfRfc4648) {
  const std::pair<const char*, const char*> examples[] = {{"", ""},
                                                          {"f", "my"},
                                                          {"fo", "mzxq"},
                                                          {"foo", "mzxw6"},
                                                          {"foob", "mzxw6yq"},
                                                          {"fooba", "mzxw6ytb"},
                                                          {"foobar", "mzxw6ytboi"}};
  for (const auto& [bytes, text] : examples) {
    EXPECT_EQ(base32(bytes), text);
    EXPECT_EQ(*parse_base32(text), bytes);
  }
}

TEST(Base32, RefusesWhatItNeverWrites) {
  for (const char* wrong : {"MY", "m1", "my======", "mz", "m", "mzx", "m y"})
    EXPECT_FALSE(parse_base32(wrong)) << wrong;
}

TEST(Role, HasANameThatIsUnderstoodAgain) {
  for (const v1::Role role : {v1::BROKER, v1::NODE, v1::SUBMIT, v1::OBSERVE, v1::ADMIN}) {
    EXPECT_EQ(*parse_role(role_name(role)), role);
  }
  EXPECT_EQ(role_name(v1::ROLE_UNSPECIFIED), "none");
  EXPECT_EQ(parse_role("none").error().code(), Code::invalid_argument);
  EXPECT_EQ(parse_role("Node").error().code(), Code::invalid_argument);
}

}  // namespace
}  // namespace cobus::link
