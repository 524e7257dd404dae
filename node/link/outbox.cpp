// SPDX-License-Identifier: Apache-2.0
#include "node/link/outbox.hpp"

#include <utility>

#include "node/runtime/check.hpp"
#include "proto/codec.hpp"
#include "proto/limits.hpp"

namespace cobus::link {
namespace {

// Session, sequence and acknowledgement with their tags, at their longest.
constexpr std::size_t frame_header_bytes_max = 9 + 11 + 11;

}  // namespace

std::size_t chunk_bytes_max() noexcept { return limits::frame_bytes_max - frame_header_bytes_max; }

bool Outbox::push(std::string& chunk) {
  if (bytes_ + chunk.size() > limits::peer_window_bytes_max) return false;
  bytes_ += chunk.size();
  chunks_.push_back(std::move(chunk));
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
    chunks_.push_back(std::move(essential));
  }
  return rest;
}

std::size_t Outbox::fill(std::string& frame) const {
  std::size_t count = 0;
  for (const std::string& chunk : chunks_) {
    if (count > 0 && frame.size() + chunk.size() > limits::frame_bytes_target) break;
    frame += chunk;
    ++count;
  }
  return count;
}

void Outbox::pop(std::size_t count) {
  COBUS_CHECK(count <= chunks_.size());
  for (; count > 0; --count) {
    bytes_ -= chunks_.front().size();
    chunks_.pop_front();
  }
}

std::deque<std::string> Outbox::take() {
  bytes_ = 0;
  return std::exchange(chunks_, {});
}

}  // namespace cobus::link
