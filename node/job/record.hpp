// SPDX-License-Identifier: Apache-2.0
//
// Record: what a job looks like to people and in a row of the ledger: names of states, the
// fingerprint that tells whether two submissions ask for the same, labels as bytes.
// Pure functions; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "node/job/ledger.hpp"

namespace cobus::job {

// "ready", "running" ...; "unknown" for a number that is none of them.
[[nodiscard]] std::string_view state_name(v1::JobState state) noexcept;
// The inverse. INVALID_ARGUMENT listing the names.
[[nodiscard]] Result<v1::JobState> parse_state(std::string_view name);
// Whether a job in this state never changes again.
[[nodiscard]] bool is_final(v1::JobState state) noexcept;

// 16 bytes; equal exactly when method and payload are, for all practical purposes.
// `payload` as equal requests of `method` have it: entries of maps in the order of their keys. As it is when
// this process does not know the method, which it does when it offers it, or the payload is no request of it.
[[nodiscard]] std::string canonical_payload(std::string_view method, std::string_view payload);
[[nodiscard]] std::string request_hash(std::string_view method, std::string_view payload);

// Labels as bytes that Job::MergeFromString adds to a job. Empty for none.
[[nodiscard]] std::string encode_labels(const std::map<std::string, std::string>& labels);

// `text` as it may be kept and shown: well-formed UTF-8, and cut to text_bytes_max.
[[nodiscard]] std::string shown(std::string_view text);
// `error` with its text shown() and with details only while there is room.
[[nodiscard]] Status shown(const Status& error);

// Why a job failed whose attempts are used up: says how many there were, and the last cause.
[[nodiscard]] Status attempts_used_up(Code code, std::uint32_t attempts, std::uint32_t crashes,
                                      std::string_view cause);

// Whether `job` is one that `request` asks for; the limit is not looked at.
[[nodiscard]] bool matches(const v1::Job& job, const v1::ListJobsRequest& request);

}  // namespace cobus::job
