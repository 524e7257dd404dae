// SPDX-License-Identifier: Apache-2.0
#include "node/link/arrivals.hpp"

#include <algorithm>

#include "node/link/access.hpp"

namespace cobus::link {

ArrivalLimits ArrivalLimits::within(std::size_t descriptors) const {
  ArrivalLimits fitting = *this;
  fitting.connections = std::min(connections, descriptors - descriptors / 4);
  fitting.in_all = std::min(in_all, fitting.connections / 2);
  return fitting;
}

std::optional<Acceptance> Arrivals::add(const Acceptance& acceptance, const std::string& address,
                                        std::size_t open, TimePoint now) {
  remove(acceptance);
  const Order order = ++last_;
  waiting_.emplace(order, Arrival{acceptance, address, now});
  order_of_[acceptance] = order;
  std::set<Order>& neighbours = of_address_[address];
  neighbours.insert(order);

  Order victim = order;
  if (neighbours.size() > (is_loopback(address) ? limits_.of_loopback : limits_.of_address)) {
    victim = *neighbours.begin();
  } else if (waiting_.size() > limits_.in_all || open > limits_.connections) {
    victim = waiting_.begin()->first;
  } else {
    return std::nullopt;
  }
  if (now - waiting_.at(victim).since < limits_.fair) victim = order;
  const auto found = waiting_.find(victim);
  const Acceptance cut = found->second.acceptance;
  remove_at(found);
  return cut;
}

void Arrivals::remove(const Acceptance& acceptance) {
  const auto found = order_of_.find(acceptance);
  if (found != order_of_.end()) remove_at(waiting_.find(found->second));
}

void Arrivals::remove_at(std::map<Order, Arrival>::iterator at) {
  const auto neighbours = of_address_.find(at->second.address);
  neighbours->second.erase(at->first);
  if (neighbours->second.empty()) of_address_.erase(neighbours);
  order_of_.erase(at->second.acceptance);
  waiting_.erase(at);
}

std::vector<Acceptance> Arrivals::take_due(TimePoint now) {
  std::vector<Acceptance> due;
  while (next_due() <= now) {
    due.push_back(waiting_.begin()->second.acceptance);
    remove_at(waiting_.begin());
  }
  return due;
}

TimePoint Arrivals::next_due() const {
  return waiting_.empty() ? never : waiting_.begin()->second.since + limits_.patience;
}

}  // namespace cobus::link
