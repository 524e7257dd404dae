// SPDX-License-Identifier: Apache-2.0
#include "broker/directory.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace cobus::broker {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr TimePoint start{seconds(100)};
constexpr seconds ttl(6);

link::CurveKey key(std::uint8_t first) {
  link::CurveKey made;
  made.bytes[0] = first;
  return made;
}

Proof proof(const std::string& name, std::uint8_t first = 1) {
  return Proof{.name = name, .key = key(first)};
}

v1::NodeRecord record(const std::string& name, std::uint64_t node, std::uint64_t incarnation) {
  v1::NodeRecord made;
  made.set_name(name);
  made.set_node(node);
  made.set_incarnation(incarnation);
  made.set_state(v1::UP);
  return made;
}

v1::Load load(std::uint32_t calls) {
  v1::Load made;
  made.set_calls_running(calls);
  return made;
}

class DirectoryTest : public testing::Test {
 protected:
  // Registers, and forgets the delta.
  void have(const v1::NodeRecord& made, const Proof& proved, TimePoint now = start) {
    ASSERT_TRUE(directory_.register_node(made, proved, now));
    (void)directory_.take_deltas();
  }
  // The only delta since the last call.
  v1::DirectoryEvent only_delta() {
    const auto deltas = directory_.take_deltas();
    EXPECT_EQ(deltas.size(), 1U);
    return deltas.empty() ? v1::DirectoryEvent() : deltas.front();
  }
  // Of a directory that fits into one part.
  v1::DirectoryEvent snapshot(TimePoint now) {
    Directory::Told told;
    v1::DirectoryEvent part = directory_.snapshot_part(told, now);
    EXPECT_FALSE(part.more());
    return part;
  }
  // `count` nodes with records of about a kilobyte, or as large as told.
  void have_many(std::uint64_t count, std::size_t label_bytes = 1'000) {
    for (std::uint64_t i = 1; i <= count; ++i) {
      v1::NodeRecord made = record("n" + std::to_string(i), i, 1);
      (*made.mutable_labels())["note"] = std::string(label_bytes, 'x');
      ASSERT_TRUE(directory_.register_node(made, proof(made.name()), start));
    }
    (void)directory_.take_deltas();
  }
  Directory directory_{ttl};
};

TEST_F(DirectoryTest, ANewNodeIsToldAndFound) {
  ASSERT_TRUE(directory_.register_node(record("n1", 11, 1), proof("n1"), start));
  const auto delta = only_delta();
  EXPECT_EQ(delta.sequence(), 1U);
  EXPECT_FALSE(delta.snapshot());
  ASSERT_EQ(delta.changed_size(), 1);
  EXPECT_EQ(delta.changed(0).name(), "n1");
  ASSERT_NE(directory_.find("n1"), nullptr);
  EXPECT_EQ(directory_.find(NodeId{11})->name(), "n1");
  EXPECT_EQ(directory_.find("n2"), nullptr);
}

TEST_F(DirectoryTest, D5_ALaterLifeReplacesTheEarlierAtOnce) {
  have(record("n1", 11, 1), proof("n1"));
  ASSERT_TRUE(directory_.register_node(record("n1", 12, 2), proof("n1"), start));
  const auto delta = only_delta();
  ASSERT_EQ(delta.gone_size(), 1);
  EXPECT_EQ(delta.gone(0).node(), 11U);
  EXPECT_EQ(delta.gone(0).reason(), "replaced by a later life");
  EXPECT_EQ(delta.changed(0).node(), 12U);
  EXPECT_EQ(directory_.size(), 1U);
  EXPECT_FALSE(directory_.renew(NodeId{11}, 1, {}, start)) << "the earlier life is over";
}

