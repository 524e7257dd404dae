// SPDX-License-Identifier: Apache-2.0
//
// Outbox: what waits to go to one node, as chunks of whole envelopes, bounded in bytes. It fills
// frames with as many chunks as belong together, so many small submissions leave in few frames. A chunk
// leaves only when its frame was taken by the transport. Used under the link's lock.
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>

#include "proto/limits.hpp"

namespace cobus::link {

// The most that one chunk may hold: a frame's worth.
[[nodiscard]] std::size_t chunk_bytes_max() noexcept;

class Outbox {
 public:
  // False when the window is full; `chunk` is then unchanged.
  [[nodiscard]] bool push(std::string& chunk);
  // Of a chunk that found no room: takes beyond the window what may not be lost while the session lasts:
  // answers, and what workers are to know of one another. Its senders cannot choose how much of it there is.
  // Gives the rest, messages, requests and items: their senders, or both ends of the stream, hear of it.
  [[nodiscard]] std::string push_essential(std::string_view chunk);
  // So much was taken beyond the window that the peer has to go.
  [[nodiscard]] bool overrun() const noexcept { return bytes_ > limits::peer_essential_bytes_max; }

  // Appends chunks to `frame` (which holds its header) up to the target size, at least one. Gives how
  // many; they stay here until they are popped.
  [[nodiscard]] std::size_t fill(std::string& frame) const;
  void pop(std::size_t count);
  // All that waited.
  [[nodiscard]] std::deque<std::string> take();

  [[nodiscard]] bool empty() const noexcept { return chunks_.empty(); }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

 private:
  std::deque<std::string> chunks_;
  std::size_t bytes_ = 0;
};

}  // namespace cobus::link
