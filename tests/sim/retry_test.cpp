// SPDX-License-Identifier: Apache-2.0
//
// Calls to no node in particular while one of their providers is killed: what was not begun, or may be done
// again, is done by another one.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "echo.cobus.h"
#include "tests/sim/seeds.hpp"
#include "tests/sim/sim_cluster.hpp"
#include "tests/support/echo_messages.hpp"
#include "text.cobus.h"

namespace cobus::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const std::vector<std::string> all = {"alpha", "beta", "gamma"};

// A caller would else be its own provider.
CallOptions to_others(Self self) {
  CallOptions options;
  options.eligible = [own = self.node().id()](NodeId node) { return node != own; };
  return options;
}

Task<> echo_once(Self self, std::vector<Status>* ends) {
  auto reply = co_await echo::EchoStub(self).Echo(say("hello"), to_others(self));
  ends->push_back(reply ? Status() : reply.error());
}

// A method that is not idempotent, and takes a stream.
Task<> collect_once(Self self, std::vector<Status>* ends) {
  auto collect = echo::EchoStub(self).Collect(to_others(self));
  for (int i = 0; i < 3; ++i) static_cast<void>(co_await collect.send(say("item")));
  auto reply = co_await collect.finish();
  ends->push_back(!reply                ? reply.error()
                  : reply->count() == 3 ? Status()
                                        : Status(Code::data_loss, "items are missing or came twice"));
}

Task<> grep_once(Self self, std::vector<Status>* ends) {
  text::GrepRequest request;
  request.set_text("a needle\nhay\na needle\n");
  request.set_pattern("needle");
  auto found = text::TextStub(self).Grep(std::move(request), to_others(self));
  int lines = 0;
  while (co_await found.next()) ++lines;
  ends->push_back(!found.status().ok() ? found.status()
                  : lines == 2         ? Status()
                                       : Status(Code::data_loss, "lines are missing or came twice"));
}

class SimRetry {
 public:
  explicit SimRetry(std::uint64_t seed) : cluster(seed) { EXPECT_TRUE(cluster.start(all)); }
  void expect_all_done(std::size_t count) {
    EXPECT_TRUE(cluster.run_until([&] { return ends.size() == count; }, seconds(40)));
    EXPECT_EQ(ends.size(), count);
    for (const Status& end : ends) EXPECT_TRUE(end.ok()) << end.to_string();
  }
  Node& alpha() { return *cluster.process("alpha").node; }

  SimCluster cluster;
  std::vector<Status> ends;
};

// The directory still names beta, which alpha has no session with.
TEST(SimRetry, CallsThatDidNotBeginGoToAnotherProvider) {
  for (const std::uint64_t seed : seeds()) {
    SCOPED_TRACE(replay(seed));
    SimRetry sim(seed);
    sim.cluster.kill("beta");
    for (int i = 0; i < 4; ++i) {
      sim.alpha().spawn("test.echo", &echo_once, &sim.ends);
      sim.alpha().spawn("test.collect", &collect_once, &sim.ends);
      sim.alpha().spawn("test.grep", &grep_once, &sim.ends);
    }
    sim.expect_all_done(12);
  }
}

TEST(SimRetry, IdempotentCallsGoOnWhenTheirNodeIsLost) {
  for (const std::uint64_t seed : seeds()) {
    SCOPED_TRACE(replay(seed));
    SimRetry sim(seed);
    for (int i = 0; i < 50; ++i) {
      if (i == 25) sim.cluster.kill("beta");
      sim.alpha().spawn("test.echo", &echo_once, &sim.ends);
      sim.alpha().spawn("test.grep", &grep_once, &sim.ends);
      sim.cluster.run_for(sim.cluster.network().random().jitter(milliseconds(1)));
    }
    sim.expect_all_done(100);
  }
}

}  // namespace
}  // namespace cobus::sim
