// SPDX-License-Identifier: Apache-2.0
//
// Checkers: books that a simulated run is written into, and that know what may never happen. Each is told
// what workers did and saw, and complains to one list; none touches a node, so a test shows of each that it
// can complain (checkers_test.cpp). One thread.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "node/runtime/clock.hpp"
#include "proto/address.hpp"
#include "proto/status.hpp"

namespace cobus::sim {

// What went wrong, the first few of it.
class Complaints {
 public:
  void add(std::string what) {
    ++count_;
    if (first_.size() < 10) first_.push_back(std::move(what));
  }
  [[nodiscard]] std::size_t count() const noexcept { return count_; }
  [[nodiscard]] const std::vector<std::string>& first() const noexcept { return first_; }

 private:
  std::size_t count_ = 0;
  std::vector<std::string> first_;
};

// Messages of one sender to one receiver: numbered from 1, they come in order and each at most once, none is
// missing while the session lasts, and none comes behind the news that the sender has ended (M1, M2, W2).
class PairOrder {
 public:
  explicit PairOrder(Complaints& complaints) noexcept : complaints_(complaints) {}
  // `session` is what the sender's node counted of its sessions with the receiver's: odd while one is up.
  void got(Address from, Address to, std::uint64_t number, std::uint64_t session);
  // `to` was told that `from` has ended.
  void over(Address from, Address to);
  // One that has to arrive, as all is well and `to` lives, and the look whether each did.
  void sent_in_peace(Address from, Address to, std::uint64_t number) { in_peace_[{from, to}] = number; }
  void finish();
  [[nodiscard]] std::uint64_t received() const noexcept { return received_; }

 private:
  struct Last {
    std::uint64_t number = 0;
    std::uint64_t session = 0;
    bool over = false;
  };
  Complaints& complaints_;
  std::map<std::pair<Address, Address>, Last> last_;
  std::map<std::pair<Address, Address>, std::uint64_t> in_peace_;
  std::uint64_t received_ = 0;
};

// Monitors: each yields one Down, unless it is taken back; at the end none is left whose target is gone (W2).
class MonitorBook {
 public:
  explicit MonitorBook(Complaints& complaints) noexcept : complaints_(complaints) {}
  void born(Address worker) { living_.insert(worker); }
  // It takes its monitors along.
  void died(Address worker);
  [[nodiscard]] bool lives(Address worker) const { return living_.contains(worker); }
  void monitors(Address watcher, std::uint64_t monitor, Address target);
  void takes_back(Address watcher, std::uint64_t monitor);
  void down(Address watcher, std::uint64_t monitor, Address target, const Status& reason);
  // When all is still.
  void finish();
  [[nodiscard]] std::uint64_t downs() const noexcept { return downs_; }
  [[nodiscard]] const std::set<Address>& living() const noexcept { return living_; }

 private:
  Complaints& complaints_;
  std::set<Address> living_;
  std::map<Address, std::map<std::uint64_t, Address>> open_;  // by watcher and monitor
  std::uint64_t downs_ = 0;
};

// Calls: each ends once, by its deadline, and is begun at most once (M4).
class CallBook {
 public:
  // What a timer and a full run queue may add to a deadline.
  static constexpr Duration tolerance = std::chrono::milliseconds(20);

  explicit CallBook(Complaints& complaints) noexcept : complaints_(complaints) {}
  [[nodiscard]] std::uint64_t begins(TimePoint deadline);
  // Whoever was asked came to it.
  void served(std::uint64_t call);
  void ends(std::uint64_t call, TimePoint now, const Status& how);
  // Its caller is gone.
  void left(std::uint64_t call) { open_.erase(call); }
  void finish();
  [[nodiscard]] const std::map<Code, std::uint64_t>& ended() const noexcept { return ended_; }

 private:
  Complaints& complaints_;
  std::uint64_t last_ = 0;
  std::map<std::uint64_t, TimePoint> open_;  // and when each has to be over
  std::set<std::uint64_t> served_;
  std::map<Code, std::uint64_t> ended_;
};

// One supervisor: never more restarts within its period than its intensity (W6).
class RestartBook {
 public:
  RestartBook(Complaints& complaints, std::string name, unsigned intensity, Duration period)
      : complaints_(&complaints), name_(std::move(name)), intensity_(intensity), period_(period) {}
  // What the supervisor has counted by now.
  void sees(std::uint64_t restarts, TimePoint now);
  [[nodiscard]] std::uint64_t restarts() const noexcept { return seen_; }

 private:
  Complaints* complaints_;
  std::string name_;
  unsigned intensity_;
  Duration period_;
  std::uint64_t seen_ = 0;
  std::deque<TimePoint> within_;  // the period
};

}  // namespace cobus::sim
