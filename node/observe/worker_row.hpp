// SPDX-License-Identifier: Apache-2.0
//
// WorkerRow: what can be said of a worker at a glance, all of it from counters: nothing here walks a mailbox.
// The worker's shard only.
#pragma once

#include <cobus/v1/inspect.pb.h>

#include "node/worker/worker.hpp"

namespace cobus {

// The kind of the workers that look at a shard's workers.
inline constexpr char inspecting_kind[] = "cobus.inspect";  // one object: it is known by its address
// Whether it is one of them, or handles the call that they work for: who looks is not what is looked for.
[[nodiscard]] bool looks_inside(const Worker& worker) noexcept;

[[nodiscard]] v1::WorkerState worker_state(const Worker& worker) noexcept;
// Control block, first frame and mailbox.
[[nodiscard]] std::uint64_t worker_memory(const Worker& worker) noexcept;
// All but what belongs to a window.
[[nodiscard]] v1::WorkerRow worker_row(const Worker& worker);

}  // namespace cobus
