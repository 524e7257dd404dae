// SPDX-License-Identifier: Apache-2.0
//
// Why a worker ended, as its monitors and links hear it. A reason is a Status, and its code says which:
//   OK normal · CANCELLED shutdown · ABORTED killed · NOT_FOUND noproc · UNAVAILABLE noconnection
//   RESOURCE_EXHAUSTED overload · INTERNAL crash (an exception left it) · any other: its own failure.
// Normal and shutdown are orderly; all others are abnormal.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "proto/status.hpp"

namespace cobus::exit_reason {

[[nodiscard]] inline Status normal() { return {}; }
[[nodiscard]] inline Status shutdown(std::string why = "asked to stop") {
  return {Code::cancelled, std::move(why)};
}
// As an explicit exit signal it cannot be trapped.
[[nodiscard]] inline Status kill(std::string why = "killed") { return {Code::aborted, std::move(why)}; }
[[nodiscard]] inline Status noproc() { return {Code::not_found, "no such worker: it has ended"}; }
[[nodiscard]] inline Status noconnection(std::string why) { return {Code::unavailable, std::move(why)}; }
[[nodiscard]] inline Status overload() {
  return {Code::resource_exhausted, "its mailbox was full, and it ends when it is"};
}
[[nodiscard]] inline Status crash(std::string what) { return {Code::internal, std::move(what)}; }

[[nodiscard]] inline bool abnormal(const Status& reason) noexcept {
  return !reason.ok() && reason.code() != Code::cancelled;
}
// "normal", "shutdown", "killed", "noproc", "noconnection", "overload", "crash" or "failed".
[[nodiscard]] std::string_view name(const Status& reason) noexcept;

}  // namespace cobus::exit_reason
