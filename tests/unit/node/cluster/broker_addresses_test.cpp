// SPDX-License-Identifier: Apache-2.0
#include "node/cluster/broker_addresses.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <mutex>
#include <thread>

#include "node/link/sim_transport.hpp"

namespace cobus {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Endpoints = std::vector<std::string>;

// A node on a simulated network that dials brokers by names which the test looks up. The lookups have threads
// of their own, so the test waits for them in real time.
class BrokerAddressesTest : public ::testing::Test {
 protected:
  BrokerAddressesTest()
      : transport_(network_.attach("node", "tcp://10.0.0.1:7000", pair_.key)),
        broker_(network_.attach("old", "tcp://10.0.0.2:7700", key_)) {
    NodeOptions options;
    options.name = "node";
    options.pool_threads = 0;
    options.clock = &network_.clock();
    node_ = std::make_unique<Node>(
        std::move(options), *transport_,
        link::Identity{link::CurvePair{pair_.key, pair_.secret.clone()}, cluster_.key(), std::nullopt});
    addresses_ = std::make_unique<BrokerAddresses>(
        *node_, key_,
        BrokerAddresses::Hooks{[this](link::TargetId, const Status& why) { note(why.message()); },
                               [this](const Endpoints& endpoints) { note(endpoints.front()); }},
        [names = names_](const std::string& name) { return names->look_up(name); });
  }
  void note(const std::string& what) {
    const std::scoped_lock lock(mutex_);
    told_.push_back(what);
  }
  void use_address(const std::string& address) {
    const std::scoped_lock lock(names_->mutex);
    names_->address = address;
  }
  Endpoints told() {
    const std::scoped_lock lock(mutex_);
    return told_;
  }
  // Runs the node until `done`, for some seconds of the clock on the wall at most.
  bool run_until(const std::function<bool()>& done) {
    const auto end = std::chrono::steady_clock::now() + seconds(20);
    while (!done()) {
      if (std::chrono::steady_clock::now() > end) return false;
      while (node_->step()) {
      }
      network_.clock().advance(milliseconds(10));
      std::this_thread::sleep_for(milliseconds(1));
    }
    return true;
  }
  // Whether the node has dialled `host` since it was attached.
  struct Heard final : link::TransportEvents {
    void on_open(link::ConnectionId) override {}
    void on_frame(link::ConnectionId, const link::CurveKey&, link::FrameIn) override { ++frames; }
    void on_closed(link::ConnectionId, link::CloseReason) override {}
    int frames = 0;
  };
  static bool is_dialled(link::Transport& at, Heard& heard) {
    at.poll(heard, Duration(0));
    return heard.frames > 0;
  }

  // What the names stand for. A lookup may take longer than the test.
  struct Names {
    Result<Endpoints> look_up(const std::string& name) {
      const std::scoped_lock lock(mutex);
      ++lookups;
      if (address.empty()) return fail(Code::unavailable, "cannot resolve " + name);
      return Endpoints{address};
    }
    std::mutex mutex;
    std::string address;  // guarded by mutex, as is the next
    int lookups = 0;
  };

  link::SimNetwork network_{1};
  link::ClusterSecret cluster_ = link::ClusterSecret::make();
  link::CurvePair pair_ = link::make_curve_pair();
  const link::CurveKey key_ = link::make_curve_pair().key;
  std::unique_ptr<link::Transport> transport_;
  std::unique_ptr<link::Transport> broker_;
  const std::shared_ptr<Names> names_ = std::make_shared<Names>();
  std::mutex mutex_;
  Endpoints told_;  // guarded by mutex_
  std::unique_ptr<Node> node_;
  std::unique_ptr<BrokerAddresses> addresses_;
};

TEST_F(BrokerAddressesTest, DialsAnAddressWithoutALookup) {
  ASSERT_TRUE(addresses_->add("10.0.0.2:7700"));
  Heard heard;
  EXPECT_TRUE(run_until([&] { return is_dialled(*broker_, heard); }));
  EXPECT_EQ(names_->lookups, 0);
  EXPECT_EQ(addresses_->add("10.0.0.2").error().code(), Code::invalid_argument);
}

TEST_F(BrokerAddressesTest, WaitsForANameThatCannotBeLookedUp) {
  ASSERT_TRUE(addresses_->add("bus.example:7700"));
  ASSERT_TRUE(run_until([&] { return told().size() >= 2; }));
  EXPECT_EQ(told().at(0), "cannot resolve bus.example:7700");
  use_address("tcp://10.0.0.2:7700");
  Heard heard;
  EXPECT_TRUE(run_until([&] { return is_dialled(*broker_, heard); }));
  EXPECT_EQ(told().back(), "tcp://10.0.0.2:7700");
}

TEST_F(BrokerAddressesTest, FindsABrokerThatHasMovedToAnotherAddress) {
  use_address("tcp://10.0.0.2:7700");
  ASSERT_TRUE(addresses_->add("bus.example:7700"));
  Heard heard;
  ASSERT_TRUE(run_until([&] { return is_dialled(*broker_, heard); }));
  network_.kill("old");
  const auto moved = network_.attach("new", "tcp://10.0.0.3:7700", key_);
  use_address("tcp://10.0.0.3:7700");
  Heard there;
  EXPECT_TRUE(run_until([&] { return is_dialled(*moved, there); }));
  EXPECT_EQ(told(), (Endpoints{"tcp://10.0.0.2:7700", "tcp://10.0.0.3:7700"}))
      << "told when it is another one";
}

}  // namespace
}  // namespace cobus
