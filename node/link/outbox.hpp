// SPDX-License-Identifier: Apache-2.0
//
// Outbox: all that is for one node and not known to have arrived, as chunks of whole envelopes, bounded in
// bytes. What waits fills frames with as many chunks as belong together, so many small submissions leave in
// few frames. What was sent stays until it is acknowledged, and goes again, in the same frames under the
// same numbers, when the connection was lost. Used under the link's lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include "node/link/spares.hpp"
#include "proto/limits.hpp"

namespace cobus::link {

// The most that one chunk may hold: a frame's worth.
[[nodiscard]] std::size_t chunk_bytes_max() noexcept;

class Outbox {
 public:
  // False when as much waits as may; `chunk` is then unchanged. Else its bytes are taken, and it may still
  // have its memory.
  [[nodiscard]] bool push(std::string& chunk);
  // Of a chunk that found no room: takes beyond the bound what may not be lost while the session lasts:
  // answers, and what workers are to know of one another. Its senders cannot choose how much of it there is.
  // Gives the rest, messages, requests and items: their senders, or both ends of the stream, hear of it.
  [[nodiscard]] std::string push_essential(std::string_view chunk);
  // So much was taken beyond the bound that the peer has to go.
  [[nodiscard]] bool overrun() const noexcept { return bytes_ > limits::peer_essential_bytes_max; }

  // Whether a frame may go now: something waits, or is to go again, and the window has room.
  [[nodiscard]] bool may_send() const noexcept {
    return next_ < frames_.size() ||
           (next_chunk_ < chunks_.size() && bytes_ - waiting_ < limits::peer_window_bytes_max);
  }
  // The number of that frame.
  [[nodiscard]] std::uint64_t next_sequence() const noexcept { return last_sent() + 1; }
  // What the peer has, or should have as soon as all has come that was sent over its connection.
  [[nodiscard]] std::uint64_t last_sent() const noexcept { return acknowledged_ + next_; }
  // Appends its chunks to `frame`, which holds its header: those that it had before, or up to the target
  // size, at least one. It counts as sent once sent() is called with the result.
  [[nodiscard]] std::size_t fill(std::string& frame) const;
  void sent(std::size_t chunks);
  // The chunk that makes the next frame by itself, so that its header can be written behind it (a frame's
  // fields stand in any order) and the transport have it without a copy: it may read it for as long as it
  // holds it. Null when several chunks make the frame, the transport still reads an earlier one that begins
  // with the same bytes, or the chunk is too small to be worth it: then fill() it is.
  [[nodiscard]] std::shared_ptr<std::string> alone();

  // The peer has received everything up to `sequence`, which is forgotten, its memory kept in `spares`.
  // False, and nothing happens, when that was never sent.
  [[nodiscard]] bool acknowledge(std::uint64_t sequence, Spares* spares = nullptr);
  // Whether acknowledge(sequence) makes sense as the first word on a new connection. One that says less than
  // the peer has acknowledged was overtaken, on the connection that goes, by what it said later.
  [[nodiscard]] bool may_resume_at(std::uint64_t sequence) const noexcept {
    return sequence <= acknowledged_ || sequence - acknowledged_ <= frames_.size();
  }
  // The connection was lost: what is not acknowledged goes again.
  void rewind() noexcept;

  // Takes all chunks that were sent and not acknowledged, and then all others. Afterwards it is as new.
  [[nodiscard]] std::deque<std::string> take_unacknowledged();
  [[nodiscard]] std::deque<std::string> take();

  // Nothing is here that could be sent, now or later: all of it was, and nothing has to go again.
  [[nodiscard]] bool all_sent() const noexcept { return next_chunk_ == chunks_.size(); }
  [[nodiscard]] bool empty() const noexcept { return chunks_.empty(); }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
  // Of what was never sent.
  [[nodiscard]] std::size_t waiting_bytes() const noexcept { return waiting_; }

 private:
  class Chunk {
   public:
    explicit Chunk(std::string envelopes)
        : size_(envelopes.size()), bytes_(std::make_shared<std::string>(std::move(envelopes))) {}
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] std::string_view envelopes() const noexcept { return {bytes_->data(), size_}; }
    // Whether the transport reads it no more.
    [[nodiscard]] bool is_ours() const noexcept;
    // Those bytes, without what was written behind them.
    [[nodiscard]] std::string take();
    [[nodiscard]] std::shared_ptr<std::string> to_write_behind();
    // False when there is no room in its memory. Of one that was never sent.
    [[nodiscard]] bool append(std::string_view envelopes);

   private:
    std::size_t size_;
    std::shared_ptr<std::string> bytes_;
  };
  [[nodiscard]] bool fits(const Chunk& chunk, std::size_t before) const noexcept {
    return before + chunk.size() <= limits::frame_bytes_target;
  }

  std::deque<Chunk> chunks_;        // sent and not acknowledged, then waiting
  std::deque<std::size_t> frames_;  // how many of the chunks each sent and not acknowledged frame has
  std::uint64_t acknowledged_ = 0;  // the sequence before the first of frames_
  std::size_t next_ = 0;            // in frames_: the next to go; its size: a new one is next
  std::size_t next_chunk_ = 0;      // in chunks_: where that begins
  std::size_t bytes_ = 0;           // of all chunks
  std::size_t waiting_ = 0;         // of those that are in no frame yet
};

}  // namespace cobus::link
