// SPDX-License-Identifier: Apache-2.0
#include "node/runtime/scope.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "node/runtime/channel.hpp"
#include "node/runtime/event.hpp"
#include "node/runtime/mutex.hpp"
#include "node/runtime/signal.hpp"
#include "node/runtime/with_timeout.hpp"
#include "tests/support/strand_fixture.hpp"
#include "tests/support/tasks.hpp"

namespace cobus {
namespace {

using ScopeTest = StrandFixture;

Task<> add_after(Duration wait, int value, int* sum) {
  static_cast<void>(co_await sleep(wait));
  *sum += value;
}
Task<> note(Duration wait, Code* into) { *into = (co_await sleep(wait)).code(); }
Task<Result<int>> refuse_after(Duration wait, std::string why) {
  static_cast<void>(co_await sleep(wait));
  co_return fail(Code::unavailable, std::move(why));
}

TEST_F(ScopeTest, JoinWaitsForEveryChild) {
  int sum = 0;
  int at_join = 0;
  start([](int* total, int* joined) -> Task<> {
    Scope scope;
    for (int i = 1; i <= 10; ++i) scope.spawn(add_after(milliseconds(i), i, total));
    EXPECT_TRUE((co_await scope.join()).ok());
    *joined = *total;
  }(&sum, &at_join));
  turn();
  EXPECT_EQ(at_join, 0);
  advance(milliseconds(20));
  EXPECT_EQ(at_join, 55);
}

TEST_F(ScopeTest, DestroyedEarlyItEndsItsChildren) {
  int live = 0;
  start([](int* count) -> Task<> {
    Scope scope;
    for (int i = 0; i < 5; ++i) scope.spawn(pause_holding(std::chrono::hours(1), count));
    static_cast<void>(co_await sleep(std::chrono::hours(1)));
  }(&live));
  turn();
  EXPECT_EQ(live, 5);
  drop();
  EXPECT_EQ(live, 0);
}

TEST_F(ScopeTest, TheFirstFailureCancelsTheOthers) {
  Code other = Code::ok;
  Status joined;
  start([](Code* code, Status* into) -> Task<> {
    Scope scope;
    scope.spawn(note(std::chrono::hours(1), code));
    scope.spawn(refuse_after(milliseconds(5), "away"));
    scope.spawn(refuse_after(std::chrono::hours(1), "because of the first"));
    *into = co_await scope.join();
  }(&other, &joined));
  turn();
  advance(milliseconds(10));
  EXPECT_EQ(other, Code::cancelled);
  EXPECT_EQ(joined, Status(Code::unavailable, "away"));
}

TEST_F(ScopeTest, AChildThatThrowsCancelsTheOthersAndJoinRethrows) {
  Code other = Code::ok;
  std::string what;
  start([](Code* code, std::string* into) -> Task<> {
    Scope scope;
    scope.spawn(note(std::chrono::hours(1), code));
    scope.spawn(throw_after(milliseconds(5), "broken"));
    try {
      static_cast<void>(co_await scope.join());
    } catch (const std::exception& error) {
      *into = error.what();
    }
  }(&other, &what));
  turn();
  advance(milliseconds(10));
  EXPECT_EQ(other, Code::cancelled);
  EXPECT_EQ(what, "broken");
}

TEST_F(ScopeTest, ASupervisingScopeCollectsFailuresAndLetsOthersGoOn) {
  int sum = 0;
  std::vector<Scope::Failure> failures;
  Status joined;
  start([](int* total, std::vector<Scope::Failure>* into, Status* first) -> Task<> {
    Scope scope(Scope::OnFailure::supervise);
    scope.spawn(add_after(milliseconds(20), 1, total));
    scope.spawn(refuse_after(milliseconds(9), "late"));
    scope.spawn(throw_after(milliseconds(5), "broken"));
    scope.spawn(pause(milliseconds(1)));
    *first = co_await scope.join();
    *into = scope.take_failures();
    EXPECT_TRUE(scope.take_failures().empty());
  }(&sum, &failures, &joined));
  turn();
  advance(milliseconds(30));
  EXPECT_EQ(sum, 1);
  EXPECT_EQ(joined, Status(Code::internal, "broken"));
  ASSERT_EQ(failures.size(), 2U);
  EXPECT_EQ(failures[0].child, 2U);
  EXPECT_EQ(failures[1].child, 1U);
  EXPECT_EQ(failures[1].status, Status(Code::unavailable, "late"));
}

Task<> wait_in_every_way(Mutex* mutex, Event* event, Signal* signal, Channel<int>* channel, int* cancelled) {
  Scope inner;
  for (int i = 0; i < 2; ++i) inner.spawn(pause(std::chrono::hours(1)));
  *cancelled +=
      (co_await with_timeout(std::chrono::hours(1), pause(std::chrono::hours(2)))).code() == Code::cancelled;
  *cancelled += (co_await mutex->lock()).error().code() == Code::cancelled;
  *cancelled += (co_await event->wait()).code() == Code::cancelled;
  *cancelled += (co_await signal->wait()).code() == Code::cancelled;
  *cancelled += (co_await channel->receive()).error().code() == Code::cancelled;
  *cancelled += (co_await inner.join()).code() == Code::cancelled;
  *cancelled += stop_requested();
}

TEST_F(ScopeTest, CancelReachesEveryAwaitOfAChildAndNoneOfTheParent) {
  Mutex mutex;
  Event event;
  Signal signal;
  Channel<int> channel(1);
  auto held = mutex.try_lock();
  int cancelled = 0;
  bool parent_slept = false;
  start([](Mutex* a, Event* b, Signal* c, Channel<int>* d, int* count, bool* slept) -> Task<> {
    Scope scope;
    scope.spawn(wait_in_every_way(a, b, c, d, count));
    static_cast<void>(co_await sleep(milliseconds(5)));
    scope.cancel();
    EXPECT_TRUE((co_await scope.join()).ok());
    EXPECT_FALSE(stop_requested());
    *slept = (co_await sleep(milliseconds(5))).ok();
  }(&mutex, &event, &signal, &channel, &cancelled, &parent_slept));
  turn();
  advance(milliseconds(6));
  EXPECT_EQ(cancelled, 7);
  advance(milliseconds(6));
  EXPECT_TRUE(parent_slept);
}

TEST_F(ScopeTest, TheWorkersStopReachesChildrenOfChildren) {
  Code deep = Code::ok;
  bool joined = false;
  start([](Code* into, bool* done) -> Task<> {
    Scope scope;
    scope.spawn([](Code* code) -> Task<> {
      Scope inner;
      inner.spawn(note(std::chrono::hours(1), code));
      static_cast<void>(co_await inner.join());
    }(into));
    static_cast<void>(co_await scope.join());
    *done = true;
  }(&deep, &joined));
  turn();
  stop();
  turn();
  EXPECT_EQ(deep, Code::cancelled);
  EXPECT_TRUE(joined);
}

TEST_F(ScopeTest, AChildThatStartsAfterTheStopHearsItAtOnce) {
  Code codes[2] = {};
  stop();
  run([](Code* into) -> Task<> {
    Scope scope;
    scope.spawn(note(std::chrono::hours(1), into));
    Scope cancelled;
    cancelled.cancel();
    cancelled.spawn(note(std::chrono::hours(1), into + 1));
    static_cast<void>(co_await scope.join());
    static_cast<void>(co_await cancelled.join());
  }(codes));
  EXPECT_EQ(codes[0], Code::cancelled);
  EXPECT_EQ(codes[1], Code::cancelled);
}

TEST_F(ScopeTest, JoinWaitsForAChildThatTakesItsTimeToStop) {
  bool tidy = false;
  bool joined_after = false;
  start([](bool* tidied, bool* into) -> Task<> {
    Scope scope;
    scope.spawn([](bool* done) -> Task<> {
      static_cast<void>(co_await sleep(std::chrono::hours(1)));
      for (int i = 0; i < 10; ++i) co_await yield();
      *done = true;
    }(tidied));
    scope.cancel();
    static_cast<void>(co_await scope.join());
    *into = *tidied;
  }(&tidy, &joined_after));
  turn();
  EXPECT_TRUE(joined_after);
}

TEST_F(ScopeTest, AChildMaySpawnMoreAndCancelItsOwnScope) {
  Code codes[2] = {};
  run([](Code* into) -> Task<> {
    Scope scope;
    scope.spawn([](Scope* own, Code* results) -> Task<> {
      own->spawn(note(std::chrono::hours(1), results));
      own->cancel();
      results[1] = (co_await sleep(std::chrono::hours(1))).code();
    }(&scope, into));
    static_cast<void>(co_await scope.join());
  }(codes));
  EXPECT_EQ(codes[0], Code::cancelled);
  EXPECT_EQ(codes[1], Code::cancelled);
}

TEST_F(ScopeTest, AJoinThatIsDestroyedIsNotResumed) {
  bool joined = false;
  Code timed = Code::ok;
  start([](bool* into, Code* code) -> Task<> {
    Scope scope;
    scope.spawn(pause(milliseconds(20)));
    *code = (co_await with_timeout(milliseconds(5),
                                   [](Scope* of) -> Task<Status> { co_return co_await of->join(); }(&scope)))
                .code();
    *into = (co_await scope.join()).ok();
  }(&joined, &timed));
  turn();
  advance(milliseconds(10));
  EXPECT_EQ(timed, Code::deadline_exceeded);
  EXPECT_FALSE(joined);
  advance(milliseconds(20));
  EXPECT_TRUE(joined);
}

TEST_F(ScopeTest, WhatIsSharedMayBeDeclaredAfterTheScope) {
  start([]() -> Task<> {
    Scope scope;
    Mutex mutex;
    Channel<int> channel(1);
    auto child = [](Mutex* lock, Channel<int>* in) -> Task<> {
      auto guard = co_await lock->lock();
      static_cast<void>(co_await in->receive());
    };
    for (int i = 0; i < 3; ++i) scope.spawn(child(&mutex, &channel));
    static_cast<void>(co_await sleep(std::chrono::hours(1)));
  }());
  turn();
  drop();
}

// Who joins need not be who spawned: its own stop asks the children too.
TEST_F(ScopeTest, W7_AStopOfWhoJoinsAsksTheChildrenAndWaitsForThem) {
  int live = 0;
  Status joined;
  start([](int* alive, Status* heard) -> Task<> {
    Scope inner;
    inner.spawn(pause_holding(std::chrono::seconds(10), alive));
    Scope outer;
    outer.spawn([](Scope* scope, const int* left, Status* into) -> Task<> {
      *into = co_await scope->join();
      EXPECT_EQ(*left, 0) << "join leaves nobody behind";
    }(&inner, alive, heard));
    outer.cancel();
    static_cast<void>(co_await outer.join());
    EXPECT_EQ(inner.running(), 0U);
  }(&live, &joined));
  turn();
  EXPECT_TRUE(frame_.done());
  EXPECT_EQ(joined.code(), Code::cancelled);
  EXPECT_EQ(live, 0);
}

TEST_F(ScopeTest, AChildThatJoinsItsOwnScopeIsRefused) {
  std::vector<Status> heard;
  run([](std::vector<Status>* into) -> Task<> {
    Scope scope(Scope::OnFailure::supervise);
    scope.spawn([](Scope* own, std::vector<Status>* to) -> Task<> { to->push_back(co_await own->join()); }(
                                                            &scope, into));
    scope.spawn([](Scope* grand, std::vector<Status>* to) -> Task<> {
      Scope between;
      between.spawn([](Scope* above, std::vector<Status>* last) -> Task<> {
        last->push_back(co_await above->join());
      }(grand, to));
      to->push_back(co_await between.join());
    }(&scope, into));
    into->push_back(co_await scope.join());
  }(&heard));
  ASSERT_EQ(heard.size(), 4U);
  EXPECT_EQ(heard[0].code(), Code::failed_precondition);
  EXPECT_EQ(heard[1].code(), Code::failed_precondition);
  EXPECT_TRUE(heard[2].ok()) << "of a scope of its own";
  EXPECT_TRUE(heard[3].ok());
}

}  // namespace
}  // namespace cobus
