// SPDX-License-Identifier: Apache-2.0
#include "node/observe/await_chains.hpp"

#include <gtest/gtest.h>

#include "echo.cobus.h"
#include "node/runtime/all.hpp"
#include "node/runtime/scope.hpp"
#include "node/runtime/stream.hpp"
#include "node/worker/self.hpp"
#include "tests/support/test_node.hpp"

namespace cobus {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

Task<> innermost(Self self) { static_cast<void>(co_await self.receive<echo::EchoRequest>()); }
Task<> nested(Self self) {
  static_cast<void>(co_await sleep(seconds(1)));
  co_await innermost(self);
}
Task<> outermost(Self self, Address* own) {
  *own = self.address();
  co_await nested(self);
}

Task<> nap() { static_cast<void>(co_await sleep(hours(1))); }
Task<> quick() { co_return; }

class AwaitChainsTest : public TestNode {
 protected:
  ~AwaitChainsTest() override { node_.reset(); }
  v1::ShowReply chains_of(Address address) {
    v1::ShowReply reply;
    const Worker* worker = node_->home(0).find(address.worker);
    EXPECT_NE(worker, nullptr);
    if (worker == nullptr) return reply;
    const KnownTypes types = {{type_id_of<echo::EchoReply>(), "echo.EchoReply"},
                              {type_id_of<echo::EchoRequest>(), "echo.EchoRequest"}};
    write_await_chains(*worker, node_->clock().now(), types, reply);
    return reply;
  }
};

TEST_F(AwaitChainsTest, LeadFromTheOutermostCoroutineToTheInnermost) {
  Address worker;
  spawn(&outermost, &worker);
  advance(seconds(1));
  advance(seconds(5));
  const v1::ShowReply reply = chains_of(worker);
  ASSERT_EQ(reply.chains_size(), 1);
  const v1::AwaitChain& chain = reply.chains(0);
  ASSERT_EQ(chain.awaits_size(), 3);
  EXPECT_EQ(chain.awaits(0).file(), "tests/unit/node/observe/await_chains_test.cpp");
  EXPECT_GT(chain.awaits(0).line(), chain.awaits(1).line());
  EXPECT_EQ(chain.awaits(0).function(), "outermost");
  EXPECT_EQ(chain.awaits(1).function(), "nested");
  EXPECT_EQ(chain.awaits(2).function(), "innermost");
  EXPECT_EQ(chain.awaits(0).waits_for(), "");
  EXPECT_EQ(chain.awaits(2).waits_for(), "a message: echo.EchoRequest");
}

TEST_F(AwaitChainsTest, EachAwaitHasItsOwnAge) {
  Address worker;
  spawn(&outermost, &worker);
  advance(seconds(1));
  advance(seconds(5));
  const v1::ShowReply reply = chains_of(worker);
  const auto& awaits = reply.chains(0).awaits();
  EXPECT_EQ(awaits[0].age_us(), 6'000'000U);
  EXPECT_EQ(awaits[1].age_us(), 5'000'000U) << "its second await";
  EXPECT_EQ(awaits[2].age_us(), 5'000'000U);
}

TEST_F(AwaitChainsTest, ShowTheChildrenOfAScope) {
  Address worker;
  spawn(
      [](Self self, Address* own) -> Task<> {
        *own = self.address();
        Scope scope;
        scope.spawn(nap());
        scope.spawn(quick());
        scope.spawn(innermost(self));
        static_cast<void>(co_await scope.join());
      },
      &worker);
  const v1::ShowReply reply = chains_of(worker);
  ASSERT_EQ(reply.chains_size(), 3);
  EXPECT_EQ(reply.chains(0).awaits(0).waits_for(), "the children of a scope");
  EXPECT_EQ(reply.chains(1).label(), "child 0 of a scope");
  EXPECT_EQ(reply.chains(1).awaits(0).waits_for(), "time to pass");
  EXPECT_EQ(reply.chains(2).label(), "child 2 of a scope");
  EXPECT_EQ(reply.chains(2).awaits(0).function(), "innermost");
}

TEST_F(AwaitChainsTest, ShowBranchesWhereTheyAreAwaited) {
  Address worker;
  spawn(
      [](Self self, Address* own) -> Task<> {
        *own = self.address();
        static_cast<void>(co_await all(nap(), innermost(self)));
      },
      &worker);
  const v1::ShowReply reply = chains_of(worker);
  ASSERT_EQ(reply.chains_size(), 3);
  ASSERT_EQ(reply.chains(0).awaits_size(), 2);
  EXPECT_EQ(reply.chains(0).awaits(1).waits_for(), "tasks side by side");
  EXPECT_EQ(reply.chains(1).label(), "branch 0");
  EXPECT_EQ(reply.chains(2).awaits(0).function(), "innermost");
}

Stream<int> slow_numbers() {
  co_yield 1;
  static_cast<void>(co_await sleep(hours(1)));
}

TEST_F(AwaitChainsTest, GoOnInTheProducerOfAStream) {
  Address worker;
  spawn(
      [](Self self, Address* own) -> Task<> {
        *own = self.address();
        Stream<int> numbers = slow_numbers();
        while (co_await numbers.next()) {
        }
      },
      &worker);
  const v1::ShowReply reply = chains_of(worker);
  ASSERT_EQ(reply.chains(0).awaits_size(), 2);
  EXPECT_EQ(reply.chains(0).awaits(1).function(), "slow_numbers");
}

TEST_F(AwaitChainsTest, AScopeThatOutlivesTheOneItBeganInIsForgotten) {
  Address worker;
  spawn(
      [](Self self, Address* own) -> Task<> {
        *own = self.address();
        Scope outlives;
        {
          Scope begins;
          begins.spawn([](Scope* other) -> Task<> {
            other->spawn(quick());
            co_return;
          }(&outlives));
          static_cast<void>(co_await begins.join());
        }
        static_cast<void>(co_await sleep(hours(1)));
      },
      &worker);
  EXPECT_EQ(chains_of(worker).chains_size(), 1);
}

TEST_F(AwaitChainsTest, AThousandChildrenAreCutAndCounted) {
  Address worker;
  spawn(
      [](Self self, Address* own) -> Task<> {
        *own = self.address();
        Scope scope;
        for (int i = 0; i < 1000; ++i) scope.spawn(nap());
        static_cast<void>(co_await scope.join());
      },
      &worker);
  const v1::ShowReply reply = chains_of(worker);
  EXPECT_EQ(reply.chains_size(), 100);
  EXPECT_EQ(reply.chains_left_out(), 901U);
}

}  // namespace
}  // namespace cobus
