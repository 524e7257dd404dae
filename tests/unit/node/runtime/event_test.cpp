// SPDX-License-Identifier: Apache-2.0
#include "node/runtime/event.hpp"

#include <gtest/gtest.h>

#include "node/runtime/all.hpp"
#include "tests/support/strand_fixture.hpp"
#include "tests/support/tasks.hpp"

namespace cobus {
namespace {

using EventTest = StrandFixture;

Task<> count_when(Event* event, int* count) {
  if ((co_await event->wait()).ok()) ++*count;
}

TEST_F(EventTest, LetsEverybodyGoOnceItIsSet) {
  Event event;
  int count = 0;
  start([](Event* on, int* into) -> Task<> {
    static_cast<void>(co_await all(count_when(on, into), count_when(on, into), count_when(on, into)));
    co_await count_when(on, into);
  }(&event, &count));
  turn();
  EXPECT_EQ(count, 0);
  event.set();
  turn();
  EXPECT_EQ(count, 4);
}

TEST_F(EventTest, ShutsAgainAfterReset) {
  Event event;
  int count = 0;
  event.set();
  event.reset();
  start(count_when(&event, &count));
  turn();
  EXPECT_EQ(count, 0);
  event.set();
  event.reset();  // whoever waited was let through already
  turn();
  EXPECT_EQ(count, 1);
  EXPECT_FALSE(event.is_set());
}

TEST_F(EventTest, WaitEndsWithTheTimeOrTheStop) {
  Event event;
  Code codes[2] = {};
  start([](Event* on, Code* into) -> Task<> {
    into[0] = (co_await on->wait(milliseconds(5))).code();
    into[1] = (co_await on->wait()).code();
  }(&event, codes));
  turn();
  advance(milliseconds(10));
  stop();
  event.set();  // too late for who gave up
  turn();
  EXPECT_EQ(codes[0], Code::deadline_exceeded);
  EXPECT_EQ(codes[1], Code::cancelled);
}

TEST_F(EventTest, MayGoBeforeOrAfterWhoWaits) {
  int count = 0;
  auto event = std::make_unique<Event>();
  start(count_when(event.get(), &count));
  turn();
  event.reset();
  drop();
  event = std::make_unique<Event>();
  start(count_when(event.get(), &count));
  turn();
  drop();
  event->set();
  turn();
  EXPECT_EQ(count, 0);
}

}  // namespace
}  // namespace cobus
