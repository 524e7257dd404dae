// SPDX-License-Identifier: Apache-2.0
#include "node/link/session.hpp"

#include <fmt/format.h>

namespace cobus::link {

void Session::write_header(std::string& frame, std::uint64_t sequence) const {
  append_frame_header(frame, {.session = number_, .sequence = sequence, .acknowledged = received_});
}

void Session::write_beat(std::string& frame, std::uint64_t sent) const {
  append_frame_header(frame, {.session = number_, .acknowledged = received_, .sent = sent});
}

void Session::write_end(std::string& frame, std::uint64_t sent, const Status& reason) const {
  const std::string said = encode_status(reason);
  append_frame_header(frame, {.session = number_, .acknowledged = received_, .end = said, .sent = sent});
}

Result<Session::Verdict> Session::receive(const FrameHeader& header) {
  if (header.has_hello()) return fail(Code::internal, "a second Hello came");
  if (header.session != number_) {
    return fail(Code::internal,
                fmt::format("a frame of session {:x} came in session {:x}", header.session, number_));
  }
  if (header.sequence == 0 && header.sent > received_) {
    return fail(Code::data_loss, fmt::format("frame {} was sent and did not come", header.sent));
  }
  confirmed_ = true;
  if (header.sequence == 0) return Verdict::beat;
  if (header.sequence <= received_) return Verdict::repeat;
  if (header.sequence != received_ + 1) {
    return fail(Code::data_loss,
                fmt::format("frame {} came where {} was due", header.sequence, received_ + 1));
  }
  ++received_;
  return Verdict::fresh;
}

}  // namespace cobus::link
