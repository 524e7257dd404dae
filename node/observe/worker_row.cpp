// SPDX-License-Identifier: Apache-2.0
#include "node/observe/worker_row.hpp"

#include <string_view>

namespace cobus {

bool looks_inside(const Worker& worker) noexcept {
  return worker.kind == inspecting_kind ||
         (worker.handles_call && std::string_view(worker.kind).starts_with("cobus.v1.Inspect/"));
}

v1::WorkerState worker_state(const Worker& worker) noexcept {
  if (worker.shard->runs(worker)) return v1::WORKER_ACTIVE;
  if (worker.stop.requested()) return v1::WORKER_STOPPING;
  if (worker.wants != nullptr) return v1::WORKER_RECEIVING;
  if (!worker.wakeup.linked()) return v1::WORKER_WAITING;
  return worker.where().line() == 0 ? v1::WORKER_STARTING : v1::WORKER_READY;
}

std::uint64_t worker_memory(const Worker& worker) noexcept {
  return worker.own_bytes() + worker.mailbox.bytes() + (worker.bonds != nullptr ? sizeof(Bonds) : 0);
}

v1::WorkerRow worker_row(const Worker& worker) {
  v1::WorkerRow row;
  row.set_worker(worker.id.value);
  row.set_kind(worker.kind);
  if (worker.bonds != nullptr) row.set_name(worker.bonds->name);
  row.set_state(worker_state(worker));
  row.set_mailbox_messages(static_cast<std::uint32_t>(worker.mailbox.size()));
  row.set_mailbox_bytes(static_cast<std::uint32_t>(worker.mailbox.bytes()));
  row.set_received(worker.received);
  row.set_cpu_us(worker.cpu_ns / 1000);
  row.set_memory_bytes(worker_memory(worker));
  return row;
}

}  // namespace cobus
