// SPDX-License-Identifier: Apache-2.0
#include "node/observe/inspect.hpp"

#include <cobus/v1/inspect.cobus.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "echo.cobus.h"
#include "node/worker/supervisor.hpp"
#include "tests/support/test_node.hpp"

namespace cobus {
namespace {

using std::chrono::seconds;

class Sleeper final : public echo::EchoService {
 public:
  Task<Result<echo::EchoReply>> Echo(Call /*call*/, echo::EchoRequest /*request*/) override {
    static_cast<void>(co_await sleep(std::chrono::hours(1)));
    co_return echo::EchoReply();
  }
};

Task<> idle(Self self) { static_cast<void>(co_await self.receive<echo::EchoRequest>()); }

class InspectTest : public TestNode {
 protected:
  InspectTest() : TestNode(2, v1::ADMIN) {
    node_->add_service(std::make_unique<Sleeper>());
    node_->add_service(make_inspect_service(*node_, [](NodeId) { return std::string("here"); }));
  }
  ~InspectTest() override { node_.reset(); }

  Result<v1::ShowReply> show(Address address, std::string name = {}) {
    v1::ShowRequest request;
    request.set_worker(address.worker.value);
    request.set_name(std::move(name));
    std::optional<Result<v1::ShowReply>> reply;
    spawn(
        [](Self self, v1::ShowRequest asked, std::optional<Result<v1::ShowReply>>* into) -> Task<> {
          *into = co_await call_method<v1::ShowReply>(self, NodeId::none, "cobus.v1.Inspect/Show", asked);
        },
        request, &reply);
    return reply ? *reply : fail(Code::unknown, "no answer");
  }
  template <class Reply, class Request>
  Result<Reply> ask(std::string method, Request request) {
    std::optional<Result<Reply>> reply;
    spawn(
        [](Self self, std::string what, Request asked, std::optional<Result<Reply>>* into) -> Task<> {
          *into = co_await call_method<Reply>(self, NodeId::none, what, asked);
        },
        std::move(method), request, &reply);
    for (int i = 0; i < 100 && !reply; ++i) advance(std::chrono::milliseconds(100));
    return reply ? *reply : fail(Code::unknown, "no answer");
  }
};

TEST_F(InspectTest, ShowsBoundsNameAndTies) {
  Address worker;
  Address watcher;
  spawn(
      [](Self self, Address* own, Address* of_watcher) -> Task<> {
        *own = self.address();
        self.limit_mailbox({.messages = 5, .bytes = 1000, .overflow = Overflow::drop_oldest});
        EXPECT_TRUE(self.register_name("counter").ok());
        self.trap_exits(true);
        *of_watcher = self.spawn(
            "watcher",
            +[](Self child, Address target) -> Task<> {
              static_cast<void>(child.monitor(target));
              child.link(target);
              co_await idle(child);
            },
            self.address());
        co_await idle(self);
      },
      &worker, &watcher);
  const auto reply = show(worker);
  ASSERT_TRUE(reply.has_value()) << reply.error().to_string();
  EXPECT_EQ(reply->row().name(), "counter");
  EXPECT_EQ(reply->row().state(), v1::WORKER_RECEIVING);
  EXPECT_EQ(reply->mailbox_messages_max(), 5U);
  EXPECT_EQ(reply->overflow(), "drop_oldest");
  EXPECT_TRUE(reply->traps_exits());
  EXPECT_FALSE(reply->has_spawned_by());
  ASSERT_EQ(reply->watchers_size(), 1);
  EXPECT_EQ(reply->watchers(0).worker(), watcher.worker.value);
  EXPECT_EQ(reply->watchers(0).kind(), "watcher");
  ASSERT_EQ(reply->links_size(), 1);
  EXPECT_EQ(reply->chains(0).awaits_size(), 2);

  const auto child = show(watcher);
  ASSERT_TRUE(child.has_value());
  EXPECT_EQ(child->spawned_by().worker(), worker.worker.value);
  EXPECT_EQ(child->monitors(0).worker(), worker.worker.value);
  EXPECT_EQ(show({}, "counter").value().row().worker(), worker.worker.value);
}

TEST_F(InspectTest, ShowsTheCallThatIsHandledAndTheOneThatWaits) {
  Address caller;
  spawn(
      [](Self self, Address* own) -> Task<> {
        *own = self.address();
        CallOptions options;
        options.timeout = seconds(60);
        static_cast<void>(co_await call_method<echo::EchoReply>(self, NodeId::none, "echo.Echo/Echo",
                                                                echo::EchoRequest(), options));
      },
      &caller);
  advance(seconds(10));
  const auto asking = show(caller);
  ASSERT_TRUE(asking.has_value());
  ASSERT_EQ(asking->asks_size(), 1);
  EXPECT_EQ(asking->asks(0).method(), "echo.Echo/Echo");
  EXPECT_EQ(asking->chains(0).awaits().rbegin()->waits_for(), "the answer to a call");

  v1::TopRequest request;
  request.set_order(v1::BY_MAILBOX);
  const auto top = ask<v1::TopReply>("cobus.v1.Inspect/Top", request);
  ASSERT_TRUE(top.has_value());
  for (const v1::WorkerRow& row : top->rows()) {
    if (row.kind() != "echo.Echo/Echo") continue;
    const auto handling = show({node_->id(), WorkerId{row.worker()}});
    ASSERT_TRUE(handling.has_value());
    EXPECT_EQ(handling->handles().method(), "echo.Echo/Echo");
    EXPECT_EQ(handling->handles().caller().worker(), caller.worker.value);
    EXPECT_GT(handling->handles().time_left_us(), 40'000'000);
    EXPECT_LE(handling->handles().time_left_us(), 50'000'000);
    return;
  }
  ADD_FAILURE() << "the handler is not listed";
}

TEST_F(InspectTest, AWorkerThatHasEndedIsSaidToHaveEnded) {
  Address gone;
  spawn(
      [](Self self, Address* own) -> Task<> {
        *own = self.address();
        co_return;
      },
      &gone);
  EXPECT_EQ(show(gone).error().code(), Code::not_found);
  EXPECT_THAT(show(gone).error().message(), ::testing::HasSubstr("has ended"));
  const Address never{node_->id(), WorkerId::make(0, 5000, 1)};
  EXPECT_THAT(show(never).error().message(), ::testing::HasSubstr("there never was"));
  EXPECT_THAT(show({node_->id(), WorkerId::make(77, 1, 1)}).error().message(),
              ::testing::HasSubstr("there never was"));
  EXPECT_THAT(show({}, "nobody").error().message(), ::testing::HasSubstr("'nobody'"));
}

TEST_F(InspectTest, TheTreeShowsSupervisorsWithTheirRestarts) {
  Address broken;
  SupervisorSpec spec;
  spec.intensity = 5;
  spec.children.push_back({.id = "a", .start = [&broken](Self self, const std::string&) {
                             return broken = self.spawn_link("child", &idle);
                           }});
  spawn([](Self self, SupervisorSpec with) -> Task<> { co_await supervise(self, std::move(with)); }, spec);
  spawn(
      [](Self self, Address target) -> Task<> {
        self.exit(target, exit_reason::kill());
        co_return;
      },
      broken);
  const auto tree = ask<v1::TreeReply>("cobus.v1.Inspect/Tree", v1::TreeRequest());
  ASSERT_TRUE(tree.has_value()) << tree.error().to_string();
  ASSERT_EQ(tree->lines_size(), 3) << "who asks stands there too: " << tree->ShortDebugString();
  const int at = tree->lines(0).has_supervision() ? 0 : 1;
  EXPECT_EQ(tree->lines(at).supervision().strategy(), "one_for_one");
  EXPECT_EQ(tree->lines(at).supervision().restarts(), 1U);
  EXPECT_EQ(tree->lines(at + 1).depth(), 1U);
  EXPECT_EQ(tree->lines(at + 1).child(), "a");
  EXPECT_EQ(tree->lines(at + 1).restarts(), 1U);
}

class InspectRoles : public TestNode {};

TEST_F(InspectRoles, ANodeMayNotLookInside) {
  node_->add_service(make_inspect_service(*node_, [](NodeId) { return std::string("here"); }));
  Status status;
  spawn(
      [](Self self, Status* into) -> Task<> {
        auto reply =
            co_await call_method<v1::TopReply>(self, NodeId::none, "cobus.v1.Inspect/Top", v1::TopRequest());
        *into = reply ? Status() : reply.error();
      },
      &status);
  EXPECT_EQ(status.code(), Code::permission_denied);
}

TEST_F(InspectTest, TopTakesTheWorkersOfAllShardsAndNotItself) {
  for (int i = 0; i < 10; ++i) spawn(&idle);
  v1::TopRequest request;
  request.set_limit(4);
  request.set_window_us(1'000'000);
  const auto top = ask<v1::TopReply>("cobus.v1.Inspect/Top", request);
  ASSERT_TRUE(top.has_value());
  EXPECT_EQ(top->workers(), 11U) << "the ten, and who asks";
  EXPECT_EQ(top->rows_size(), 4);
  EXPECT_EQ(top->silent_shards_size(), 0);
  EXPECT_GE(top->window_us(), 1'000'000U);
}

}  // namespace
}  // namespace cobus
