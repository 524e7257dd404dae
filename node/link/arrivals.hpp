// SPDX-License-Identifier: Apache-2.0
//
// Arrivals: the accepted connections that have not sent a frame yet. A proven key is free, and libzmq ends
// only those whose handshake is not done; so who says nothing is given a time, and there are bounds for
// each address and for all of them. When one is exceeded, who has had a fair time goes for the newcomer,
// or else the newcomer goes: under a rush those that are in the middle of their handshake are let finish.
// Decisions only: the door accepts and cuts. Used under the link loop's lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "node/runtime/clock.hpp"
#include "proto/limits.hpp"

namespace cobus::link {

// Descriptor, and which of the connections that it stood for.
using Acceptance = std::pair<int, std::uint64_t>;

struct ArrivalLimits {
  // Handshake and first frame: each end gives each of them handshake_timeout.
  Duration patience = 2 * limits::handshake_timeout;
  // Who has waited for so long had a fair time, on a busy host too.
  Duration fair = std::chrono::seconds(2);
  std::size_t of_address = 256;
  std::size_t of_loopback = 2'048;  // one's own host: tests and bursts of clients
  std::size_t in_all = 8'192;
  // Open connections, also those that have spoken. libzmq spins when it is out of descriptors.
  std::size_t connections = 1'000'000;

  // The same, within what a process with so many descriptors can hold and still have some left for its
  // own dials, files and children.
  [[nodiscard]] ArrivalLimits within(std::size_t descriptors) const;
};

class Arrivals {
 public:
  explicit Arrivals(const ArrivalLimits& limits) : limits_(limits) {}

  // A connection was accepted; `open` are there with it. Gives the one to be cut, this or another, which is
  // an arrival no more.
  [[nodiscard]] std::optional<Acceptance> add(const Acceptance& acceptance, const std::string& address,
                                              std::size_t open, TimePoint now);
  // It spoke, or ended. Nothing happens when it is not among them.
  void remove(const Acceptance& acceptance);
  // Removes and gives those whose time is over at `now`.
  [[nodiscard]] std::vector<Acceptance> take_due(TimePoint now);
  [[nodiscard]] TimePoint next_due() const;
  [[nodiscard]] std::size_t size() const noexcept { return waiting_.size(); }

 private:
  struct Arrival {
    Acceptance acceptance;
    std::string address;
    TimePoint since;
  };
  using Order = std::uint64_t;  // of their coming
  void remove_at(std::map<Order, Arrival>::iterator at);

  const ArrivalLimits limits_;
  Order last_ = 0;
  std::map<Order, Arrival> waiting_;
  std::map<Acceptance, Order> order_of_;
  std::unordered_map<std::string, std::set<Order>> of_address_;
};

}  // namespace cobus::link
