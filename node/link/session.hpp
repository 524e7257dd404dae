// SPDX-License-Identifier: Apache-2.0
//
// Session: the numbering of frames between two nodes. Frames with envelopes are numbered from 1 in each
// direction, so that a gap or a repetition is noticed; beats are not numbered. It does no I/O: it
// writes the header of what goes out and judges the header of what came in.
#pragma once

#include <cstdint>
#include <string>

#include "proto/codec.hpp"
#include "proto/status.hpp"

namespace cobus::link {

class Session {
 public:
  Session() = default;
  // `number` is chosen by the side that dialled.
  explicit Session(std::uint64_t number) noexcept : number_(number) {}
  [[nodiscard]] std::uint64_t number() const noexcept { return number_; }

  // Begins the next numbered frame in `frame`. It counts once sent() is called; until then the same
  // number is written again.
  void begin_frame(std::string& frame) const;
  void sent() noexcept { ++sent_; }
  // A whole frame that only shows that we live and what we have received.
  void write_beat(std::string& frame) const;

  // INTERNAL when `header` cannot be of this session, DATA_LOSS when a frame is missing or came
  // twice; such a session must end.
  [[nodiscard]] Status receive(const FrameHeader& header);

 private:
  std::uint64_t number_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t received_ = 0;
};

}  // namespace cobus::link
