// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/checkers.hpp"

#include <fmt/format.h>

namespace cobus::sim {
namespace {

std::string way(Address from, Address to) { return to_string(from) + " -> " + to_string(to); }

}  // namespace

void PairOrder::got(Address from, Address to, std::uint64_t number, std::uint64_t session) {
  ++received_;
  Last& last = last_[{from, to}];
  if (last.over) {
    complaints_.add(
        fmt::format("{}: message {} came behind the news of its sender's end", way(from, to), number));
  } else if (number <= last.number) {
    complaints_.add(fmt::format("{}: message {} came behind {}", way(from, to), number, last.number));
  } else if (number != last.number + 1 && session % 2 == 1 && session == last.session) {
    complaints_.add(fmt::format("{}: message {} came behind {}, both in session {}", way(from, to), number,
                                last.number, session));
  }
  last.number = number;
  last.session = session;
}

void PairOrder::over(Address from, Address to) { last_[{from, to}].over = true; }

void PairOrder::finish() {
  for (const auto& [pair, number] : in_peace_) {
    if (last_[pair].number < number)
      complaints_.add(fmt::format("{}: message {} never came", way(pair.first, pair.second), number));
  }
}

void MonitorBook::died(Address worker) {
  living_.erase(worker);
  open_.erase(worker);
}

void MonitorBook::monitors(Address watcher, std::uint64_t monitor, Address target) {
  if (!open_[watcher].emplace(monitor, target).second)
    complaints_.add(fmt::format("{} has monitor {} twice", to_string(watcher), monitor));
}

void MonitorBook::takes_back(Address watcher, std::uint64_t monitor) { open_[watcher].erase(monitor); }

void MonitorBook::down(Address watcher, std::uint64_t monitor, Address target, const Status& reason) {
  ++downs_;
  std::map<std::uint64_t, Address>& its = open_[watcher];
  const auto found = its.find(monitor);
  if (found == its.end()) {
    complaints_.add(
        fmt::format("{}: a Down of monitor {}, which it has not (any more)", to_string(watcher), monitor));
    return;
  }
  if (found->second != target)
    complaints_.add(fmt::format("{}: the Down of monitor {} names {} instead of {}", to_string(watcher),
                                monitor, to_string(target), to_string(found->second)));
  its.erase(found);
  // One that was lost with its node may live.
  if (reason.code() != Code::unavailable && living_.contains(target))
    complaints_.add(fmt::format("{}: a Down of {}, which lives: {}", to_string(watcher), to_string(target),
                                reason.to_string()));
}

void MonitorBook::finish() {
  for (const auto& [watcher, its] : open_) {
    for (const auto& [monitor, target] : its) {
      if (!living_.contains(target))
        complaints_.add(fmt::format("{}: no Down of monitor {}, though {} is gone", to_string(watcher),
                                    monitor, to_string(target)));
    }
  }
}

std::uint64_t CallBook::begins(TimePoint deadline) {
  open_.emplace(++last_, deadline);
  return last_;
}

void CallBook::served(std::uint64_t call) {
  if (!served_.insert(call).second) complaints_.add(fmt::format("call {} was begun twice", call));
}

void CallBook::ends(std::uint64_t call, TimePoint now, const Status& how) {
  ++ended_[how.code()];
  const auto found = open_.find(call);
  if (found == open_.end()) {
    complaints_.add(fmt::format("call {} ended twice: {}", call, how.to_string()));
    return;
  }
  if (now > found->second + tolerance)
    complaints_.add(fmt::format("call {} ended {} ms after its deadline: {}", call,
                                (now - found->second) / std::chrono::milliseconds(1), how.to_string()));
  open_.erase(found);
}

void CallBook::finish() {
  for (const auto& [call, deadline] : open_) complaints_.add(fmt::format("call {} never ended", call));
}

void RestartBook::sees(std::uint64_t restarts, TimePoint now) {
  for (; seen_ < restarts; ++seen_) within_.push_back(now);
  while (!within_.empty() && within_.front() + period_ <= now) within_.pop_front();
  if (within_.size() > intensity_) {
    complaints_->add(fmt::format("supervisor {}: {} restarts within its period, {} are allowed", name_,
                                 within_.size(), intensity_));
    within_.clear();
  }
}

}  // namespace cobus::sim
