// SPDX-License-Identifier: Apache-2.0
#include "node/worker/exit_reason.hpp"

namespace cobus::exit_reason {

std::string_view name(const Status& reason) noexcept {
  switch (reason.code()) {
    case Code::ok:
      return "normal";
    case Code::cancelled:
      return "shutdown";
    case Code::aborted:
      return "killed";
    case Code::not_found:
      return "noproc";
    case Code::unavailable:
      return "noconnection";
    case Code::resource_exhausted:
      return "overload";
    case Code::internal:
      return "crash";
    default:
      return "failed";
  }
}

}  // namespace cobus::exit_reason
