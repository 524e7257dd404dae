// SPDX-License-Identifier: Apache-2.0
//
// The message that most tests of workers send.
#pragma once

#include <string>
#include <utility>

#include "echo.pb.h"

namespace cobus {

[[nodiscard]] inline echo::EchoRequest say(std::string text) {
  echo::EchoRequest request;
  request.set_text(std::move(text));
  return request;
}

}  // namespace cobus
