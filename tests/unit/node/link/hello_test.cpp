// SPDX-License-Identifier: Apache-2.0
#include "node/link/hello.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/limits.hpp"
#include "tests/unit/node/link/link_world.hpp"

namespace cobus::link {
namespace {

using testing::HasSubstr;

v1::Hello plain_hello() {
  v1::Hello hello;
  hello.set_protocol_min(limits::protocol_min);
  hello.set_protocol_max(limits::protocol_max);
  hello.set_node(5);
  hello.set_session(9);
  return hello;
}

TEST(Hello, SurvivesTheFrame) {
  const auto read = read_hello(hello_frame(plain_hello()));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->SerializeAsString(), plain_hello().SerializeAsString());
}

TEST(Hello, IsNotReadFromAnythingElse) {
  const std::string good = hello_frame(plain_hello());
  v1::Hello other_session = plain_hello();
  other_session.set_session(10);
  std::string mismatch;
  append_frame_header(mismatch, {.session = 9, .hello = other_session.SerializeAsString()});
  std::string numbered;
  append_frame_header(numbered, {.session = 9, .sequence = 1, .hello = plain_hello().SerializeAsString()});
  v1::Hello long_name = plain_hello();
  long_name.set_name(std::string(limits::name_bytes_max + 1, 'n'));
  v1::Hello large = plain_hello();
  large.set_token(std::string(limits::hello_bytes_max, 't'));
  v1::Hello no_session = plain_hello();
  no_session.clear_session();
  for (const std::string& frame :
       {std::string(), good + one_envelope(1), good.substr(0, good.size() - 1), mismatch, numbered,
        hello_frame(long_name), hello_frame(large), hello_frame(no_session), one_envelope(1)}) {
    const auto read = read_hello(frame);
    ASSERT_FALSE(read.has_value());
    EXPECT_EQ(read.error().code(), Code::invalid_argument);
  }
}

TEST(Hello, NeedsACommonProtocolVersion) {
  EXPECT_TRUE(check_hello(plain_hello(), NodeId{1}).ok());
  v1::Hello hello = plain_hello();
  hello.set_protocol_min(limits::protocol_max + 1);
  hello.set_protocol_max(limits::protocol_max + 3);
  const Status status = check_hello(hello, NodeId{1});
  EXPECT_EQ(status.code(), Code::failed_precondition);
  EXPECT_THAT(status.message(), HasSubstr("speaks 1 to 1, the other one 2 to 4"));
  hello.set_protocol_min(0);
  EXPECT_TRUE(check_hello(hello, NodeId{1}).ok());
}

TEST(Hello, AgreesOnTheHighestCommonVersionAndOnFeaturesThatBothHave) {
  const ClusterSecret cluster = ClusterSecret::make();
  const CurvePair pair = make_curve_pair();
  v1::Hello hello = plain_hello();
  hello.set_protocol_max(limits::protocol_max + 7);
  hello.set_features(~limits::features);
  const auto peer =
      identify(hello, certify(cluster, "newer", v1::NODE, pair.key), cluster.key(), pair.key, world_start_s);
  ASSERT_TRUE(peer.has_value());
  EXPECT_EQ(peer->protocol, limits::protocol_max);
  EXPECT_EQ(peer->features, 0U);
}

TEST(Hello, NamesANodeThatIsNotOurselves) {
  v1::Hello hello = plain_hello();
  EXPECT_EQ(check_hello(hello, NodeId{5}).code(), Code::failed_precondition);
  hello.clear_node();
  EXPECT_EQ(check_hello(hello, NodeId{1}).code(), Code::invalid_argument);
}

TEST(Hello, CarriesARefusalOfAnyTextAndLength) {
  const Status reason(Code::permission_denied, "no \xff " + std::string(10'000, '\xfe'));
  const auto read = read_hello(hello_frame(make_refusal(reason, 9)));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(refusal_of(*read).code(), Code::permission_denied);
  EXPECT_THAT(refusal_of(*read).message(), testing::StartsWith("no "));
}

TEST(Hello, NeverTakesARefusalForSuccess) {
  v1::Hello hello = plain_hello();
  hello.mutable_refused()->set_code(0);
  EXPECT_EQ(refusal_of(hello).code(), Code::unknown);
  hello.mutable_refused()->set_code(-7);
  EXPECT_EQ(refusal_of(hello).code(), Code::unknown);
}

}  // namespace
}  // namespace cobus::link
