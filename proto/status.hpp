// SPDX-License-Identifier: Apache-2.0
//
// Status and Result: how everything in cobus says that something went wrong. The codes are the
// gRPC canonical ones, so their numbers are stable on the wire and known to users.
// A message names the object, the cause and the mend. Plain values, no thread of their own.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cobus {

enum class Code : std::int32_t {
  ok = 0,
  cancelled = 1,         // the caller no longer wants it
  unknown = 2,           // also every number that this release does not know
  invalid_argument = 3,  // wrong whatever the state of the system
  deadline_exceeded = 4,
  not_found = 5,
  already_exists = 6,
  permission_denied = 7,    // known, but not allowed
  resource_exhausted = 8,   // a bound was reached
  failed_precondition = 9,  // not in this state
  aborted = 10,             // lost a race: try again at a higher level
  out_of_range = 11,
  unimplemented = 12,
  internal = 13,     // a defect, ours or a handler's
  unavailable = 14,  // try again
  data_loss = 15,
  unauthenticated = 16,  // unknown
};

// The canonical name, "NOT_FOUND"; "UNKNOWN" for a number that is none of the above.
[[nodiscard]] std::string_view code_name(Code code) noexcept;

class [[nodiscard]] Status {
 public:
  struct Detail {
    std::string key;
    std::string value;
    friend bool operator==(const Detail&, const Detail&) = default;
  };

  Status() noexcept = default;  // ok
  Status(Code code, std::string message)
      : failure_(code == Code::ok && message.empty() ? nullptr : new Failure{code, std::move(message), {}}) {}
  Status(const Status& other)
      : failure_(other.failure_ == nullptr ? nullptr : new Failure(*other.failure_)) {}
  Status(Status&& other) noexcept = default;
  Status& operator=(const Status& other) {
    if (this != &other) *this = Status(other);
    return *this;
  }
  Status& operator=(Status&& other) noexcept = default;
  ~Status() = default;

  [[nodiscard]] bool ok() const noexcept { return code() == Code::ok; }
  [[nodiscard]] Code code() const noexcept { return failure_ == nullptr ? Code::ok : failure_->code; }
  [[nodiscard]] const std::string& message() const noexcept { return parts().message; }
  [[nodiscard]] const std::vector<Detail>& details() const noexcept { return parts().details; }
  // The value under `key`, or an empty string.
  [[nodiscard]] std::string_view detail(std::string_view key) const noexcept;
  Status& with(std::string key, std::string value) {
    if (failure_ == nullptr) failure_ = std::make_unique<Failure>();
    failure_->details.push_back(Detail{std::move(key), std::move(value)});
    return *this;
  }
  // "NOT_FOUND: no service named x.Y"
  [[nodiscard]] std::string to_string() const;

  friend bool operator==(const Status& a, const Status& b) { return a.parts() == b.parts(); }

 private:
  struct Failure {
    Code code = Code::ok;
    std::string message;
    std::vector<Detail> details;
    friend bool operator==(const Failure&, const Failure&) = default;
  };
  // Those of success when there is no failure.
  [[nodiscard]] const Failure& parts() const noexcept;

  std::unique_ptr<Failure> failure_;  // null: ok, which so costs nothing
};

template <class T>
using Result = std::expected<T, Status>;

// `return fail(Code::not_found, "...")` in any function that returns a Result.
[[nodiscard]] inline std::unexpected<Status> fail(Code code, std::string message) {
  return std::unexpected<Status>(Status(code, std::move(message)));
}
[[nodiscard]] inline std::unexpected<Status> fail(Status status) {
  return std::unexpected<Status>(std::move(status));
}

}  // namespace cobus
