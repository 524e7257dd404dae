// SPDX-License-Identifier: Apache-2.0
#include "node/observe/top.hpp"

#include <algorithm>
#include <deque>
#include <vector>

#include "node/observe/top_order.hpp"
#include "node/observe/worker_row.hpp"
#include "node/worker/node.hpp"

namespace cobus {
namespace {

constexpr std::uint32_t slots_in_a_row = 1000;  // some 100 us

// A worker that had received something or run measurably when the window began.
struct Before {
  WorkerId id;
  std::uint64_t received;
  std::uint64_t cpu_ns;
};

// A deque grows without moving what it has: a million of them would hold the shard.
Task<std::deque<Before>> remember(Self self) {
  Home& home = self.worker().home();
  std::deque<Before> before;
  for (std::uint32_t index = 0; index < home.slots(); ++index) {
    if (index % slots_in_a_row == slots_in_a_row - 1) co_await yield();
    const Worker* worker = home.in_slot(index);
    if (worker != nullptr && (worker->received != 0 || worker->cpu_ns != 0))
      before.push_back({worker->id, worker->received, worker->cpu_ns});
  }
  co_return before;
}

struct Candidate {
  TopKey key;
  WorkerId id;
  std::uint64_t received;  // within the window
  std::uint64_t cpu_ns;
};
// The first of equals is the one that was there first.
bool higher(const Candidate& a, const Candidate& b) noexcept {
  return a.key != b.key ? a.key > b.key : a.id < b.id;
}

// The best so far, the worst of them on top of the heap.
class Best {
 public:
  explicit Best(std::size_t limit) : limit_(limit) {}
  void offer(const Candidate& candidate) {
    if (heap_.size() == limit_) {
      if (!higher(candidate, heap_.front())) return;
      std::pop_heap(heap_.begin(), heap_.end(), &higher);
      heap_.pop_back();
    }
    heap_.push_back(candidate);
    std::push_heap(heap_.begin(), heap_.end(), &higher);
  }
  [[nodiscard]] std::vector<Candidate> sorted() && {
    std::sort_heap(heap_.begin(), heap_.end(), &higher);
    return std::move(heap_);
  }

 private:
  std::size_t limit_;
  std::vector<Candidate> heap_;
};

Candidate measure(const Worker& worker, const TopQuery& query, const Before* before) noexcept {
  Candidate candidate{{}, worker.id, worker.received, worker.cpu_ns};
  if (before != nullptr) {
    candidate.received -= before->received;
    candidate.cpu_ns -= before->cpu_ns;
  }
  candidate.key =
      top_key(query.order, {worker.mailbox.size(), worker.mailbox.bytes(), candidate.received,
                            candidate.cpu_ns / 1000, worker_memory(worker), kind_is_ours(worker.kind)});
  return candidate;
}

}  // namespace

Task<v1::TopReply> top_of_shard(Self self, TopQuery query) {
  Home& home = self.worker().home();
  const Clock& clock = self.node().clock();
  const bool window = query.window > Duration(0);
  std::deque<Before> before;
  const TimePoint begun = clock.now();
  if (window) {
    before = co_await remember(self);
    if (!(co_await sleep(query.window - std::min(clock.now() - begun, query.window))).ok()) co_return {};
  }
  v1::TopReply reply;
  Best best(query.limit);
  auto past = before.cbegin();
  const TimePoint ended = clock.now();
  for (std::uint32_t index = 0; index < home.slots(); ++index) {
    if (index % slots_in_a_row == slots_in_a_row - 1) co_await yield();
    const Worker* worker = home.in_slot(index);
    if (worker == nullptr || looks_inside(*worker)) continue;
    reply.set_workers(reply.workers() + 1);
    // Both go by slot.
    while (past != before.cend() && past->id.index() < index) ++past;
    const bool known = past != before.cend() && past->id == worker->id;
    best.offer(measure(*worker, query, known ? &*past : nullptr));
  }
  if (window) reply.set_window_us(static_cast<std::uint64_t>((ended - begun).count() / 1000));
  for (const Candidate& candidate : std::move(best).sorted()) {
    const Worker* worker = home.find(candidate.id);
    if (worker == nullptr) continue;
    v1::WorkerRow& row = *reply.add_rows() = worker_row(*worker);
    if (!window) continue;
    row.set_received_in_window(candidate.received);
    row.set_cpu_us_in_window(candidate.cpu_ns / 1000);
  }
  co_return reply;
}

void merge_top(v1::TopReply& into, v1::TopReply of_shard, const TopQuery& query) {
  const bool window = query.window > Duration(0);
  into.set_workers(into.workers() + of_shard.workers());
  into.set_window_us(std::max(into.window_us(), of_shard.window_us()));
  for (v1::WorkerRow& row : *of_shard.mutable_rows()) *into.add_rows() = std::move(row);
  const auto higher_row = [&](const v1::WorkerRow& a, const v1::WorkerRow& b) {
    const TopKey of_a = top_key(query.order, a, window);
    const TopKey of_b = top_key(query.order, b, window);
    return of_a != of_b ? of_a > of_b : a.worker() < b.worker();
  };
  std::sort(into.mutable_rows()->begin(), into.mutable_rows()->end(), higher_row);
  if (static_cast<std::size_t>(into.rows_size()) > query.limit)
    into.mutable_rows()->DeleteSubrange(static_cast<int>(query.limit),
                                        into.rows_size() - static_cast<int>(query.limit));
}

}  // namespace cobus