TEST_F(DirectoryTest, D6_ItSaysThatItIsFillingUntilEveryNodeOfItsEarlierLifeIsBack) {
  directory_.expect({"n1", "n2"}, start + seconds(3));
  EXPECT_EQ(directory_.names(), (std::vector<std::string>{"n1", "n2"})) << "for a next life that comes soon";
  EXPECT_EQ(snapshot(start + seconds(1)).filling_ms(), 2'000U);
  have(record("n1", 11, 1), proof("n1"));
  EXPECT_TRUE(directory_.filling());
  have(record("n3", 13, 1), proof("n3"));
  EXPECT_EQ(directory_.names(), (std::vector<std::string>{"n1", "n2", "n3"}));
  ASSERT_TRUE(directory_.register_node(record("n2", 12, 1), proof("n2"), start));
  const auto deltas = directory_.take_deltas();
  ASSERT_EQ(deltas.size(), 2U);
  EXPECT_EQ(deltas[0].changed(0).name(), "n2");
  EXPECT_TRUE(deltas[1].filled()) << "told behind the node that was missing";
  EXPECT_FALSE(directory_.filling());
  EXPECT_EQ(snapshot(start + seconds(1)).filling_ms(), 0U);
}

TEST_F(DirectoryTest, D6_ItFillsForItsTimeAtMost) {
  directory_.expect({"n1"}, start + seconds(3));
  EXPECT_EQ(directory_.next_expiry(), start + seconds(3));
  directory_.expire(start + seconds(3));
  EXPECT_TRUE(only_delta().filled());
  EXPECT_FALSE(directory_.filling());
  EXPECT_TRUE(directory_.names().empty());
}

TEST_F(DirectoryTest, AnEarlierLifeIsRefused) {
  have(record("n1", 12, 2), proof("n1"));
  for (const std::uint64_t incarnation : {1U, 2U}) {
    const auto refused = directory_.register_node(record("n1", 11, incarnation), proof("n1"), start);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), Code::failed_precondition);
  }
  EXPECT_EQ(directory_.find("n1")->node(), 12U);
  EXPECT_TRUE(directory_.take_deltas().empty());
}

TEST_F(DirectoryTest, D4_AnotherKeyCannotTakeANameAndBothAreNamed) {
  have(record("n1", 11, 1), proof("n1", 1));
  const auto refused = directory_.register_node(record("n1", 12, 2), proof("n1", 2), start + seconds(1));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::already_exists);
  EXPECT_NE(refused.error().message().find(link::short_fingerprint(key(1))), std::string::npos);
  EXPECT_NE(refused.error().message().find(link::short_fingerprint(key(2))), std::string::npos);
  EXPECT_EQ(directory_.find("n1")->node(), 11U);
}

TEST_F(DirectoryTest, ANameIsFreeOnceTheLeaseHasEnded) {
  have(record("n1", 11, 1), proof("n1", 1));
  ASSERT_TRUE(directory_.register_node(record("n1", 12, 2), proof("n1", 2), start + ttl));
  const auto deltas = directory_.take_deltas();
  ASSERT_EQ(deltas.size(), 2U);
  EXPECT_EQ(deltas[0].gone(0).reason(), "lease ended");
  EXPECT_EQ(deltas[1].changed(0).node(), 12U);
}

TEST_F(DirectoryTest, NobodyRegistersUnderANameOrNodeIdThatIsNotTheirs) {
  have(record("n1", 11, 1), proof("n1", 1));
  EXPECT_EQ(directory_.register_node(record("n1", 12, 9), proof("n2", 2), start).error().code(),
            Code::permission_denied);
  EXPECT_EQ(directory_.register_node(record("n2", 11, 9), proof("n2", 2), start).error().code(),
            Code::permission_denied);
  EXPECT_EQ(directory_.find(NodeId{11})->name(), "n1");
}

TEST_F(DirectoryTest, RecordsThatMakeNoSenseAreRefused) {
  EXPECT_EQ(directory_.register_node(record("n1", 0, 1), proof("n1"), start).error().code(),
            Code::invalid_argument);
  EXPECT_EQ(directory_.register_node(record("a b", 1, 1), proof("a b"), start).error().code(),
            Code::invalid_argument);
  v1::NodeRecord large = record("n1", 1, 1);
  (*large.mutable_labels())["x"] = std::string(limits::node_record_bytes_max, 'x');
  EXPECT_EQ(directory_.register_node(large, proof("n1"), start).error().code(), Code::invalid_argument);
  EXPECT_EQ(directory_.size(), 0U);
  EXPECT_EQ(directory_.next_expiry(), never);
}

TEST_F(DirectoryTest, ARepeatedRecordOnlyRenews) {
  have(record("n1", 11, 1), proof("n1"));
  ASSERT_TRUE(directory_.register_node(record("n1", 11, 1), proof("n1"), start + seconds(3)));
  EXPECT_TRUE(directory_.take_deltas().empty());
  EXPECT_EQ(directory_.next_expiry(), start + seconds(3) + ttl);
}

