// SPDX-License-Identifier: Apache-2.0
#include "node/link/outbox.hpp"

#include <atomic>
#include <utility>

#include "node/runtime/check.hpp"
#include "proto/codec.hpp"
#include "proto/limits.hpp"

namespace cobus::link {
namespace {

// Session, sequence and acknowledgement with their tags, at their longest.
constexpr std::size_t frame_header_bytes_max = 9 + 11 + 11;
// To copy less than that is as cheap.
constexpr std::size_t alone_bytes_min = 4096;

}  // namespace

std::size_t chunk_bytes_max() noexcept { return limits::frame_bytes_max - frame_header_bytes_max; }

bool Outbox::Chunk::is_ours() const noexcept {
  if (bytes_.use_count() != 1) return false;
  std::atomic_thread_fence(std::memory_order_acquire);  // what it read it has read
  return true;
}

std::string Outbox::Chunk::take() {
  if (!is_ours()) return std::string(envelopes());
  bytes_->resize(size_);
  return std::move(*bytes_);
}

std::shared_ptr<std::string> Outbox::Chunk::to_write_behind() {
  bytes_->resize(size_);
  return bytes_;
}

bool Outbox::Chunk::append(std::string_view envelopes) {
  const std::size_t together = size_ + envelopes.size();
  if (together + frame_header_bytes_max > bytes_->capacity() || !is_ours()) return false;
  bytes_->resize(size_);
  *bytes_ += envelopes;
  size_ = together;
  return true;
}

bool Outbox::push(std::string& chunk) {
  if (waiting_ + chunk.size() > limits::peer_waiting_bytes_max) return false;
  const bool joins = waiting_ != 0 && fits(chunks_.back(), chunk.size() + frame_header_bytes_max) &&
                     chunks_.back().append(chunk);
  bytes_ += chunk.size();
  waiting_ += chunk.size();
  if (!joins) chunks_.emplace_back(std::move(chunk));
  return true;
}

std::string Outbox::push_essential(std::string_view chunk) {
  std::string essential;
  std::string rest;
  static_cast<void>(read_frame(chunk, [&](const EnvelopeView& view) {
    const v1::Kind kind = view.header.kind;
    const bool may_be_refused = kind == v1::MESSAGE || kind == v1::REQUEST || kind == v1::ITEM;
    append_envelope(may_be_refused ? rest : essential, view.header, view.payload);
  }));
  if (!essential.empty()) {
    bytes_ += essential.size();
    waiting_ += essential.size();
    chunks_.emplace_back(std::move(essential));
  }
  return rest;
}

std::size_t Outbox::fill(std::string& frame) const {
  std::size_t count = 0;
  const bool again = next_ < frames_.size();
  for (std::size_t at = next_chunk_; at < chunks_.size(); ++at, ++count) {
    const bool full = again ? count == frames_[next_] : count > 0 && !fits(chunks_[at], frame.size());
    if (full) break;
    frame += chunks_[at].envelopes();
  }
  return count;
}

std::shared_ptr<std::string> Outbox::alone() {
  Chunk& chunk = chunks_[next_chunk_];
  const bool others = next_ < frames_.size()
                          ? frames_[next_] != 1
                          : next_chunk_ + 1 < chunks_.size() &&
                                fits(chunks_[next_chunk_ + 1], chunk.size() + frame_header_bytes_max);
  if (others || chunk.size() < alone_bytes_min || !chunk.is_ours()) return nullptr;
  return chunk.to_write_behind();
}

void Outbox::sent(std::size_t chunks) {
  COBUS_CHECK(next_chunk_ + chunks <= chunks_.size());
  if (next_ == frames_.size()) {
    frames_.push_back(chunks);
    for (std::size_t i = 0; i < chunks; ++i) waiting_ -= chunks_[next_chunk_ + i].size();
  }
  ++next_;
  next_chunk_ += chunks;
}

bool Outbox::acknowledge(std::uint64_t sequence, Spares* spares) {
  if (sequence <= acknowledged_) return true;
  if (sequence - acknowledged_ > frames_.size()) return false;
  for (; acknowledged_ < sequence; ++acknowledged_) {
    const std::size_t chunks = frames_.front();
    frames_.pop_front();
    for (std::size_t i = 0; i < chunks; ++i) {
      Chunk& chunk = chunks_.front();
      bytes_ -= chunk.size();
      if (spares != nullptr && chunk.is_ours()) spares->add(chunk.take());
      chunks_.pop_front();
    }
    // One that was to go again, and had arrived all the same, goes no more.
    if (next_ > 0) {
      --next_;
      next_chunk_ -= chunks;
    }
  }
  return true;
}

void Outbox::rewind() noexcept {
  next_ = 0;
  next_chunk_ = 0;
}

std::deque<std::string> Outbox::take_unacknowledged() {
  std::deque<std::string> taken;
  for (const std::size_t chunks : std::exchange(frames_, {})) {
    for (std::size_t i = 0; i < chunks; ++i) {
      bytes_ -= chunks_.front().size();
      taken.push_back(chunks_.front().take());
      chunks_.pop_front();
    }
  }
  acknowledged_ = 0;
  rewind();
  return taken;
}

std::deque<std::string> Outbox::take() {
  bytes_ = waiting_ = 0;
  frames_.clear();
  acknowledged_ = 0;
  rewind();
  std::deque<std::string> taken;
  for (; !chunks_.empty(); chunks_.pop_front()) taken.push_back(chunks_.front().take());
  return taken;
}

}  // namespace cobus::link
