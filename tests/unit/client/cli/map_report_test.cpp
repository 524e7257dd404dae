// SPDX-License-Identifier: Apache-2.0
#include "client/cli/map_report.hpp"

#include <gtest/gtest.h>

#include "tests/support/private_folder.hpp"
#include "tests/unit/client/cli/captured_console.hpp"

namespace cobus::client {
namespace {

MapOutcome success(std::uint64_t sequence) {
  MapOutcome outcome;
  outcome.sequence = sequence;
  outcome.job = "j" + std::to_string(sequence);
  outcome.node = "n1";
  outcome.state = "succeeded";
  outcome.attempt = 1;
  outcome.result = {{"count", std::to_string(sequence)}};
  return outcome;
}

MapOutcome failure(std::uint64_t sequence) {
  MapOutcome outcome;
  outcome.sequence = sequence;
  outcome.file = "a.txt";
  outcome.error = Status(Code::invalid_argument, "a.txt is not UTF-8");
  outcome.exit = 1;
  return outcome;
}

TEST(MapReport, ResultsComeAsTheyAreDone) {
  CapturedConsole captured;
  MapReport report(captured.console, {}, false, nullptr);
  for (const std::uint64_t sequence : {1, 2}) report.begin(sequence);
  report.end(success(2));
  report.end(success(1));
  EXPECT_EQ(captured.out(), "{\"count\":\"2\"}\n{\"count\":\"1\"}\n");
  EXPECT_EQ(report.done(), 2U);
  EXPECT_EQ(report.running(), 0U);
}

TEST(MapReport, KeepsTheOrderOfTheInputIfWanted) {
  CapturedConsole captured;
  MapReport report(captured.console, {}, true, nullptr);
  for (const std::uint64_t sequence : {1, 5, 9}) report.begin(sequence);
  report.end(success(9));
  report.end(success(5));
  EXPECT_EQ(captured.out(), "");
  EXPECT_EQ(report.kept_back(), 2U);
  report.end(success(1));
  EXPECT_EQ(captured.out(), "{\"count\":\"1\"}\n{\"count\":\"5\"}\n{\"count\":\"9\"}\n");
  EXPECT_EQ(report.kept_back(), 0U);
}

TEST(MapReport, WhatWasAbandonedHoldsNothingUp) {
  CapturedConsole captured;
  MapReport report(captured.console, {}, true, nullptr);
  for (const std::uint64_t sequence : {1, 2}) report.begin(sequence);
  report.end(success(2));
  report.abandon(1);
  EXPECT_EQ(captured.out(), "{\"count\":\"2\"}\n");
  EXPECT_EQ(report.abandoned(), 1U);
  EXPECT_EQ(report.done(), 1U);
}

TEST(MapReport, FailuresAreNamedOnStderrAndCounted) {
  CapturedConsole captured;
  MapReport report(captured.console, {}, false, nullptr);
  report.begin(3);
  report.end(failure(3));
  EXPECT_EQ(captured.out(), "");
  EXPECT_EQ(captured.err(), "cobus: request 3 (a.txt) failed: INVALID_ARGUMENT: a.txt is not UTF-8\n");
  EXPECT_EQ(report.failed(), 1U);
}

TEST(MapReport, AFailureNamesTheLineOfTheInput) {
  CapturedConsole captured;
  MapReport report(captured.console, {}, false, nullptr);
  MapOutcome outcome;
  outcome.sequence = 2;
  outcome.place = "mix.jsonl:3";
  outcome.error = Status(Code::invalid_argument, "column 9: malformed JSON");
  report.begin(2);
  report.end(outcome);
  EXPECT_EQ(captured.err(),
            "cobus: request 2 failed: INVALID_ARGUMENT: mix.jsonl:3: column 9: malformed JSON\n");
}

TEST(MapReport, IdsAreThoseOfWhatSucceeded) {
  CapturedConsole captured;
  MapReport report(captured.console, Format::id, false, nullptr);
  for (const std::uint64_t sequence : {1, 3}) report.begin(sequence);
  report.end(failure(3));
  report.end(success(1));
  EXPECT_EQ(captured.out(), "j1\n");
}

TEST(MapReport, TellsWhatAllOfThemCameTo) {
  CapturedConsole captured;
  MapReport report(captured.console, {}, false, nullptr);
  EXPECT_EQ(report.exit_of_all(), std::nullopt);
  for (const std::uint64_t sequence : {1, 3}) report.begin(sequence);
  report.end(failure(3));
  EXPECT_EQ(report.exit_of_all(), 1);
  report.end(success(1));
  EXPECT_EQ(report.exit_of_all(), std::nullopt);
}

TEST(MapReport, JsonHasResultOrError) {
  CapturedConsole captured;
  MapReport report(captured.console, Format::jsonl, false, nullptr);
  for (const std::uint64_t sequence : {1, 3}) report.begin(sequence);
  report.end(success(1));
  report.end(failure(3));
  EXPECT_EQ(
      captured.out(),
      R"({"seq":1,"input":null,"id":"j1","node":"n1","state":"succeeded","attempt":1,"result":{"count":"1"}})"
      "\n"
      R"({"seq":3,"input":"a.txt","id":null,"node":"","state":"failed","attempt":0,)"
      R"("error":{"code":"INVALID_ARGUMENT","message":"a.txt is not UTF-8"}})"
      "\n");
}

TEST(MapReport, InOrderALineStandsForARequestThatFailedToo) {
  CapturedConsole captured;
  MapReport report(captured.console, {}, true, nullptr);
  for (const std::uint64_t sequence : {1, 2, 3}) report.begin(sequence);
  report.end(success(3));
  report.end(failure(2));
  report.end(success(1));
  EXPECT_EQ(captured.out(), "{\"count\":\"1\"}\nnull\n{\"count\":\"3\"}\n");
}

TEST(MapReport, WhatWaitsForOneThatNeverEndsIsPrintedAtTheEnd) {
  CapturedConsole captured;
  MapReport report(captured.console, {}, true, nullptr);
  for (const std::uint64_t sequence : {1, 2, 3}) report.begin(sequence);
  report.end(success(2));
  report.end(failure(3));
  EXPECT_EQ(captured.err(), "");
  report.finish();
  EXPECT_EQ(captured.out(), "{\"count\":\"2\"}\n");
  EXPECT_NE(captured.err().find("request 3 (a.txt) failed"), std::string::npos);
}

TEST(MapReport, AnArrayIsClosedAtTheEnd) {
  CapturedConsole captured;
  MapReport report(captured.console, Format::json, false, nullptr);
  for (const std::uint64_t sequence : {1, 2}) {
    report.begin(sequence);
    report.end(success(sequence));
  }
  report.finish();
  EXPECT_EQ(Json::parse(captured.out()).size(), 2U);
}

TEST(MapReport, WhatIsDoneStandsInTheJoblogAtOnce) {
  CapturedConsole captured;
  const PrivateFolder folder;
  const std::string file = folder.path() / "joblog.tsv";
  auto writer = JoblogWriter::open(file, false, "r");
  ASSERT_TRUE(writer);
  MapReport report(captured.console, {}, false, writer->get());
  report.begin(1);
  report.end(success(1));
  EXPECT_TRUE(report.status().ok());
  EXPECT_EQ(read_joblog(file)->entries.at(1).job, "j1");
}

}  // namespace
}  // namespace cobus::client
