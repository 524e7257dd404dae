// SPDX-License-Identifier: Apache-2.0
#include "client/cli/map_runner.hpp"

#include <cobus/v1/envelope.pb.h>
#include <cobus/v1/job.pb.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/private_folder.hpp"

namespace cobus::client {
namespace {

using testing::HasSubstr;

class FilePayloadTest : public testing::Test {
 protected:
  void write(const std::string& bytes) const { std::ofstream(file_, std::ios::binary) << bytes; }
  const FieldPath text_ = *text_field(v1::SubmitRequest::descriptor(), "method");
  const FieldPath bytes_ = *text_field(v1::SubmitRequest::descriptor(), "payload");
  const PrivateFolder folder_;
  const std::string file_ = folder_.path() / "payload.txt";
};

TEST_F(FilePayloadTest, IsTheMessageWithThatFieldSet) {
  std::string text(300, 'x');
  text += "\n\0grün";
  write(text);
  const auto payload = file_payload(text_, file_);
  ASSERT_TRUE(payload);
  v1::SubmitRequest request;
  ASSERT_TRUE(request.ParseFromString(*payload));
  EXPECT_EQ(request.method(), text);
  EXPECT_EQ(request.SerializeAsString(), *payload);
}

TEST_F(FilePayloadTest, AnEmptyFileIsAnEmptyText) {
  write("");
  v1::SubmitRequest request;
  EXPECT_TRUE(request.ParseFromString(*file_payload(text_, file_)));
}

TEST_F(FilePayloadTest, BytesTakeAnythingAndTextOnlyUtf8) {
  write("ab\xff");
  v1::SubmitRequest request;
  ASSERT_TRUE(request.ParseFromString(*file_payload(bytes_, file_)));
  EXPECT_EQ(request.payload(), "ab\xff");
  const auto refused = file_payload(text_, file_);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message(), HasSubstr(file_ + " is not UTF-8 (at byte 3)"));
  EXPECT_THAT(refused.error().message(), HasSubstr("iconv -f LATIN1 -t UTF-8 " + file_));
}

TEST_F(FilePayloadTest, AFileThatCannotBeReadOrIsTooLargeIsNamed) {
  EXPECT_THAT(file_payload(text_, "/no/such/file").error().message(),
              HasSubstr("/no/such/file: No such file"));
  EXPECT_THAT(file_payload(text_, testing::TempDir()).error().message(), HasSubstr("Is a directory"));
  write(std::string(limits::payload_bytes_max + 1, 'x'));
  EXPECT_THAT(file_payload(text_, file_).error().message(), HasSubstr("too large"));
}

TEST_F(FilePayloadTest, AFieldInsideOfOtherMessagesIsReached) {
  write("why it waits");
  const auto field = text_field(v1::JobEvent::descriptor(), "job.wait_reason");
  ASSERT_TRUE(field);
  v1::JobEvent event;
  ASSERT_TRUE(event.ParseFromString(*file_payload(*field, file_)));
  EXPECT_EQ(event.job().wait_reason(), "why it waits");
}

TEST(TextField, OneInsideOfAnotherHasToBeThere) {
  EXPECT_THAT(text_field(v1::JobEvent::descriptor(), "job.wait_raeson").error().message(),
              HasSubstr("cobus.v1.Job has no field 'wait_raeson'; did you mean 'wait_reason'?"));
  EXPECT_THAT(text_field(v1::JobEvent::descriptor(), "job.id.x").error().message(),
              HasSubstr("no single message"));
  EXPECT_THAT(text_field(v1::GetJobReply::descriptor(), "jobs.id").error().message(),
              HasSubstr("no single message"));
  EXPECT_THAT(text_field(v1::JobEvent::descriptor(), "job").error().message(), HasSubstr("takes no text"));
}

TEST(TextField, IsFoundByEitherSpellingAndTheNearestIsNamed) {
  EXPECT_TRUE(text_field(v1::Envelope::descriptor(), "to_name"));
  EXPECT_TRUE(text_field(v1::Envelope::descriptor(), "toName"));
  EXPECT_THAT(text_field(v1::Envelope::descriptor(), "to_nam").error().message(),
              HasSubstr("did you mean 'to_name'?"));
  EXPECT_THAT(text_field(v1::Envelope::descriptor(), "zzzzzz").error().message(),
              HasSubstr("cobus describe cobus.v1.Envelope"));
  EXPECT_THAT(text_field(v1::Envelope::descriptor(), "credit").error().message(), HasSubstr("takes no text"));
}

}  // namespace
}  // namespace cobus::client
