// SPDX-License-Identifier: Apache-2.0
#include "node/link/session.hpp"

#include <fmt/format.h>

namespace cobus::link {

void Session::begin_frame(std::string& frame) const {
  append_frame_header(frame, {.session = number_, .sequence = sent_ + 1, .acknowledged = received_});
}

void Session::write_beat(std::string& frame) const {
  append_frame_header(frame, {.session = number_, .acknowledged = received_});
}

Status Session::receive(const FrameHeader& header) {
  if (!header.hello.empty()) return {Code::internal, "a second Hello came"};
  if (header.session != number_) {
    return {Code::internal,
            fmt::format("a frame of session {:x} came in session {:x}", header.session, number_)};
  }
  if (header.acknowledged > sent_) {
    return {Code::internal,
            fmt::format("frame {} was acknowledged, but only {} were sent", header.acknowledged, sent_)};
  }
  if (header.sequence == 0) return {};
  if (header.sequence != received_ + 1) {
    return {Code::data_loss, fmt::format("frame {} came where {} was due", header.sequence, received_ + 1)};
  }
  ++received_;
  return {};
}

}  // namespace cobus::link
