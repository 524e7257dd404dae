// SPDX-License-Identifier: Apache-2.0
#include "node/job/record.hpp"

#include <gtest/gtest.h>

namespace cobus::job {
namespace {

TEST(Record, EveryStateHasANameThatIsReadBack) {
  for (int i = 1; i < v1::JobState_ARRAYSIZE; ++i) {
    const auto state = static_cast<v1::JobState>(i);
    EXPECT_EQ(parse_state(state_name(state)), state);
  }
  EXPECT_EQ(state_name(static_cast<v1::JobState>(77)), "unknown");
}

TEST(Record, UnknownStateIsRefusedWithTheNamesThatExist) {
  const auto state = parse_state("done");
  ASSERT_FALSE(state);
  EXPECT_EQ(state.error().code(), Code::invalid_argument);
  EXPECT_NE(state.error().message().find("succeeded"), std::string::npos);
}

TEST(Record, OnlyStatesThatNeverChangeAreFinal) {
  EXPECT_TRUE(is_final(v1::SUCCEEDED));
  EXPECT_TRUE(is_final(v1::FAILED));
  EXPECT_TRUE(is_final(v1::CANCELLED));
  EXPECT_FALSE(is_final(v1::READY));
  EXPECT_FALSE(is_final(v1::RUNNING));
  EXPECT_FALSE(is_final(v1::RETRYING));
}

TEST(Record, HashDistinguishesWhereTheMethodEnds) {
  EXPECT_EQ(request_hash("a.B/C", "xyz"), request_hash("a.B/C", "xyz"));
  EXPECT_NE(request_hash("a.B/C", "xyz"), request_hash("a.B/Cx", "yz"));
  EXPECT_NE(request_hash("a.B/C", "xyz"), request_hash("a.B/C", "xyz!"));
}

TEST(CanonicalPayload, EqualRequestsAreEqualWhateverTheOrderOfTheirMaps) {
  const auto entry = [](char key) {
    return std::string("\x2a\x06\x0a\x01") + key + "\x12\x01" +
           key;  // one of SubmitRequest.labels, with itself as value
  };
  const auto canonical = [](const std::string& payload) {
    return canonical_payload("cobus.v1.Jobs/Submit", payload);
  };
  ASSERT_EQ(v1::SubmitRequest::descriptor()->FindFieldByName("labels")->number(), 5);
  EXPECT_EQ(canonical(entry('a') + entry('b')), canonical(entry('b') + entry('a')));
  EXPECT_NE(canonical(entry('a')), canonical(entry('b')));
}

TEST(CanonicalPayload, LeavesWhatItDoesNotKnow) {
  EXPECT_EQ(canonical_payload("x.Y/Z", "any"), "any");
  EXPECT_EQ(canonical_payload("cobus.v1.Jobs/Submit", "\xff"), "\xff");
}

TEST(Record, LabelsSurviveTheRow) {
  v1::Job job;
  job.set_id("kept");
  job.MergeFromString(encode_labels({{"team", "a"}, {"run", "7"}}));
  EXPECT_EQ(job.id(), "kept");
  EXPECT_EQ(job.labels().at("team"), "a");
  EXPECT_EQ(job.labels().at("run"), "7");
  EXPECT_TRUE(encode_labels({}).empty());
}

TEST(Record, ATextIsShownRepairedAndCutAtACharacter) {
  EXPECT_EQ(shown("as it is"), "as it is");
  EXPECT_EQ(shown("caf\xe9"), "caf\xef\xbf\xbd");
  EXPECT_EQ(shown(std::string(text_bytes_max, 'x')), std::string(text_bytes_max, 'x'));
  for (std::size_t before = 0; before < 4; ++before) {
    std::string long_text(text_bytes_max - 7 + before, 'x');
    while (long_text.size() < 2 * text_bytes_max) long_text += "\xe2\x82\xac";
    const std::string cut = shown(long_text);
    EXPECT_LE(cut.size(), text_bytes_max);
    EXPECT_TRUE(cut.ends_with(" ..."));
    EXPECT_TRUE(long_text.starts_with(cut.substr(0, cut.size() - 4)));
  }
  EXPECT_LE(shown(std::string(text_bytes_max, '\xff')).size(), text_bytes_max);
  EXPECT_EQ(shown(""), "");
}

TEST(Record, AnErrorIsShownWithDetailsOnlyWhileThereIsRoom) {
  Status error(Code::internal, std::string(100'000, 'x'));
  error.with("small", "1").with("large", std::string(100'000, 'y')).with("last", "2");
  const Status kept = shown(error);
  EXPECT_EQ(kept.code(), Code::internal);
  EXPECT_LE(kept.message().size(), text_bytes_max);
  EXPECT_EQ(kept.detail("small"), "1");
  EXPECT_EQ(kept.detail("large"), "");
  EXPECT_EQ(kept.detail("last"), "2");
}

TEST(Record, UsedUpAttemptsNameNumberCrashesAndCause) {
  const Status status = attempts_used_up(Code::unavailable, 5, 2, "node n3 was lost");
  EXPECT_EQ(status.message(), "gave up after 5 attempts, 2 of them crashes; the last one: node n3 was lost");
  EXPECT_EQ(status.detail("crashes"), "2");
  EXPECT_EQ(attempts_used_up(Code::unavailable, 1, 0, "x").message(),
            "gave up after 1 attempt; the last one: x");
}

TEST(Record, MatchesByStateMethodTimeAndEveryLabel) {
  v1::Job job;
  job.set_method("a.B/C");
  job.set_state(v1::READY);
  job.set_submitted_us(100);
  (*job.mutable_labels())["team"] = "a";
  v1::ListJobsRequest request;
  EXPECT_TRUE(matches(job, request));
  request.add_states(v1::FAILED);
  EXPECT_FALSE(matches(job, request));
  request.add_states(v1::READY);
  request.set_method("a.B/C");
  request.set_since_us(100);
  (*request.mutable_labels())["team"] = "a";
  EXPECT_TRUE(matches(job, request));
  (*request.mutable_labels())["run"] = "7";
  EXPECT_FALSE(matches(job, request));
}

}  // namespace
}  // namespace cobus::job
