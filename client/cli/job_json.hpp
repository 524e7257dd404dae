// SPDX-License-Identifier: Apache-2.0
//
// How jobs are shown: their JSON, as scripts rely on it, the columns of their table, and the exit codes that
// their ends stand for.
#pragma once

#include <cobus/v1/job.pb.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "client/cli/json.hpp"
#include "client/cli/output.hpp"
#include "proto/status.hpp"

namespace cobus::client {

// "ready", "running" ...
[[nodiscard]] std::string state_name(v1::JobState state);
// INVALID_ARGUMENT naming the states there are.
[[nodiscard]] Result<v1::JobState> parse_state(std::string_view name);
[[nodiscard]] bool is_final(v1::JobState state) noexcept;

// Why a job that is over did not succeed; ok when it did.
[[nodiscard]] Status job_status(const v1::Job& job);
// 0 succeeded, 1 failed, 3 cancelled or expired, or what the failure itself asks for.
[[nodiscard]] int job_exit_code(const v1::Job& job) noexcept;

// `result` is null unless the job has one.
[[nodiscard]] Json job_json(const v1::Job& job, Json result);
// Of a listing, which comes without results.
[[nodiscard]] Json listed_job_json(const v1::Job& job);
// `now_us` is Unix microseconds.
[[nodiscard]] std::vector<OutputColumn> job_columns(std::int64_t now_us);
[[nodiscard]] std::vector<std::pair<std::string, std::string>> job_fields(const Json& job);

}  // namespace cobus::client
