// SPDX-License-Identifier: Apache-2.0
#include "node/runtime/completion.hpp"

#include <thread>

#include "tests/support/strand_fixture.hpp"

namespace cobus {
namespace {

// What a waiting coroutine left behind.
struct Left {
  std::move_only_function<void(Result<int>)> callback;
  std::optional<Result<int>> heard;
  std::optional<Result<int>> unwanted;
};

Task<> wait(Left* left) {
  Completion<int> done([left](Result<int> value) { left->unwanted = std::move(value); });
  left->callback = done.callback();
  left->heard = co_await done;
}

class CompletionTest : public StrandFixture {
 protected:
  Left left_;
};

TEST_F(CompletionTest, GivesWhatAnotherThreadFinished) {
  start(wait(&left_));
  turn();
  EXPECT_FALSE(left_.heard);
  std::thread([this] { left_.callback(7); }).join();
  turn();
  ASSERT_TRUE(left_.heard);
  EXPECT_EQ(**left_.heard, 7);
  drop();
  EXPECT_FALSE(left_.unwanted) << "somebody has it";
}

TEST_F(CompletionTest, SaysWhenWhoeverWasToAnswerIsGone) {
  start(wait(&left_));
  turn();
  left_.callback = nullptr;
  turn();
  ASSERT_TRUE(left_.heard);
  EXPECT_EQ(left_.heard->error().code(), Code::unavailable);
}

TEST_F(CompletionTest, AStopEndsTheWaitAndWhatComesThenIsUnwanted) {
  start(wait(&left_));
  turn();
  stop();
  turn();
  ASSERT_TRUE(left_.heard);
  EXPECT_EQ(left_.heard->error().code(), Code::cancelled);
  EXPECT_FALSE(left_.unwanted);
  left_.callback(7);
  turn();
  ASSERT_TRUE(left_.unwanted);
  EXPECT_EQ(**left_.unwanted, 7);
}

TEST_F(CompletionTest, WhatHadComeBeforeTheStopIsHeard) {
  start(wait(&left_));
  turn();
  left_.callback(7);
  stop();
  turn();
  ASSERT_TRUE(left_.heard);
  EXPECT_EQ(**left_.heard, 7);
}

TEST_F(CompletionTest, WhatComesForAWaitThatWasDestroyedIsUnwanted) {
  start(wait(&left_));
  turn();
  drop();
  left_.callback(7);
  turn();
  EXPECT_FALSE(left_.heard);
  ASSERT_TRUE(left_.unwanted);
  EXPECT_EQ(**left_.unwanted, 7);
}

TEST_F(CompletionTest, OneThatNobodyWasToFinishLeavesNothingBehind) {
  run([]() -> Task<> {
    const Completion<int> never;
    co_return;
  }());
}

}  // namespace
}  // namespace cobus
