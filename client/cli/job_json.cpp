// SPDX-License-Identifier: Apache-2.0
#include "client/cli/job_json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "client/cli/units.hpp"

namespace cobus::client {
namespace {

constexpr int exit_failed = 1;
constexpr int exit_cancelled = 3;

Json time_json(std::int64_t unix_us) { return unix_us == 0 ? Json() : Json(iso_time(unix_us)); }

Json error_json(const v1::Job& job) {
  if (!job.has_error() || job.error().code() == 0) return {};
  return {{"code", code_name(static_cast<Code>(job.error().code()))}, {"message", job.error().message()}};
}

std::string text_of(const Json& job, const char* key) { return plain(field(job, key)); }

// Why it waits, or why it failed.
std::string reason_of(const Json& job) {
  const Json& error = field(job, "error");
  if (error.is_object()) return text_of(error, "code") + ": " + text_of(error, "message");
  const Json& progress = field(job, "progress");
  if (text_of(job, "state") == "running" && progress.is_object()) {
    const Json& fraction = field(progress, "fraction");
    const std::string percent =
        fraction.is_number() ? fmt::format("{:.0f}% ", fraction.get<double>() * 100) : "";
    return percent + text_of(progress, "note");
  }
  return text_of(job, "wait_reason");
}

std::string attempt_text(const Json& job) {
  return text_of(job, "attempt") + '/' + text_of(job, "attempts_max");
}

}  // namespace

std::string state_name(v1::JobState state) {
  std::string name = v1::JobState_IsValid(state) && state != v1::JOB_STATE_UNSPECIFIED
                         ? v1::JobState_Name(state)
                         : "unknown";
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  return name;
}

Result<v1::JobState> parse_state(std::string_view name) {
  std::string known;
  for (int i = v1::JobState_MIN + 1; i <= v1::JobState_MAX; ++i) {
    const auto state = static_cast<v1::JobState>(i);
    if (state_name(state) == name) return state;
    known += (known.empty() ? "" : " ") + state_name(state);
  }
  return fail(Code::invalid_argument,
              fmt::format("--state: '{}' is no state of a job; there are {}", name, known));
}

bool is_final(v1::JobState state) noexcept {
  return state == v1::SUCCEEDED || state == v1::FAILED || state == v1::CANCELLED || state == v1::EXPIRED;
}

Status job_status(const v1::Job& job) {
  if (job.state() == v1::SUCCEEDED) return {};
  if (job.has_error() && job.error().code() != 0)
    return {static_cast<Code>(job.error().code()), job.error().message()};
  const Code code = job.state() == v1::CANCELLED ? Code::cancelled
                    : job.state() == v1::EXPIRED ? Code::deadline_exceeded
                                                 : Code::unknown;
  return {code, "the job is " + state_name(job.state())};
}

int job_exit_code(const v1::Job& job) noexcept {
  switch (job.state()) {
    case v1::SUCCEEDED:
      return 0;
    case v1::CANCELLED:
    case v1::EXPIRED:
      return exit_cancelled;
    default:
      return exit_failed;
  }
}

Json job_json(const v1::Job& job, Json result) {
  Json object;
  object["id"] = job.id();
  object["method"] = job.method();
  object["state"] = state_name(job.state());
  object["attempt"] = job.attempt();
  object["node"] = job.node();
  object["wait_reason"] = job.wait_reason();
  object["submitted_at"] = time_json(job.submitted_us());
  object["result"] = std::move(result);
  object["error"] = error_json(job);
  object["attempts_max"] = job.attempts_max();
  object["started_at"] = time_json(job.started_us());
  object["finished_at"] = time_json(job.finished_us());
  Json& progress = object["progress"];
  if (job.has_progress()) {
    progress["fraction"] = job.progress().fraction() < 0 ? Json() : Json(job.progress().fraction());
    progress["note"] = job.progress().note();
  }
  object["home"] = job.home();
  const std::map<std::string, std::string> labels(job.labels().begin(), job.labels().end());
  object["labels"] = Json::object();
  for (const auto& [key, value] : labels) object["labels"][key] = value;
  return object;
}

Json listed_job_json(const v1::Job& job) {
  Json object = job_json(job, {});
  object.erase("result");
  return object;
}

std::vector<OutputColumn> job_columns(std::int64_t now_us) {
  const auto text = [](const char* key) { return [key](const Json& job) { return text_of(job, key); }; };
  return {
      {"ID", text("id")},
      {"METHOD", text("method"), false, true},
      {"STATE", text("state")},
      {"ATTEMPT", attempt_text, true},
      {"NODE", text("node")},
      {"AGE",
       [now_us](const Json& job) {
         const auto at = parse_iso_time(text_of(job, "submitted_at"));
         return at ? short_duration(std::chrono::microseconds(std::max<std::int64_t>(0, now_us - *at))) : "";
       },
       true},
      {"WHY", reason_of, false, true},
      {"SUBMITTED", text("submitted_at"), false, false, true},
      {"HOME", text("home"), false, false, true},
      {"LABELS", [](const Json& job) { return one_line(field(job, "labels")); }, false, true, true},
  };
}

std::vector<std::pair<std::string, std::string>> job_fields(const Json& job) {
  const Json& result = field(job, "result");
  const Json& labels = field(job, "labels");
  return {
      {"id", text_of(job, "id")},
      {"method", text_of(job, "method")},
      {"state", text_of(job, "state")},
      {"attempt", attempt_text(job)},
      {"node", text_of(job, "node")},
      {"why", reason_of(job)},
      {"submitted", text_of(job, "submitted_at")},
      {"started", text_of(job, "started_at")},
      {"finished", text_of(job, "finished_at")},
      {"result", result.is_null() ? "" : one_line(result)},
      {"home", text_of(job, "home")},
      {"labels", labels.empty() ? "" : one_line(labels)},
  };
}

}  // namespace cobus::client