TEST_F(DirectoryTest, ANewRevisionIsToldAndAnOldOneIsNot) {
  v1::NodeRecord draining = record("n1", 11, 1);
  draining.set_revision(2);
  draining.set_state(v1::DRAINING);
  have(record("n1", 11, 1), proof("n1"));
  ASSERT_TRUE(directory_.register_node(draining, proof("n1"), start));
  EXPECT_EQ(only_delta().changed(0).state(), v1::DRAINING);
  ASSERT_TRUE(directory_.register_node(record("n1", 11, 1), proof("n1"), start));
  EXPECT_TRUE(directory_.take_deltas().empty());
  EXPECT_EQ(directory_.find("n1")->state(), v1::DRAINING);
}

TEST_F(DirectoryTest, D3_ANodeThatStoppedRenewingIsGoneAfterItsLease) {
  have(record("n1", 11, 1), proof("n1"));
  have(record("n2", 12, 1), proof("n2"));
  ASSERT_TRUE(directory_.renew(NodeId{12}, 1, {}, start + seconds(4)));
  directory_.expire(start + ttl);
  const auto delta = only_delta();
  ASSERT_EQ(delta.gone_size(), 1);
  EXPECT_EQ(delta.gone(0).name(), "n1");
  EXPECT_EQ(delta.gone(0).reason(), "lease ended");
  EXPECT_EQ(directory_.find("n1"), nullptr);
  EXPECT_NE(directory_.find("n2"), nullptr);
  EXPECT_FALSE(directory_.renew(NodeId{11}, 1, {}, start + ttl)) << "it must register again";
}

TEST_F(DirectoryTest, AnUnknownIncarnationIsNotRenewed) {
  have(record("n1", 11, 2), proof("n1"));
  EXPECT_FALSE(directory_.renew(NodeId{11}, 1, {}, start));
  EXPECT_FALSE(directory_.renew(NodeId{11}, 3, {}, start));
  EXPECT_TRUE(directory_.renew(NodeId{11}, 2, {}, start));
}

TEST_F(DirectoryTest, LeavingAndALostConnectionRemoveAtOnceWithTheirReason) {
  have(record("n1", 11, 1), proof("n1"));
  have(record("n2", 12, 1), proof("n2"));
  directory_.leave(NodeId{11}, start);
  EXPECT_EQ(only_delta().gone(0).reason(), "left");
  directory_.connection_lost(NodeId{12}, start);
  EXPECT_EQ(only_delta().gone(0).reason(), "connection lost");
  directory_.connection_lost(NodeId{12}, start);
  directory_.leave(NodeId{99}, start);
  EXPECT_TRUE(directory_.take_deltas().empty());
  EXPECT_EQ(directory_.size(), 0U);
}

TEST_F(DirectoryTest, ChangesOfLoadAreToldTogether) {
  have(record("n1", 11, 1), proof("n1"));
  have(record("n2", 12, 1), proof("n2"));
  for (std::uint32_t i = 1; i <= 5; ++i) {
    ASSERT_TRUE(directory_.renew(NodeId{11}, 1, load(i), start + milliseconds(i)));
    ASSERT_TRUE(directory_.renew(NodeId{12}, 1, load(10 * i), start + milliseconds(i)));
  }
  EXPECT_TRUE(directory_.take_deltas().empty());
  EXPECT_EQ(directory_.next_expiry(), start + milliseconds(1) + load_interval);
  directory_.expire(directory_.next_expiry());
  const auto delta = only_delta();
  ASSERT_EQ(delta.changed_size(), 2);
  EXPECT_EQ(delta.changed(0).load().calls_running(), 5U);
  EXPECT_EQ(delta.changed(1).load().calls_running(), 50U);
}

TEST_F(DirectoryTest, AnUnchangedLoadIsNotTold) {
  have(record("n1", 11, 1), proof("n1"));
  ASSERT_TRUE(directory_.renew(NodeId{11}, 1, load(3), start));
  directory_.expire(start + load_interval);
  (void)directory_.take_deltas();
  ASSERT_TRUE(directory_.renew(NodeId{11}, 1, load(3), start + seconds(2)));
  directory_.expire(start + seconds(3));
  EXPECT_TRUE(directory_.take_deltas().empty());
}

