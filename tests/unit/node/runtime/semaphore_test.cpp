// SPDX-License-Identifier: Apache-2.0
#include "node/runtime/semaphore.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "node/runtime/event.hpp"
#include "node/runtime/scope.hpp"
#include "tests/support/strand_fixture.hpp"
#include "tests/support/tasks.hpp"

namespace cobus {
namespace {

// Workers that want permits, each of which can be ended alone.
class SemaphoreTest : public StrandFixture {
 protected:
  struct Wanting {
    std::string log;
    Event let_go;
    std::vector<std::unique_ptr<Scope>> scopes;
  };
  static Task<> want(Semaphore* semaphore, std::size_t count, char name, Wanting* wanting) {
    auto permits = co_await semaphore->acquire(count);
    if (!permits) {
      wanting->log += '-';
      co_return;
    }
    wanting->log += name;
    static_cast<void>(co_await wanting->let_go.wait());
  }
  // Starts one; it is `scopes[n]`.
  void want(std::size_t count, char name) {
    start([](SemaphoreTest* test, std::size_t wanted, char its_name) -> Task<> {
      test->wanting_.scopes.push_back(std::make_unique<Scope>());
      test->wanting_.scopes.back()->spawn(want(&test->semaphore_, wanted, its_name, &test->wanting_));
      co_return;
    }(this, count, name));
    turn();
    drop();
  }
  void end(std::size_t which) { wanting_.scopes[which].reset(); }
  const std::string& log() { return wanting_.log; }

  Semaphore semaphore_{3};
  Wanting wanting_;
};

TEST_F(SemaphoreTest, LetsInAsManyAsItHasPermits) {
  want(1, 'a');
  want(2, 'b');
  want(1, 'c');
  EXPECT_EQ(log(), "ab");
  EXPECT_EQ(semaphore_.available(), 0U);
  wanting_.let_go.set();
  turn();
  EXPECT_EQ(log(), "abc");
  EXPECT_EQ(semaphore_.available(), 3U);
}

TEST_F(SemaphoreTest, ServesFirstComeFirst) {
  want(3, 'a');
  want(3, 'b');
  want(1, 'c');  // may not overtake b
  end(0);
  turn();
  EXPECT_EQ(log(), "ab");
  EXPECT_FALSE(semaphore_.try_acquire());
  end(1);
  turn();
  EXPECT_EQ(log(), "abc");
}

TEST_F(SemaphoreTest, AWaiterThatGoesLetsThoseBehindItIn) {
  want(2, 'a');
  want(3, 'b');
  want(1, 'c');
  EXPECT_EQ(log(), "a");
  end(1);
  turn();
  EXPECT_EQ(log(), "ac");
}

TEST_F(SemaphoreTest, AWaiterThatIsAskedToStopLetsThoseBehindItIn) {
  want(2, 'a');
  want(3, 'b');
  want(1, 'c');
  wanting_.scopes[1]->cancel();
  turn();
  EXPECT_EQ(log(), "a-c");
}

TEST_F(SemaphoreTest, AGrantToOneThatIsDestroyedGoesToTheNext) {
  want(3, 'a');
  want(3, 'b');
  want(3, 'c');
  end(0);  // b was granted the permits and has not run yet
  EXPECT_EQ(semaphore_.available(), 0U);
  end(1);
  turn();
  EXPECT_EQ(log(), "ac");
}

TEST_F(SemaphoreTest, AGrantSkipsOneThatGaveUp) {
  want(3, 'a');
  want(3, 'b');
  want(3, 'c');
  wanting_.scopes[1]->cancel();  // b is woken and has not run yet
  end(0);
  turn();
  EXPECT_EQ(log(), "a-c");
}

TEST_F(SemaphoreTest, AGrantThatCameBeforeTheStopIsKept) {
  want(3, 'a');
  want(3, 'b');
  end(0);
  wanting_.scopes[1]->cancel();
  turn();
  EXPECT_EQ(log(), "ab");
  EXPECT_EQ(semaphore_.available(), 3U) << "its next wait heard the stop, and it let go";
}

TEST_F(SemaphoreTest, TryAcquireTakesWhatIsFreeAndNoMore) {
  auto two = semaphore_.try_acquire(2);
  EXPECT_TRUE(two);
  EXPECT_FALSE(semaphore_.try_acquire(2));
  auto one = semaphore_.try_acquire();
  EXPECT_TRUE(one);
  two->release();
  two->release();
  EXPECT_EQ(semaphore_.available(), 2U);
  semaphore_.release(5);
  EXPECT_EQ(semaphore_.available(), 7U);
}

TEST_F(SemaphoreTest, PermitsMoveWithTheirOwner) {
  auto first = semaphore_.try_acquire(2);
  Semaphore::Permits second = std::move(*first);
  first.reset();
  EXPECT_EQ(semaphore_.available(), 1U);
  second = Semaphore::Permits();
  EXPECT_EQ(semaphore_.available(), 3U);
}

TEST_F(SemaphoreTest, AcquireEndsWithTheTime) {
  Code code = Code::ok;
  start([](Semaphore* semaphore, Code* into) -> Task<> {
    auto held = co_await semaphore->acquire(3);
    *into = (co_await semaphore->acquire(1, milliseconds(5))).error().code();
  }(&semaphore_, &code));
  turn();
  advance(milliseconds(10));
  EXPECT_EQ(code, Code::deadline_exceeded);
  EXPECT_EQ(semaphore_.available(), 3U);
}

TEST_F(SemaphoreTest, MayGoBeforeThoseWhoHoldOrWait) {
  auto semaphore = std::make_unique<Semaphore>(1);
  start([](Semaphore* of) -> Task<> {
    Scope scope;
    scope.spawn([](Semaphore* at) -> Task<> { auto waited = co_await at->acquire(); }(of));
    scope.spawn([](Semaphore* at) -> Task<> { auto waited = co_await at->acquire(); }(of));
    auto held = co_await of->acquire();
    static_cast<void>(co_await scope.join());
  }(semaphore.get()));
  turn();
  semaphore.reset();
  drop();
}

TEST_F(SemaphoreTest, MayGoBetweenAGrantAndItsWaiter) {
  auto semaphore = std::make_unique<Semaphore>(1);
  bool holds = true;
  auto held = semaphore->try_acquire();
  start([](Semaphore* of, bool* granted) -> Task<> {
    auto permits = co_await of->acquire();
    *granted = static_cast<bool>(*permits);
  }(semaphore.get(), &holds));
  turn();
  held.reset();
  semaphore.reset();
  turn();
  EXPECT_FALSE(holds);
}

}  // namespace
}  // namespace cobus
