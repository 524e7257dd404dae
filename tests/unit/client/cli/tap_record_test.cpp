// SPDX-License-Identifier: Apache-2.0
#include "client/cli/tap_record.hpp"

#include <gtest/gtest.h>

#include "proto/status.hpp"

namespace cobus::client {
namespace {

v1::TapRecord sample() {
  v1::TapRecord record;
  record.set_time_us(1'772'352'930'042'000);
  record.set_kind(v1::REPLY);
  record.set_from("n1/0.3.1");
  record.set_to("n2/1.4.2");
  record.set_type("text.WordCountReply");
  record.set_method("text.Text/WordCount");
  record.set_size(212);
  record.mutable_trace()->set_trace_high(0xab);
  record.mutable_trace()->set_trace_low(0xcd);
  record.set_latency_us(717);
  record.set_call(42);
  record.set_at("n2");
  return record;
}

TEST(TapJson, HasTheFieldsThatScriptsRelyOnFirst) {
  EXPECT_EQ(
      one_line(tap_json(sample(), Json{{"words", "3"}})),
      R"({"time":"2026-03-01T08:15:30.042Z","kind":"reply","from":"n1/0.3.1","to":"n2/1.4.2",)"
      R"("type":"text.WordCountReply","method":"text.Text/WordCount","size":212,)"
      R"("trace":"00000000000000ab00000000000000cd","latency_us":717,"status":"OK","body":{"words":"3"},)"
      R"("call":"42","at":"n2"})");
}

TEST(TapJson, WithoutABodyThereIsNoneAndAnErrorSaysWhy) {
  v1::TapRecord record = sample();
  record.clear_trace();
  record.set_kind(v1::ERROR);
  record.set_code(static_cast<int>(Code::not_found));
  record.set_message("no such text");
  const Json json = tap_json(record, {});
  EXPECT_FALSE(json.contains("body"));
  EXPECT_EQ(json["status"], "NOT_FOUND");
  EXPECT_EQ(json["message"], "no such text");
  EXPECT_EQ(json["trace"], "");
}

TEST(TapTable, SaysUnderTitlesWhoToldWhomWhat) {
  TapTable table(false);
  const std::string titles = table.titles();
  const std::string line = table.line(sample(), {});
  EXPECT_EQ(titles.substr(12),
            "  KIND     FROM            TO              METHOD                   SIZE  LATENCY  STATUS");
  EXPECT_EQ(line.substr(12),
            "  reply    n1/0.3.1        n2/1.4.2        text.Text/WordCount     212 B    717us");
}

TEST(TapTable, AColumnGrowsWithItsCells) {
  TapTable table(false);
  v1::TapRecord record = sample();
  record.set_from("a-node-with-a-long-name/0.3.1");
  const std::size_t to = table.line(record, {}).find("n2/1.4.2");
  EXPECT_EQ(table.line(sample(), {}).find("n2/1.4.2"), to);
}

TEST(TapTable, NothingInARecordCanDriveTheTerminal) {
  v1::TapRecord record = sample();
  record.set_code(13);
  record.set_message("\x1b[2J\n");
  EXPECT_EQ(TapTable(true).line(record, Json("\x1b")).find('\x1b'), std::string::npos);
}

TEST(TapRecord, WhatWasLeftOutIsCounted) {
  EXPECT_EQ(one_line(dropped_json(7)), R"({"dropped":7})");
  EXPECT_NE(dropped_line(7).find("7 records"), std::string::npos);
}

}  // namespace
}  // namespace cobus::client
