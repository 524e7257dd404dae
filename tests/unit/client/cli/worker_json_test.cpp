// SPDX-License-Identifier: Apache-2.0
#include "client/cli/worker_json.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/address.hpp"

namespace cobus::client {
namespace {

v1::WorkerRow sample() {
  v1::WorkerRow row;
  row.set_worker(WorkerId::make(1, 8, 3).value);
  row.set_kind("text.Text/Grep");
  row.set_state(v1::WORKER_WAITING);
  row.set_mailbox_messages(3);
  row.set_mailbox_bytes(1200);
  row.set_received(12);
  row.set_received_in_window(6);
  row.set_cpu_us(900'000);
  row.set_cpu_us_in_window(500'000);
  row.set_memory_bytes(1700);
  return row;
}

std::string field_of(const Json& worker, const std::string& name) {
  for (const auto& [known, text] : worker_fields(worker)) {
    if (known == name) return text;
  }
  return "no such field";
}

TEST(WorkerJson, ARowHasTheFieldsThatScriptsRelyOn) {
  EXPECT_EQ(
      one_line(worker_row_json("alpha", sample(), 2'000'000)),
      R"({"address":"alpha/1.8.3","node":"alpha","kind":"text.Text/Grep","name":null,"state":"waiting",)"
      R"("mailbox_messages":3,"mailbox_bytes":1200,"messages":12,"messages_per_second":3.0,"cpu":0.25,)"
      R"("cpu_us":900000,"memory_bytes":1700})");
}

TEST(WorkerJson, WithoutAWindowThereAreNoRates) {
  const Json row = worker_row_json("alpha", sample(), 0);
  EXPECT_TRUE(row["messages_per_second"].is_null());
  EXPECT_TRUE(row["cpu"].is_null());
  for (const OutputColumn& column : worker_columns())
    EXPECT_NO_THROW(static_cast<void>(column.cell(row))) << column.title;
}

TEST(WorkerJson, AWorkerIsShownWithItsTies) {
  v1::ShowReply reply;
  *reply.mutable_row() = sample();
  reply.set_mailbox_messages_max(10'000);
  reply.set_overflow("reject");
  reply.mutable_spawned_by()->set_node_name("alpha");
  reply.mutable_spawned_by()->set_worker(WorkerId::make(0, 1, 1).value);
  reply.mutable_spawned_by()->set_ended(true);
  v1::Peer& link = *reply.add_links();
  link.set_node_name("beta");
  link.set_worker(WorkerId::make(0, 2, 1).value);
  reply.set_links_count(5);
  reply.mutable_handles()->set_method("text.Text/Grep");
  reply.mutable_handles()->set_caller_name("me");
  reply.mutable_handles()->mutable_caller()->set_node_name("beta");
  reply.mutable_handles()->set_has_deadline(true);
  reply.mutable_handles()->set_time_left_us(-2'000'000);
  reply.mutable_supervision()->set_strategy("one_for_all");
  reply.mutable_supervision()->set_restarts(1);
  const Json worker = worker_json("alpha", reply);
  EXPECT_EQ(field_of(worker, "spawned by"), "alpha/0.1.1 (ended)");
  EXPECT_EQ(field_of(worker, "linked to"), "beta/0.2.1 and 4 more");
  EXPECT_EQ(field_of(worker, "handles"), "text.Text/Grep for me at beta, late by 2s");
  EXPECT_THAT(field_of(worker, "supervises"), ::testing::StartsWith("one_for_all, 1 restart,"));
  EXPECT_THAT(field_of(worker, "mailbox"), ::testing::StartsWith("3 of 10000 messages, 1.2 kB of "));
  EXPECT_EQ(field_of(worker, "traps exits"), "");
}

TEST(WorkerJson, AwaitsAreATableWithWhatRunsSideBySideBelow) {
  v1::ShowReply reply;
  v1::Await& own = *reply.add_chains()->add_awaits();
  own.set_file("node/x.cpp");
  own.set_line(7);
  own.set_function("f");
  own.set_age_us(3'000'000);
  v1::AwaitChain& child = *reply.add_chains();
  child.set_label("child 0 of a scope");
  *child.add_awaits() = own;
  child.mutable_awaits(0)->set_waits_for("a message");
  reply.set_chains_left_out(2);
  const auto lines = await_lines(worker_json("alpha", reply), 0);
  ASSERT_EQ(lines.size(), 5U);
  EXPECT_THAT(lines[1], ::testing::HasSubstr("node/x.cpp:7"));
  EXPECT_THAT(lines[2], ::testing::HasSubstr("child 0 of a scope:"));
  EXPECT_THAT(lines[3], ::testing::EndsWith("a message"));
  EXPECT_EQ(lines[4], "and 2 more side by side");
}

TEST(WorkerJson, ANodeThatSaysLittleIsShownAsWell) {
  const Json worker = worker_json("alpha", v1::ShowReply());
  EXPECT_NO_THROW(static_cast<void>(worker_fields(worker)));
  EXPECT_TRUE(await_lines(worker, 80).empty());
}

}  // namespace
}  // namespace cobus::client
