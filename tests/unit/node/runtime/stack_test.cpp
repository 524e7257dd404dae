// SPDX-License-Identifier: Apache-2.0
//
// What completes at once, in a loop, resumes its caller by symmetric transfer or without suspending at all:
// the stack is as deep after a million times as after the first, in every build.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "node/runtime/all.hpp"
#include "node/runtime/any.hpp"
#include "node/runtime/channel.hpp"
#include "node/runtime/event.hpp"
#include "node/runtime/mutex.hpp"
#include "node/runtime/scope.hpp"
#include "node/runtime/stream.hpp"
#include "node/runtime/with_timeout.hpp"
#include "tests/support/strand_fixture.hpp"
#include "tests/support/tasks.hpp"

namespace cobus {
namespace {

using StackTest = StrandFixture;

constexpr int million = 1'000'000;
constexpr std::uintptr_t slack_bytes = 4096;

// How far apart the ends of the stack were at all looks at it.
class Depth {
 public:
  [[gnu::noinline]] void look() noexcept {
    const auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
    lowest_ = std::min(lowest_, here);
    highest_ = std::max(highest_, here);
  }
  [[nodiscard]] std::uintptr_t bytes() const noexcept { return highest_ - lowest_; }

 private:
  std::uintptr_t lowest_ = UINTPTR_MAX;
  std::uintptr_t highest_ = 0;
};

Task<int> look(Depth* depth) {
  depth->look();
  co_return 1;
}

TEST_F(StackTest, AMillionTasksThatCompleteAtOnceNeedNoStack) {
  Depth depth;
  run([](Depth* at) -> Task<> {
    for (int i = 0; i < million; ++i) {
      static_cast<void>(co_await look(at));
      at->look();
    }
  }(&depth));
  EXPECT_LT(depth.bytes(), slack_bytes);
}

TEST_F(StackTest, AMillionReadyOperationsOfAChannelNeedNoStack) {
  Depth depth;
  Channel<int> channel(4);
  long sum = 0;
  run([](Channel<int>* through, Depth* at, long* into) -> Task<> {
    for (int i = 0; i < million; ++i) {
      EXPECT_TRUE((co_await through->send(i)).ok());
      at->look();
      *into += *co_await through->receive();
      at->look();
    }
  }(&channel, &depth, &sum));
  EXPECT_EQ(sum, static_cast<long>(million) * (million - 1) / 2);
  EXPECT_LT(depth.bytes(), slack_bytes);
}

TEST_F(StackTest, AMillionReadyLocksNeedNoStack) {
  Depth depth;
  Mutex mutex;
  Event event;
  event.set();
  run([](Mutex* on, Event* set, Depth* at) -> Task<> {
    for (int i = 0; i < million; ++i) {
      auto guard = co_await on->lock();
      EXPECT_TRUE((co_await set->wait()).ok());
      at->look();
    }
  }(&mutex, &event, &depth));
  EXPECT_LT(depth.bytes(), slack_bytes);
}

TEST_F(StackTest, AMillionItemsBetweenWaitingTasksNeedNoStack) {
  Depth depth;
  Channel<int> channel(1);
  start([](Channel<int>* through, Depth* at) -> Task<> {
    static_cast<void>(co_await all(
        [](Channel<int>* into, Depth* it) -> Task<> {
          for (int i = 0; i < million; ++i) {
            EXPECT_TRUE((co_await into->send(i)).ok());
            it->look();
          }
          into->close();
        }(through, at),
        [](Channel<int>* from, Depth* it) -> Task<> {
          while (co_await from->receive()) it->look();
        }(through, at)));
  }(&channel, &depth));
  turn();
  EXPECT_TRUE(frame_.done());
  EXPECT_LT(depth.bytes(), slack_bytes);
}

TEST_F(StackTest, GroupsThatCompleteAtOnceNeedNoStack) {
  Depth depth;
  run([](Depth* at) -> Task<> {
    Scope scope;
    for (int i = 0; i < million / 10; ++i) {
      static_cast<void>(co_await all(look(at), look(at)));
      at->look();
      static_cast<void>(co_await any(look(at), look(at)));
      at->look();
      static_cast<void>(co_await with_timeout(milliseconds(1), look(at)));
      at->look();
      scope.spawn([](Depth* it) -> Task<> { static_cast<void>(co_await look(it)); }(at));
      EXPECT_TRUE((co_await scope.join()).ok());
      at->look();
    }
  }(&depth));
  EXPECT_LT(depth.bytes(), slack_bytes);
}

TEST_F(StackTest, AGroupWhoseTasksEndLaterResumesWithoutStack) {
  Depth depth;
  run([](Depth* at) -> Task<> {
    for (int i = 0; i < million / 10; ++i) {
      std::vector<Task<>> tasks;
      for (int j = 0; j < 3; ++j)
        tasks.push_back([](Depth* it) -> Task<> {
          co_await yield();
          it->look();
        }(at));
      co_await all(std::move(tasks));
      at->look();
    }
  }(&depth));
  EXPECT_LT(depth.bytes(), slack_bytes);
}

}  // namespace
}  // namespace cobus
