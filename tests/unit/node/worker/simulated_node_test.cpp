// SPDX-License-Identifier: Apache-2.0
#include "node/worker/simulated_node.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <vector>

#include "node/services/shipped.hpp"
#include "node/worker/exit_reason.hpp"
#include "node/worker/local_node.hpp"
#include "tests/support/echo_messages.hpp"

namespace cobus {
namespace {

using std::chrono::hours;

Task<Duration> sleeps(Self self, Duration time) {
  const TimePoint before = self.node().clock().now();
  static_cast<void>(co_await sleep(time));
  co_return self.node().clock().now() - before;
}

Task<int> waits_for_ever(Self self) {
  static_cast<void>(co_await self.receive<echo::EchoRequest>());
  co_return 1;
}

Task<int> ends_itself(Self self) {
  self.exit(self.address(), exit_reason::kill());
  static_cast<void>(co_await self.receive<echo::EchoRequest>());
  co_return 1;
}

Task<int> throws(Self /*self*/) {
  throw std::out_of_range("too far");
  co_return 1;
}

Task<std::string> asks(Self self, std::string text) {
  auto reply = co_await call_method<echo::EchoReply>(self, NodeId::none, "echo.Echo/Echo", say(text));
  co_return reply ? reply->text() : reply.error().to_string();
}

Task<> notes(Self /*self*/, std::vector<int>* order, int number) {
  order->push_back(number);
  co_return;
}

Task<std::vector<int>> order_of_ten(Self self) {
  std::vector<int> order;
  for (int number = 0; number < 10; ++number) self.spawn("notes", &notes, &order, number);
  static_cast<void>(co_await sleep(std::chrono::seconds(1)));
  co_return order;
}

TEST(SimulatedNode, AnHourPassesAtOnce) {
  SimulatedNode node;
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(node.run(&sleeps, Duration(hours(1))), hours(1));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::minutes(1));
}

TEST(SimulatedNode, SaysThatAWorkerWaitsForWhatNeverComes) {
  SimulatedNode node;
  EXPECT_THROW(node.run(&waits_for_ever), std::logic_error);
  EXPECT_EQ(node.run(&sleeps, Duration(hours(1))), hours(1)) << "it goes on afterwards";
}

TEST(SimulatedNode, RethrowsWhatTheWorkerThrew) {
  SimulatedNode node;
  EXPECT_THROW(node.run(&throws), std::out_of_range);
}

TEST(SimulatedNode, SaysThatTheWorkerWasEnded) {
  SimulatedNode node;
  EXPECT_THROW(node.run(&ends_itself), std::future_error);
}

TEST(SimulatedNode, CallsAServiceThatWasAdded) {
  SimulatedNode node;
  node.add_service(services::make_echo());
  EXPECT_EQ(node.run(&asks, std::string("hello")), "hello");
}

TEST(SimulatedNode, TheSameSeedGivesTheSameOrder) {
  const auto order_with = [](std::uint64_t seed) { return SimulatedNode(seed).run(&order_of_ten); };
  EXPECT_EQ(order_with(7), order_with(7));
  EXPECT_EQ(order_with(7).size(), 10U);
}

TEST(LocalNode, SaysThatTheWorkerWasEnded) {
  LocalNode node(1);
  EXPECT_THROW(node.run(&ends_itself), std::future_error);
}

TEST(LocalNode, RethrowsWhatTheWorkerThrew) {
  LocalNode node(1);
  EXPECT_THROW(node.run(&throws), std::out_of_range);
}

}  // namespace
}  // namespace cobus
