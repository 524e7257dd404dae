// SPDX-License-Identifier: Apache-2.0
#include "node/worker/stall_log.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <optional>
#include <source_location>

#include "node/runtime/source_path.hpp"
#include "node/worker/worker.hpp"
#include "proto/limits.hpp"

namespace cobus {
namespace {

constexpr Duration worth_telling = std::chrono::seconds(1);
constexpr const char* advice = "use co_await offload(...) for code that blocks";

std::int64_t ms(Duration time) { return std::chrono::duration_cast<std::chrono::milliseconds>(time).count(); }

// When to tell of one that was told of when it had lasted for `told`.
Duration next_time(Duration told) {
  if (told < worth_telling) return worth_telling;
  return told < 10 * worth_telling ? 10 * worth_telling : told + 60 * worth_telling;
}

std::string name_of(WorkerId id, const char* kind) {
  if (!id) return "what came in for it (messages, timers, ends of workers)";
  return fmt::format("worker {} ({})", to_string(id), kind);
}

}  // namespace

void StallLog::held(const Shard::Report& report) const {
  std::string then;
  if (report.strand != nullptr) {
    const auto* worker =
        static_cast<const Worker*>(report.strand->whole != nullptr ? report.strand->whole : report.strand);
    if (const std::source_location at = worker->where(); at.line() != 0)
      then = fmt::format(", until it came to {}:{}", source_path(at.file_name()), at.line());
  }
  spdlog::warn("node {}: {} held its shard for {} ms{}; {}", node_, name_of(report.id, report.kind),
               ms(report.held), then, advice);
}

std::string StallLog::who_holds(const Shard& shard, TimePoint now) {
  const std::optional<Shard::Holder> holder = shard.holder();
  if (!holder || now - holder->since < limits::stall_after) return {};
  return fmt::format("{} has held shard {} for {:.1f} s", name_of(holder->id, holder->kind), shard.index(),
                     static_cast<double>(ms(now - holder->since)) / 1000);
}

void StallLog::look(const Shard& shard, TimePoint now) {
  Held& known = held_[shard.index()];
  const std::optional<Shard::Holder> holder = shard.holder();
  if (!holder) return;
  if (holder->since != known.since) known = Held{holder->since, {}};
  const Duration lasted = now - holder->since;
  if (lasted < next_time(known.told)) return;
  known.told = lasted;
  spdlog::error("node {}: {}, and still does; nothing else runs there; {}", node_, who_holds(shard, now),
                advice);
}

}  // namespace cobus
