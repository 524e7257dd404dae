// SPDX-License-Identifier: Apache-2.0
#include "node/worker/simulated_node.hpp"

#include <algorithm>
#include <stdexcept>

#include "node/worker/module_offers.hpp"

namespace cobus {
namespace {

NodeOptions options_of(const ManualClock& clock, Random& random) {
  NodeOptions options;
  options.name = "simulated";
  options.pool_threads = 0;
  options.clock = &clock;
  options.random = &random;
  options.shuffle = true;
  return options;
}

link::Identity nobody() {
  link::Identity identity;
  identity.pair = link::make_curve_pair();
  return identity;
}

}  // namespace

SimulatedNode::SimulatedNode(std::uint64_t seed)
    : random_(seed), node_(options_of(clock_, random_), transport_, nobody()) {
  for (const ModuleService& offered : module_services()) node_.add_service(offered.make());
  for (const ModuleKind& offered : module_kinds()) node_.add_kind(offered.kind);
}

void SimulatedNode::settle() {
  while (node_.step()) {
  }
}

void SimulatedNode::run_until(const std::function<bool()>& over) {
  const TimePoint end = deadline_after(clock_.now(), longest);
  for (settle(); !over(); settle()) {
    const TimePoint due = node_.next_due();
    if (due > end)
      throw std::logic_error(
          "the worker waits for something that never comes: nothing is left that would wake it");
    clock_.advance_to(due);
  }
}

void SimulatedNode::advance(Duration time) {
  const TimePoint end = deadline_after(clock_.now(), time);
  for (settle(); clock_.now() < end; settle()) clock_.advance_to(std::min(node_.next_due(), end));
}

}  // namespace cobus
