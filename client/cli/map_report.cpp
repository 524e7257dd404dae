// SPDX-License-Identifier: Apache-2.0
#include "client/cli/map_report.hpp"

#include <fmt/format.h>

namespace cobus::client {
namespace {

bool whole_objects(std::optional<Format> asked) {
  return asked && *asked != Format::table && *asked != Format::wide;
}

JoblogEntry entry_of(const MapOutcome& outcome) {
  JoblogEntry entry;
  entry.sequence = outcome.sequence;
  entry.host = outcome.node;
  entry.start_s = outcome.start_s;
  entry.runtime_s = outcome.runtime_s;
  entry.sent = outcome.sent;
  entry.received = outcome.received;
  entry.exit = outcome.exit;
  entry.command = outcome.command;
  entry.job = outcome.job;
  entry.attempt = outcome.attempt;
  return entry;
}

// What was sent: the path of a file, or the JSON; its text when that is none.
Json input_json(const MapOutcome& outcome) {
  if (outcome.file) return *outcome.file;
  // What is refused for its depth is not parsed here either.
  Json request =
      outcome.sent > 0 || outcome.error.ok() ? Json::parse(outcome.request, nullptr, false) : Json();
  return request.is_discarded() || request.is_null() ? Json(outcome.request) : request;
}

}  // namespace

Json outcome_json(const MapOutcome& outcome) {
  Json object;
  object["seq"] = outcome.sequence;
  object["input"] = input_json(outcome);
  object["id"] = outcome.job.empty() ? Json() : Json(outcome.job);
  object["node"] = outcome.node;
  object["state"] = outcome.state;
  object["attempt"] = outcome.attempt;
  if (outcome.error.ok() || !outcome.result.is_null()) object["result"] = outcome.result;
  if (!outcome.error.ok()) {
    object["error"] = {{"code", code_name(outcome.error.code())}, {"message", outcome.error.message()}};
  }
  return object;
}

MapReport::MapReport(Console& console, std::optional<Format> asked, bool keep_order, JoblogWriter* joblog)
    : console_(console),
      asked_(asked),
      keep_order_(keep_order),
      aligned_(keep_order),
      joblog_(joblog),
      list_(console, whole_objects(asked) ? *asked : Format::jsonl, {}, "id") {}

void MapReport::begin(std::uint64_t sequence) {
  ++running_;
  if (keep_order_) order_.push_back(sequence);
}

void MapReport::end(MapOutcome outcome) {
  --running_;
  exit_of_all_ = done_ == 0 || exit_of_all_ == outcome.exit ? std::optional(outcome.exit) : std::nullopt;
  ++done_;
  if (!outcome.error.ok()) ++failed_;
  if (!keep_order_) return print(outcome);
  waiting_.emplace(outcome.sequence, std::move(outcome));
  print_waiting();
}

void MapReport::abandon(std::uint64_t sequence) {
  --running_;
  ++abandoned_;
  if (!keep_order_) return;
  waiting_.emplace(sequence, std::nullopt);
  print_waiting();
}

void MapReport::print_waiting() {
  while (!order_.empty()) {
    const auto first = waiting_.find(order_.front());
    if (first == waiting_.end()) return;
    if (first->second) print(*first->second);
    waiting_.erase(first);
    order_.pop_front();
  }
}

void MapReport::print(const MapOutcome& outcome) {
  if (asked_ == Format::id && !outcome.error.ok()) {
    // Ids are for what goes on with them.
  } else if (whole_objects(asked_)) {
    list_.add(outcome_json(outcome));
  } else if (outcome.error.ok() || aligned_ || !outcome.result.is_null()) {
    // In order, a line stands for the request of the same line, also where there is no result.
    console_.print(one_line(outcome.result));
  }
  // Only what was printed is done: what a crash loses in between comes again with --resume.
  if (joblog_ != nullptr && status_.ok()) status_ = joblog_->add(entry_of(outcome));
  if (outcome.error.ok()) return;
  const std::string name = outcome.file ? fmt::format("request {} ({})", outcome.sequence, *outcome.file)
                                        : fmt::format("request {}", outcome.sequence);
  const std::string place = outcome.place.empty() ? "" : outcome.place + ": ";
  console_.error(printable(fmt::format("{} failed: {}: {}{}", name, code_name(outcome.error.code()), place,
                                       outcome.error.message())));
}

void MapReport::finish() {
  // What those before them came to will not be known here.
  aligned_ = false;
  for (const auto& [sequence, outcome] : waiting_) {
    if (outcome) print(*outcome);
  }
  waiting_.clear();
  order_.clear();
  if (whole_objects(asked_)) list_.finish();
}

}  // namespace cobus::client
