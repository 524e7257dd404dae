// SPDX-License-Identifier: Apache-2.0
#include "node/runtime/offload.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>

#include "tests/support/strand_fixture.hpp"

namespace cobus {
namespace {

OffloadPool* the_pool = nullptr;

class OffloadTest : public StrandFixture {
 protected:
  explicit OffloadTest(unsigned threads = 0) : pool_(threads) { the_pool = &pool_; }
  OffloadPool pool_;
};
class OffloadThreadTest : public OffloadTest {
 protected:
  OffloadThreadTest() : OffloadTest(1) {}
};

int forty_two() { return 42; }

TEST_F(OffloadTest, RunsAFunctionThatTakesNothing) {
  Result<int> from_lambda = 0;
  Result<int> from_function = 0;
  run([](Result<int>* first, Result<int>* second) -> Task<> {
    *first = co_await offload([] { return 7; });
    *second = co_await offload(forty_two);
  }(&from_lambda, &from_function));
  EXPECT_EQ(*from_lambda, 7);
  EXPECT_EQ(*from_function, 42);
}

TEST_F(OffloadTest, RunsAFunctionThatLooksAtItsStop) {
  Result<bool> asked = fail(Code::unknown, "");
  start([](Result<bool>* into) -> Task<> {
    *into = co_await offload([](OffloadStop stop) { return stop.requested(); });
  }(&asked));
  stop();
  turn();
  EXPECT_TRUE(*asked);
}

TEST_F(OffloadTest, RethrowsWhatTheFunctionThrew) {
  std::string what;
  run([](std::string* into) -> Task<> {
    try {
      static_cast<void>(co_await offload([]() -> int { throw std::runtime_error("broken"); }));
    } catch (const std::exception& error) {
      *into = error.what();
    }
  }(&what));
  EXPECT_EQ(what, "broken");
}

TEST_F(OffloadThreadTest, AFunctionIsToldThatItsWorkerIsGone) {
  std::atomic<bool> running{false};
  std::atomic<bool> ended{false};
  start([](std::atomic<bool>* began, std::atomic<bool>* told) -> Task<> {
    static_cast<void>(co_await offload([began, told](OffloadStop stop) {
      began->store(true);
      while (!stop.requested()) std::this_thread::yield();
      told->store(true);
      return true;
    }));
  }(&running, &ended));
  turn();
  while (!running.load()) std::this_thread::yield();
  drop();
  while (!ended.load()) std::this_thread::yield();
}

}  // namespace

OffloadPool& offload_pool(Shard& /*shard*/) noexcept { return *the_pool; }

}  // namespace cobus
