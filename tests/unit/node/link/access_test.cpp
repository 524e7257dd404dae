// SPDX-License-Identifier: Apache-2.0
//
// Access: who is let in, who is not, and how often one may ask.
#include "node/link/access.hpp"

#include <gtest/gtest.h>

#include <string>

namespace cobus::link {
namespace {

struct Doorman {
  ManualClock clock;
  Access access{
      AccessLimits{.per_second = 2, .burst = 3, .loopback_per_second = 100, .loopback_burst = 1'000}, clock};

  AccessDecision ask(const CurveKey& key, std::string_view address = "10.0.0.7",
                     std::string_view mechanism = "CURVE") {
    return access.decide(
        {address, mechanism, {reinterpret_cast<const char*>(key.bytes.data()), key.bytes.size()}});
  }
};

TEST(Access, AdmitsAProvenKeyUnderItsHexadecimalName) {
  Doorman doorman;
  const CurveKey key = make_curve_pair().key;
  const AccessDecision decision = doorman.ask(key);
  EXPECT_EQ(decision.status, 200);
  EXPECT_EQ(decision.user_id.size(), 64U);
  CurveKey named;
  ASSERT_TRUE(Access::key_of(decision.user_id, named));
  EXPECT_EQ(named, key);
  EXPECT_EQ(doorman.access.counts().admitted, 1U);
}

TEST(Access, RefusesEverythingButCurve) {
  Doorman doorman;
  EXPECT_EQ(doorman.ask(make_curve_pair().key, "127.0.0.1", "NULL").status, 400);
  EXPECT_EQ(doorman.ask(make_curve_pair().key, "127.0.0.1", "PLAIN").status, 400);
  EXPECT_EQ(doorman.access.decide({"127.0.0.1", "CURVE", "short"}).status, 400);
  EXPECT_EQ(doorman.access.decide({"127.0.0.1", "CURVE", ""}).user_id, "");
  EXPECT_EQ(doorman.access.counts().not_curve, 4U);
}

TEST(Access, A5_RefusesARevokedKeyForAsLongAsItsCertificatesCould) {
  Doorman doorman;
  const CurveKey key = make_curve_pair().key;
  doorman.access.revoke(key, doorman.clock.unix_us() / 1'000'000 + 60);
  EXPECT_TRUE(doorman.access.is_revoked(key));
  const AccessDecision decision = doorman.ask(key);
  EXPECT_EQ(decision.status, 400);
  EXPECT_EQ(decision.user_id, "");
  EXPECT_EQ(doorman.ask(make_curve_pair().key).status, 200);
  doorman.clock.advance(std::chrono::seconds(60));
  EXPECT_EQ(doorman.ask(key).status, 200);
  EXPECT_EQ(doorman.access.counts().revoked, 1U);
}

TEST(Access, LimitsNewConnectionsOfOneAddressOnly) {
  Doorman doorman;
  const CurveKey key = make_curve_pair().key;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(doorman.ask(key).status, 200);
  EXPECT_EQ(doorman.ask(key).status, 300);
  EXPECT_EQ(doorman.ask(key, "10.0.0.8").status, 200);
  doorman.clock.advance(std::chrono::milliseconds(500));
  EXPECT_EQ(doorman.ask(key).status, 200);
  EXPECT_EQ(doorman.ask(key).status, 300);
  doorman.clock.advance(std::chrono::hours(1));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(doorman.ask(key).status, 200);  // never more than the burst
  EXPECT_EQ(doorman.ask(key).status, 300);
  EXPECT_EQ(doorman.access.counts().too_many, 3U);
}

TEST(Access, IsGenerousToItsOwnHost) {
  Doorman doorman;
  const CurveKey key = make_curve_pair().key;
  for (const char* address : {"127.0.0.1", "::1", "::ffff:127.0.0.1"}) {
    for (int i = 0; i < 1'000; ++i) ASSERT_EQ(doorman.ask(key, address).status, 200) << address;
    EXPECT_EQ(doorman.ask(key, address).status, 300) << address;
  }
}

TEST(Access, RemembersABoundedNumberOfAddresses) {
  Doorman doorman;
  const CurveKey key = make_curve_pair().key;
  int refused = 0;
  for (int i = 0; i < 10'000; ++i)
    refused += doorman.ask(key, "2001:db8::" + std::to_string(i)).status == 300 ? 1 : 0;
  EXPECT_GT(refused, 5'000);  // those for whom there was no room share one bucket
  doorman.clock.advance(std::chrono::minutes(1));
  EXPECT_EQ(doorman.ask(key, "2001:db8:1::1").status, 200);
}

TEST(Access, ReadsNoKeyFromWhatIsNotHexadecimal) {
  CurveKey key;
  EXPECT_FALSE(Access::key_of("", key));
  EXPECT_FALSE(Access::key_of(std::string(64, 'g'), key));
  EXPECT_FALSE(Access::key_of(std::string(63, 'a'), key));
  EXPECT_TRUE(Access::key_of(std::string(64, 'a'), key));
}

}  // namespace
}  // namespace cobus::link
