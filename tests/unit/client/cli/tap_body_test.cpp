// SPDX-License-Identifier: Apache-2.0
#include "client/cli/tap_body.hpp"

#include <cobus/v1/job.pb.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/type_id.hpp"
#include "tests/support/schemas.hpp"

namespace cobus::client {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class TapBody : public testing::Test {
 protected:
  TapBody() {
    EXPECT_EQ(catalog_.schemas().add("digest", test::schema_set({{"shop.proto", R"(
        package shop;
        import "cobus/v1/options.proto";
        message Login { string user = 1; string password = 2 [(cobus.v1.secret) = true]; }
        service Shop { rpc Enter(Login) returns (Login); })"}})),
              Status());
    login_ = *catalog_.json_to_bytes(catalog_.schemas().find_message("shop.Login"),
                                     R"({"user":"ann","password":"sesame"})");
  }

  template <class Message>
  static v1::TapRecord record(const Message& message) {
    v1::TapRecord record;
    record.set_type(Message::descriptor()->full_name());
    record.set_body(message.SerializeAsString());
    return record;
  }
  v1::Job job(const char* method) const {
    v1::Job job;
    job.set_method(method);
    job.set_state(v1::SUCCEEDED);
    job.set_result(login_);
    return job;
  }
  std::string shown(const v1::TapRecord& record) const { return one_line(tap_body(record, catalog_)); }

  View view_{system_clock()};
  Catalog catalog_{view_};
  std::string login_;
};

TEST_F(TapBody, TheRequestInsideOfASubmissionIsDecodedWithoutItsSecrets) {
  v1::SubmitRequest request;
  request.set_method("shop.Shop/Enter");
  request.set_payload(login_);
  EXPECT_THAT(methods_of_body(record(request)), ElementsAre("shop.Shop/Enter"));
  EXPECT_THAT(shown(record(request)), HasSubstr(R"("payload":{"user":"ann","password":"***"})"));
}

TEST_F(TapBody, TheResultOfAJobIsDecodedWithoutItsSecrets) {
  v1::JobEvent event;
  *event.mutable_job() = job("shop.Shop/Enter");
  v1::GetJobReply reply;
  *reply.add_jobs() = job("shop.Shop/Enter");
  for (const v1::TapRecord& each : {record(job("shop.Shop/Enter")), record(event), record(reply)}) {
    EXPECT_THAT(methods_of_body(each), ElementsAre("shop.Shop/Enter"));
    EXPECT_THAT(shown(each), HasSubstr(R"("result":{"user":"ann","password":"***"})"));
  }
}

TEST_F(TapBody, WhatCannotBeDecodedIsNotShown) {
  v1::SubmitRequest request;
  request.set_method("gone.Service/Method");
  request.set_payload(login_);
  EXPECT_THAT(shown(record(request)),
              HasSubstr(R"("payload":{"type":"request of gone.Service/Method","size":13})"));
  EXPECT_THAT(shown(record(job("gone.Service/Method"))), HasSubstr(R"("size":13)"));
  v1::TapRecord unknown;
  unknown.set_type("gone.Login");
  unknown.set_body(login_);
  EXPECT_EQ(shown(unknown), R"({"type":"gone.Login","size":13})");
}

TEST_F(TapBody, ATypeThatItsNodeDoesNotKnowIsFoundByItsId) {
  v1::TapRecord record;
  record.set_type(fmt::format("{:016x}", static_cast<std::uint64_t>(type_id("shop.Login"))));
  record.set_body(login_);
  EXPECT_EQ(shown(record), R"({"user":"ann","password":"***"})");
}

TEST_F(TapBody, WhatAnotherTapSeesIsLeftOut) {
  v1::TapBatch batch;
  batch.add_records()->set_body(login_);
  EXPECT_THAT(shown(record(batch)), Not(HasSubstr("records")));
}

}  // namespace
}  // namespace cobus::client
