// SPDX-License-Identifier: Apache-2.0
#include "node/observe/worker_tree.hpp"

#include <gtest/gtest.h>

namespace cobus {
namespace {

WorkerId id(std::uint32_t index) { return WorkerId::make(0, index, 1); }

struct Forest {
  TreeEntries entries;
  void add(std::uint32_t index, std::uint32_t parent, const char* kind) {
    entries.workers.push_back({id(index), parent == 0 ? WorkerId{} : id(parent), kind, v1::WORKER_WAITING});
  }
  // "0 a 1|1 b 1" for each line: depth, kind, count.
  [[nodiscard]] std::string drawn(std::size_t lines_max = 100) const {
    std::string text;
    for (const v1::TreeLine& line : make_tree(entries, lines_max).lines()) {
      text += (text.empty() ? "" : "|") + std::to_string(line.depth()) + ' ' + line.kind() + ' ' +
              std::to_string(line.count());
    }
    return text;
  }
};

TEST(WorkerTree, ChildrenStandBelowTheirParents) {
  Forest forest;
  forest.add(3, 2, "leaf");
  forest.add(1, 0, "root");
  forest.add(2, 1, "branch");
  forest.add(4, 1, "twig");
  EXPECT_EQ(forest.drawn(), "0 root 1|1 branch 1|2 leaf 1|1 twig 1");
}

TEST(WorkerTree, WhoseParentHasEndedStandsAtTheTop) {
  Forest forest;
  forest.add(1, 9, "orphan");
  forest.add(2, 1, "child");
  EXPECT_EQ(forest.drawn(), "0 orphan 1|1 child 1");
}

TEST(WorkerTree, ManyOfAKindAreOneLineAndSoAreTheirChildren) {
  Forest forest;
  for (std::uint32_t i = 1; i <= 10; ++i) {
    forest.add(i, 0, "handler");
    forest.add(100 + i, i, "helper");
  }
  EXPECT_EQ(forest.drawn(), "0 handler 10|1 helper 10");
}

TEST(WorkerTree, WhatHasANameOrSupervisesKeepsItsLine) {
  Forest forest;
  for (std::uint32_t i = 1; i <= 10; ++i) forest.add(i, 0, "worker");
  forest.entries.notes.push_back({id(3), "counter", {}, {}, 0});
  const v1::TreeReply tree = make_tree(forest.entries, 100);
  ASSERT_EQ(tree.lines_size(), 2);
  EXPECT_EQ(tree.lines(0).name(), "counter");
  EXPECT_EQ(tree.lines(0).worker(), id(3).value);
  EXPECT_EQ(tree.lines(1).count(), 9U);
  EXPECT_EQ(tree.lines(1).worker(), 0U);
}

TEST(WorkerTree, AChildOnAnotherNodeHasALineBelowItsSupervisor) {
  Forest forest;
  forest.add(1, 0, "supervisor");
  forest.add(2, 1, "child");
  forest.entries.abroad.push_back({id(1), Address{NodeId{7}, id(2)}, "db", 3});
  const v1::TreeReply tree = make_tree(forest.entries, 100);
  ASSERT_EQ(tree.lines_size(), 3);
  EXPECT_EQ(tree.lines(1).node(), 7U);
  EXPECT_EQ(tree.lines(1).depth(), 1U);
  EXPECT_EQ(tree.lines(1).child() + ' ' + std::to_string(tree.lines(1).restarts()), "db 3");
  EXPECT_EQ(tree.lines(2).kind() + tree.lines(2).child(), "child");  // who has the same number here
  EXPECT_EQ(tree.left_out(), 0U);
}

TEST(WorkerTree, ASupervisedChildShowsWhatItsSupervisorSaysOfIt) {
  Forest forest;
  forest.add(1, 0, "supervisor");
  forest.add(2, 1, "child");
  forest.entries.notes.push_back({id(2), {}, {}, "db", 3});
  TreeNote own{id(1), {}, {}, {}, 0};
  own.supervision.set_strategy("one_for_one");
  forest.entries.notes.push_back(own);
  forest.entries.notes.push_back({id(2), "store", {}, {}, 0});
  const v1::TreeReply tree = make_tree(forest.entries, 100);
  ASSERT_EQ(tree.lines_size(), 2);
  EXPECT_EQ(tree.lines(0).supervision().strategy(), "one_for_one");
  EXPECT_EQ(tree.lines(1).child(), "db");
  EXPECT_EQ(tree.lines(1).restarts(), 3U);
  EXPECT_EQ(tree.lines(1).name(), "store");
}

TEST(WorkerTree, WhatDoesNotFitIsCounted) {
  Forest forest;
  for (std::uint32_t i = 1; i <= 50; ++i) forest.add(i, i - 1, "link");
  EXPECT_EQ(make_tree(forest.entries, 10).lines_size(), 10);
  EXPECT_EQ(make_tree(forest.entries, 10).left_out(), 40U);
  EXPECT_EQ(make_tree(forest.entries, 10).workers(), 50U);
  EXPECT_EQ(make_tree(forest.entries, 100).left_out(), 0U);
}

TEST(WorkerTree, OfNobodyIsEmpty) { EXPECT_EQ(make_tree({}, 10).lines_size(), 0); }

}  // namespace
}  // namespace cobus