TEST_F(DirectoryTest, TheLoadOfANodeThatWentIsForgotten) {
  have(record("n1", 11, 1), proof("n1"));
  ASSERT_TRUE(directory_.renew(NodeId{11}, 1, load(3), start));
  directory_.leave(NodeId{11}, start);
  (void)directory_.take_deltas();
  directory_.expire(start + load_interval);
  EXPECT_TRUE(directory_.take_deltas().empty());
  EXPECT_EQ(directory_.next_expiry(), never);
}

TEST_F(DirectoryTest, D4_SaysWhichKeyHoldsANameForAsLongAsItDoes) {
  EXPECT_EQ(directory_.holder("n1"), std::nullopt);
  have(record("n1", 11, 1), proof("n1", 7));
  EXPECT_EQ(directory_.holder("n1"), key(7));
  have(record("n1", 12, 2), proof("n1", 7));
  EXPECT_EQ(directory_.holder("n1"), key(7));
  directory_.leave(NodeId{12}, start);
  EXPECT_EQ(directory_.holder("n1"), std::nullopt);
}

TEST_F(DirectoryTest, SnapshotAndLaterDeltasFitTogether) {
  ASSERT_TRUE(directory_.register_node(record("n1", 11, 1), proof("n1"), start));
  ASSERT_TRUE(directory_.register_node(record("n2", 12, 1), proof("n2"), start));
  (void)directory_.take_deltas();
  const auto whole = snapshot(start);
  EXPECT_TRUE(whole.snapshot());
  EXPECT_EQ(whole.changed_size(), 2);
  directory_.leave(NodeId{11}, start);
  EXPECT_EQ(only_delta().sequence(), whole.sequence() + 1);
  directory_.leave(NodeId{12}, start);
  EXPECT_EQ(only_delta().sequence(), whole.sequence() + 2);
}

TEST_F(DirectoryTest, AnEmptyDirectoryIsAnEmptySnapshot) {
  EXPECT_TRUE(snapshot(start).snapshot());
  EXPECT_EQ(snapshot(start).changed_size(), 0);
}

TEST_F(DirectoryTest, TellsHowLongAgoANodeRenewed) {
  have(record("n1", 11, 1), proof("n1"));
  EXPECT_EQ(snapshot(start + milliseconds(700)).changed(0).age_ms(), 700U);
  ASSERT_TRUE(directory_.renew(NodeId{11}, 1, load(1), start + seconds(2)));
  EXPECT_EQ(snapshot(start + seconds(3)).changed(0).age_ms(), 1000U);
  directory_.expire(start + milliseconds(2600));
  EXPECT_EQ(only_delta().changed(0).age_ms(), 600U);
}

TEST_F(DirectoryTest, AnAgeThatANodeClaimsIsNotBelieved) {
  v1::NodeRecord liar = record("n1", 11, 1);
  liar.set_age_ms(5);
  have(liar, proof("n1"));
  EXPECT_EQ(snapshot(start).changed(0).age_ms(), 0U);
}

TEST_F(DirectoryTest, TellsWhomTheBrokerSuspectsAndWhenItNoLongerDoes) {
  have(record("n1", 11, 1), proof("n1"));
  directory_.suspect(NodeId{11}, true);
  EXPECT_TRUE(only_delta().changed(0).suspected());
  EXPECT_TRUE(snapshot(start).changed(0).suspected());
  directory_.suspect(NodeId{11}, true);
  EXPECT_TRUE(directory_.take_deltas().empty());
  have(record("n1", 11, 1), proof("n1"));
  EXPECT_TRUE(snapshot(start).changed(0).suspected()) << "what it says of itself does not matter";
  directory_.suspect(NodeId{11}, false);
  EXPECT_FALSE(only_delta().changed(0).suspected());
  directory_.suspect(NodeId{12}, true);
  EXPECT_TRUE(directory_.take_deltas().empty()) << "not known";
}

TEST_F(DirectoryTest, ASuspicionThatANodeClaimsIsNotTold) {
  v1::NodeRecord liar = record("n1", 11, 1);
  liar.set_suspected(true);
  have(liar, proof("n1"));
  EXPECT_FALSE(snapshot(start).changed(0).suspected());
  directory_.suspect(NodeId{11}, true);
  directory_.connection_lost(NodeId{11}, start);
  EXPECT_FALSE(snapshot(start).down(0).suspected()) << "down is more";
}

