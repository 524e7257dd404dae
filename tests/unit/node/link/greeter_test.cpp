// SPDX-License-Identifier: Apache-2.0
#include "node/link/greeter.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/link/hello.hpp"
#include "tests/unit/node/link/link_world.hpp"

namespace cobus::link {
namespace {

using testing::HasSubstr;

constexpr SessionTerms terms{.session = 77};

struct GreeterTest : testing::Test {
  ClusterSecret cluster = ClusterSecret::make();
  CurvePair pair_a = make_curve_pair();
  CurvePair pair_b = make_curve_pair();

  Greeter make(std::uint64_t id, const CurvePair& pair, bool certified, bool enrols = false) {
    Identity identity{{pair.key, pair.secret.clone()}, cluster.key(), {}};
    const std::string name = "node-" + std::to_string(id);
    if (certified) identity.certificate = certify(cluster, name, v1::NODE, pair.key);
    LinkOptions options;
    options.node = NodeId{id};
    options.name = name;
    options.token = "sesame";
    if (enrols) {
      options.enroller = [this](const v1::Hello& hello, const CurveKey& key, ConnectionId connection) {
        EXPECT_EQ(connection, ConnectionId{9});
        issued = certify(cluster, hello.name(), v1::NODE, key);
      };
    }
    return {std::move(identity), std::move(options)};
  }
  v1::Certificate issued;  // by the enroller
  static v1::Hello hello_of(const std::string& frame) { return *read_hello(frame); }
};

TEST_F(GreeterTest, WelcomesAndMeetsAMemberOfTheCluster) {
  Greeter a = make(1, pair_a, true);
  const Greeter b = make(2, pair_b, true);
  const auto newcomer = b.welcome(hello_of(a.introduction(terms)), pair_a.key, world_start_s);
  ASSERT_TRUE(newcomer.has_value()) << newcomer.error().to_string();
  EXPECT_EQ(newcomer->peer.name, "node-1");
  EXPECT_EQ(newcomer->peer.node, NodeId{1});
  EXPECT_FALSE(newcomer->issued.has_value());
  const auto host = a.meet(hello_of(b.answer(terms, {})), pair_b.key, terms, world_start_s);
  ASSERT_TRUE(host.has_value()) << host.error().to_string();
  EXPECT_EQ(host->peer.name, "node-2");
}

TEST_F(GreeterTest, RefusesACertificateOfAnotherKeyOrAnotherTime) {
  const Greeter a = make(1, pair_a, true);
  const Greeter b = make(2, pair_b, true);
  const v1::Hello hello = hello_of(a.introduction(terms));
  EXPECT_EQ(b.welcome(hello, pair_b.key, world_start_s).error().code(), Code::permission_denied);
  EXPECT_EQ(b.welcome(hello, pair_a.key, world_start_s + 1'000'000).error().code(), Code::permission_denied);
}

TEST_F(GreeterTest, EnrolsWithATokenAndTakesTheCertificateIntoUse) {
  Greeter a = make(1, pair_a, false);
  const Greeter b = make(2, pair_b, true, true);
  const v1::Hello introduction = hello_of(a.introduction(terms));
  EXPECT_EQ(introduction.token(), "sesame");
  ASSERT_TRUE(b.enrols(introduction));
  ASSERT_TRUE(b.check_newcomer(introduction, pair_a.key, world_start_s).ok());
  b.enrol(introduction, pair_a.key, ConnectionId{9});
  const auto newcomer = b.admit(introduction, issued, pair_a.key, world_start_s);
  ASSERT_TRUE(newcomer.has_value()) << newcomer.error().to_string();
  ASSERT_TRUE(newcomer->issued.has_value());
  EXPECT_EQ(newcomer->peer.name, "node-1");
  const auto host = a.meet(hello_of(b.answer(terms, newcomer->issued)), pair_b.key, terms, world_start_s);
  ASSERT_TRUE(host.has_value()) << host.error().to_string();
  EXPECT_TRUE(host->issued.has_value());
  const v1::Hello later = hello_of(a.introduction(terms));
  EXPECT_TRUE(later.has_certificate());
  EXPECT_TRUE(later.token().empty());
}

TEST_F(GreeterTest, A5_AKeyThatWasRevokedMeanwhileIsNotAdmitted) {
  const Greeter a = make(1, pair_a, false);
  Greeter b = make(2, pair_b, true, true);
  const v1::Hello introduction = hello_of(a.introduction(terms));
  b.enrol(introduction, pair_a.key, ConnectionId{9});
  b.revoke(pair_a.key, world_start_s + 60);
  EXPECT_EQ(b.admit(introduction, issued, pair_a.key, world_start_s).error().code(), Code::permission_denied);
  EXPECT_EQ(b.check_newcomer(introduction, pair_a.key, world_start_s).code(), Code::permission_denied);
}

TEST_F(GreeterTest, WhoEnrolsNobodyTakesNoToken) {
  const Greeter a = make(1, pair_a, false);
  EXPECT_FALSE(make(2, pair_b, true).enrols(hello_of(a.introduction(terms))));
  EXPECT_FALSE(make(2, pair_b, true, true).enrols(hello_of(make(1, pair_a, true).introduction(terms))))
      << "with a certificate";
}

TEST_F(GreeterTest, PassesTheEnrollersRefusalOn) {
  Greeter a = make(1, pair_a, false);
  const Status refused(Code::already_exists, "the name is taken");
  const v1::Hello refusal = hello_of(hello_frame(make_refusal(refused, terms.session)));
  const auto host = a.meet(refusal, pair_b.key, terms, world_start_s);
  ASSERT_FALSE(host.has_value());
  EXPECT_EQ(host.error(), Status(Code::already_exists, "the name is taken"));
}

TEST_F(GreeterTest, TellsWhoHasNeitherCertificateNorTokenWhatToDo) {
  const Greeter a = make(1, pair_a, false);
  const Greeter b = make(2, pair_b, true);
  const auto newcomer = b.welcome(hello_of(a.introduction(terms)), pair_a.key, world_start_s);
  EXPECT_EQ(newcomer.error().code(), Code::unauthenticated);
  EXPECT_THAT(newcomer.error().message(), HasSubstr("STATE/join/ROLE"));
}

TEST_F(GreeterTest, LetsNobodyInBeforeItHasACertificateItself) {
  const Greeter a = make(1, pair_a, true);
  const Greeter b = make(2, pair_b, false);
  EXPECT_EQ(b.welcome(hello_of(a.introduction(terms)), pair_a.key, world_start_s).error().code(),
            Code::unavailable);
}

TEST_F(GreeterTest, DoesNotStayWithOneWhoAnswersWrongly) {
  Greeter a = make(1, pair_a, false);
  const Greeter b = make(2, pair_b, true);
  const auto meet = [&](const v1::Hello& hello) { return a.meet(hello, pair_b.key, terms, world_start_s); };
  v1::Hello hello = hello_of(b.answer(terms, {}));
  EXPECT_EQ(meet(hello).error().code(), Code::unauthenticated);  // it issued nothing
  *hello.mutable_issued() = certify(cluster, "node-1", v1::NODE, pair_b.key);
  EXPECT_EQ(meet(hello).error().code(), Code::permission_denied);  // not for our key
  hello.set_session(terms.session + 1);
  EXPECT_EQ(meet(hello).error().code(), Code::internal);
  hello.set_session(terms.session);
  hello.clear_certificate();
  EXPECT_EQ(meet(hello).error().code(), Code::unauthenticated);
}

}  // namespace
}  // namespace cobus::link
