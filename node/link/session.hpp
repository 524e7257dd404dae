// SPDX-License-Identifier: Apache-2.0
//
// Session: what two nodes agree on while they have each other, whichever connection carries it: its number,
// the numbers of frames from 1 in each direction, and what has come in already. It goes on over a new
// connection, so a frame may come again; one that is missing is noticed. It does no I/O: it writes the header
// of what goes out and judges the header of what came in. What went out and is not acknowledged is kept by
// Outbox.
#pragma once

#include <cstdint>
#include <string>

#include "proto/codec.hpp"
#include "proto/status.hpp"

namespace cobus::link {

class Session {
 public:
  // What a frame is.
  enum class Verdict : std::uint8_t {
    fresh,   // the next one: its envelopes count
    repeat,  // it came before, over another connection
    beat,    // not numbered: only a sign of life
  };

  Session() = default;
  // `number` is chosen by the side that dialled first.
  explicit Session(std::uint64_t number) noexcept : number_(number) {}
  [[nodiscard]] std::uint64_t number() const noexcept { return number_; }
  // The highest sequence received; none is missing below it.
  [[nodiscard]] std::uint64_t received() const noexcept { return received_; }
  // A frame has come, so the other side has this session too, and knows that we do. Before that only frames
  // without a number are sent, so the session can be left for another one with nothing lost or said twice.
  [[nodiscard]] bool confirmed() const noexcept { return confirmed_; }

  // Begins frame number `sequence` in `frame`.
  void write_header(std::string& frame, std::uint64_t sequence) const;
  // A whole frame that only shows that we live, what we have received and, so that the last one is missed
  // too, the number of the last frame that went before on this connection (0: none).
  void write_beat(std::string& frame, std::uint64_t sent) const;
  // The same, and says that we end the session. `reason` is not ok.
  void write_end(std::string& frame, std::uint64_t sent, const Status& reason) const;

  // INTERNAL when `header` cannot be of this session, which must end; DATA_LOSS when a frame is missing: it
  // comes again over another connection. Neither changes anything.
  [[nodiscard]] Result<Verdict> receive(const FrameHeader& header);

 private:
  std::uint64_t number_ = 0;
  std::uint64_t received_ = 0;
  bool confirmed_ = false;
};

}  // namespace cobus::link