TEST_F(DirectoryTest, ANodeThatLeftIsToldAsDownForAWhile) {
  have(record("n1", 11, 1), proof("n1"));
  have(record("n2", 12, 1), proof("n2", 2));
  directory_.leave(NodeId{11}, start + seconds(1));
  const auto whole = snapshot(start + seconds(60));
  ASSERT_EQ(whole.down_size(), 1);
  EXPECT_EQ(whole.down(0).name(), "n1");
  EXPECT_EQ(whole.down(0).state(), v1::DEPARTED);
  EXPECT_EQ(whole.down(0).age_ms(), 60'000U);
  EXPECT_EQ(snapshot(start + seconds(61)).down_size(), 0);
}

TEST_F(DirectoryTest, ANodeWhoseLeaseEndedIsDownUntilItIsBack) {
  have(record("n1", 11, 1), proof("n1"));
  directory_.expire(start + ttl);
  EXPECT_EQ(snapshot(start + ttl).down_size(), 1);
  have(record("n1", 12, 2), proof("n1"), start + ttl);
  EXPECT_EQ(snapshot(start + ttl).down_size(), 0);
}

TEST_F(DirectoryTest, ASnapshotOfManyNodesComesInPartsThatFitIntoMessages) {
  have_many(3'000);
  for (std::uint64_t i = 1; i <= 500; ++i) directory_.leave(NodeId{i}, start);
  (void)directory_.take_deltas();
  Directory::Told told;
  std::set<std::uint64_t> changed;
  std::set<std::string> down;
  std::uint64_t sequence = 0;
  for (bool more = true; more;) {
    const v1::DirectoryEvent part = directory_.snapshot_part(told, start);
    EXPECT_LE(part.ByteSizeLong(), limits::directory_event_bytes_max);
    EXPECT_TRUE(part.snapshot());
    EXPECT_EQ(part.part() + 1, told.parts);
    if (part.part() == 0) sequence = part.sequence();
    EXPECT_EQ(part.sequence(), sequence) << "what happens meanwhile is for the deltas";
    for (const auto& each : part.changed()) EXPECT_TRUE(changed.insert(each.node()).second);
    for (const auto& each : part.down()) EXPECT_TRUE(down.insert(each.name()).second);
    more = part.more();
    if (part.part() == 1) directory_.leave(NodeId{2'999}, start);
  }
  EXPECT_EQ(changed.size(), 2'499U);
  EXPECT_EQ(down.size(), 501U);
  EXPECT_GE(told.parts, 5U);
  EXPECT_EQ(only_delta().sequence(), sequence + 1);
}

TEST_F(DirectoryTest, TheLargestRecordsComeInPartsToo) {
  have_many(20, limits::node_record_bytes_max - 100);
  Directory::Told told;
  int changed = 0;
  for (bool more = true; more;) {
    const v1::DirectoryEvent part = directory_.snapshot_part(told, start);
    EXPECT_LE(part.ByteSizeLong(), limits::directory_event_bytes_max);
    EXPECT_GT(part.changed_size(), 0);
    changed += part.changed_size();
    more = part.more();
  }
  EXPECT_EQ(changed, 20);
}

TEST_F(DirectoryTest, LoadsAndDeparturesOfManyNodesFitIntoMessagesToo) {
  have_many(3'000);
  for (std::uint64_t i = 1; i <= 3'000; ++i) ASSERT_TRUE(directory_.renew(NodeId{i}, 1, load(1), start));
  directory_.expire(start + load_interval);
  int changed = 0;
  std::uint64_t sequence = 3'000;
  for (const v1::DirectoryEvent& delta : directory_.take_deltas()) {
    EXPECT_LE(delta.ByteSizeLong(), limits::directory_event_bytes_max);
    EXPECT_EQ(delta.sequence(), ++sequence);
    changed += delta.changed_size();
  }
  EXPECT_EQ(changed, 3'000);
  directory_.expire(start + ttl);
  int gone = 0;
  for (const v1::DirectoryEvent& delta : directory_.take_deltas()) {
    EXPECT_LE(delta.ByteSizeLong(), limits::directory_event_bytes_max);
    gone += delta.gone_size();
  }
  EXPECT_EQ(gone, 3'000);
}

}  // namespace
}  // namespace cobus::broker
