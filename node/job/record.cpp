// SPDX-License-Identifier: Apache-2.0
#include "node/job/record.hpp"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <sodium.h>

#include <algorithm>
#include <array>
#include <memory>

#include "proto/deterministic.hpp"
#include "proto/utf8.hpp"

namespace cobus::job {
namespace {

constexpr std::array<std::string_view, v1::JobState_ARRAYSIZE> state_names = {
    "unknown",  "blocked",   "scheduled", "ready",     "running",
    "retrying", "succeeded", "failed",    "cancelled", "expired"};

void hash_part(crypto_generichash_state& state, std::string_view part) {
  const std::uint64_t size = part.size();
  crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(&size), sizeof size);
  crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(part.data()), part.size());
}

}  // namespace

std::string_view state_name(v1::JobState state) noexcept {
  const auto index = static_cast<std::size_t>(state);
  return index < state_names.size() ? state_names[index] : state_names[0];
}

Result<v1::JobState> parse_state(std::string_view name) {
  for (std::size_t i = 1; i < state_names.size(); ++i) {
    if (state_names[i] == name) return static_cast<v1::JobState>(i);
  }
  return fail(Code::invalid_argument,
              fmt::format("there is no job state \"{}\"; the states are {}", name,
                          fmt::join(state_names.begin() + 1, state_names.end(), ", ")));
}

bool is_final(v1::JobState state) noexcept {
  return state == v1::SUCCEEDED || state == v1::FAILED || state == v1::CANCELLED || state == v1::EXPIRED;
}

std::string canonical_payload(std::string_view method, std::string_view payload) {
  namespace pb = google::protobuf;
  std::string name(method);
  std::ranges::replace(name, '/', '.');
  const pb::MethodDescriptor* const known = pb::DescriptorPool::generated_pool()->FindMethodByName(name);
  const pb::Message* const empty =
      known == nullptr ? nullptr : pb::MessageFactory::generated_factory()->GetPrototype(known->input_type());
  if (empty == nullptr) return std::string(payload);
  const std::unique_ptr<pb::Message> request(empty->New());
  if (!request->ParsePartialFromArray(payload.data(), static_cast<int>(payload.size())))
    return std::string(payload);
  return deterministic_bytes(*request);
}

std::string request_hash(std::string_view method, std::string_view payload) {
  crypto_generichash_state state;
  std::array<unsigned char, crypto_generichash_BYTES_MIN> hash{};
  crypto_generichash_init(&state, nullptr, 0, hash.size());
  hash_part(state, method);
  hash_part(state, payload);
  crypto_generichash_final(&state, hash.data(), hash.size());
  return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}

std::string encode_labels(const std::map<std::string, std::string>& labels) {
  if (labels.empty()) return {};
  v1::Job job;
  job.mutable_labels()->insert(labels.begin(), labels.end());
  return job.SerializeAsString();
}

std::string shown(std::string_view text) {
  constexpr std::string_view more = " ...";
  std::string kept = utf8_repaired(text.substr(0, text_bytes_max));
  if (text.size() <= text_bytes_max && kept.size() <= text_bytes_max) return kept;
  std::size_t end = text_bytes_max - more.size();
  while (end > 0 && (kept[end] & 0xc0) == 0x80) --end;  // not through a character
  kept.resize(end);
  return kept.append(more);
}

Status shown(const Status& error) {
  Status kept(error.code(), shown(error.message()));
  std::size_t room = text_bytes_max;
  for (const Status::Detail& detail : error.details()) {
    const std::size_t bytes = detail.key.size() + detail.value.size();
    if (bytes > room) continue;
    room -= bytes;
    kept.with(detail.key, detail.value);
  }
  return kept;
}

Status attempts_used_up(Code code, std::uint32_t attempts, std::uint32_t crashes, std::string_view cause) {
  return Status(
             code,
             fmt::format("gave up after {} attempt{}{}; the last one: {}", attempts, attempts == 1 ? "" : "s",
                         crashes == 0 ? std::string() : fmt::format(", {} of them crashes", crashes), cause))
      .with("attempts", std::to_string(attempts))
      .with("crashes", std::to_string(crashes));
}

bool matches(const v1::Job& job, const v1::ListJobsRequest& request) {
  const auto& states = request.states();
  if (!states.empty() && std::find(states.begin(), states.end(), job.state()) == states.end()) return false;
  if (!request.method().empty() && job.method() != request.method()) return false;
  if (job.submitted_us() < request.since_us()) return false;
  return std::all_of(request.labels().begin(), request.labels().end(), [&job](const auto& wanted) {
    const auto found = job.labels().find(wanted.first);
    return found != job.labels().end() && found->second == wanted.second;
  });
}

}  // namespace cobus::job
