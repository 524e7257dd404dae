// SPDX-License-Identifier: Apache-2.0
//
// The workers of a chaos that have others made: supervisors and their children, which live on whatever node
// takes them, and hosts with guests.
#include <cobus/v1/worker.pb.h>
#include <fmt/format.h>

#include <cstdio>
#include <stdexcept>

#include "echo.cobus.h"
#include "node/worker/spawn.hpp"
#include "node/worker/supervisor.hpp"
#include "node/worker/supervisor_face.hpp"
#include "tests/sim/chaos.hpp"

namespace cobus::sim {
namespace {

using echo::EchoRequest;
using std::chrono::milliseconds;

// Children are made by nodes, which know nothing of whose test it is.
Chaos* the_chaos = nullptr;

// An entry for as long as a worker lives.
template <class Value>
class Entry {
 public:
  Entry(std::map<Address, Value>& all, Address address, Value value) : all_(all), address_(address) {
    all_.emplace(address_, std::move(value));
  }
  Entry(const Entry&) = delete;
  Entry& operator=(const Entry&) = delete;
  ~Entry() { all_.erase(address_); }

 private:
  std::map<Address, Value>& all_;
  Address address_;
};

Task<> guest(Self self, EchoRequest start) {
  std::uint64_t node = 0;
  WorkerId worker;
  if (std::sscanf(start.text().c_str(), "%lu %lu", &node, &worker.value) != 2)
    throw std::runtime_error("nobody's guest: " + start.text());
  const Entry<Address> alive(the_chaos->guests, self.address(), Address{NodeId{node}, worker});
  static_cast<void>(co_await self.receive<EchoRequest>());
}

Task<> child(Self self, EchoRequest start) {
  Chaos* const chaos = the_chaos;
  Chaos::Instance instance;
  if (std::sscanf(start.text().c_str(), "%lu %u", &instance.family, &instance.child) != 2)
    throw std::runtime_error("no family: " + start.text());
  if (!chaos->calm && chaos->once_in(20)) throw std::runtime_error("born to break");
  const Entry<Chaos::Instance> alive(chaos->instances, self.address(), instance);
  for (;;) {
    auto told = co_await self.receive<EchoRequest>(milliseconds(500) + chaos->up_to(std::chrono::seconds(4)));
    if (told || told.error().code() == Code::cancelled) co_return;
    if (chaos->calm) continue;
    if (chaos->once_in(3)) throw std::runtime_error("broke");
    if (chaos->once_in(3)) co_return;
  }
}

// Starts a child as start_anywhere() does, or next to its supervisor; and complains when it is there already.
Task<Result<Address>> start_child(Chaos* chaos, Self supervisor, Chaos::Instance which, bool anywhere) {
  EchoRequest start;
  start.set_text(fmt::format("{} {}", which.family, which.child));
  const std::string id = std::to_string(which.child);
  supervisor.worker().bonds->supervisor->each_child([&](const SupervisorFace::ShownChild& shown) {
    if (shown.id == id && shown.address)
      chaos->complaints.add(
          fmt::format("child {} of supervisor {} is started though it runs", id, which.family));
  });
  for (const auto& [address, instance] : chaos->instances) {
    if (instance == which && address.node == supervisor.node().id())
      chaos->complaints.add(fmt::format("child {} of supervisor {} is there twice", id, which.family));
  }
  if (!anywhere) co_return supervisor.spawn_link("chaos.Child", &child, std::move(start));
  co_return co_await start_anywhere("chaos.Child", start.SerializeAsString())(supervisor, std::string());
}

ChildStart starter(Chaos* chaos, Chaos::Instance which, bool anywhere) {
  return ChildStart([chaos, which, anywhere](Self supervisor, const std::string& /*argument*/) {
    return start_child(chaos, supervisor, which, anywhere);
  });
}

SupervisorSpec some_spec(Chaos* chaos, std::uint64_t number, unsigned children) {
  SupervisorSpec spec;
  spec.strategy = std::array{Strategy::one_for_one, Strategy::one_for_all,
                             Strategy::rest_for_one}[chaos->random.below(3)];
  spec.intensity = 1 + static_cast<unsigned>(chaos->random.below(5));
  spec.period = milliseconds(1000 + chaos->random.below(4000));
  if (chaos->once_in(2)) spec.backoff_first = milliseconds(20);
  for (unsigned i = 0; i < children; ++i) {
    ChildSpec child;
    child.id = std::to_string(i);
    child.start = starter(chaos, {number, i}, !chaos->once_in(4));
    child.shutdown = milliseconds(chaos->random.below(3) * 500);
    spec.children.push_back(std::move(child));
  }
  return spec;
}

}  // namespace

Kind child_kind(Chaos* chaos) {
  the_chaos = chaos;
  return make_kind("chaos.Child", &child);
}

Kind guest_kind(Chaos* chaos) {
  the_chaos = chaos;
  return make_kind("chaos.Guest", &guest);
}

Task<> host(Self self, Chaos* chaos, NodeId to) {
  const Address address = self.address();
  chaos->monitors.born(address);
  struct Gone {
    ~Gone() { chaos->monitors.died(address); }
    Chaos* chaos;
    Address address;
  } const gone{chaos, address};
  EchoRequest start;
  start.set_text(fmt::format("{} {}", static_cast<std::uint64_t>(address.node), address.worker.value));
  SpawnOptions options{
      .monitor = true, .link = true, .timeout = milliseconds(1) + chaos->up_to(milliseconds(500))};
  const auto made = co_await spawn_at(self, to, "chaos.Guest", std::move(start), options);
  if (made) {
    ++chaos->counts["guests"];
    chaos->monitors.monitors(address, static_cast<std::uint64_t>(made->monitor), made->address);
    // The link takes this worker along whenever its guest does not end well.
    static_cast<void>(co_await self.receive<v1::Down>(chaos->up_to(std::chrono::seconds(3))));
  }
  throw std::runtime_error("the host leaves");
}

Task<> family(Self self, Chaos* chaos, std::uint64_t number) {
  const unsigned children = 2 + static_cast<unsigned>(chaos->random.below(3));
  SupervisorSpec spec = some_spec(chaos, number, children);
  Chaos::Family& its = chaos->families[number];
  its.children = children;
  its.restarts.emplace(chaos->complaints, std::to_string(number), spec.intensity, spec.period);
  const Spawned supervisor = self.spawn_monitor("chaos.supervisor", &supervise, std::move(spec));
  its.address = supervisor.address;
  // Also when its node is killed.
  struct Over {
    ~Over() { *over = true; }
    bool* over;
  } const over{&its.over};
  static_cast<void>(co_await self.receive_uncancelled<v1::Down>(Duration(-1)));
  ++chaos->counts["family: over"];
}

}  // namespace cobus::sim
