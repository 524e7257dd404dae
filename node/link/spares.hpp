// SPDX-License-Identifier: Apache-2.0
//
// Spares: buffers of chunks that have gone, for those to come. Memory of their size, once freed, may go back
// to the system, to be had anew page by page. Not safe for threads.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "proto/limits.hpp"

namespace cobus::link {

class Spares {
 public:
  // Frees it when there are enough, or it is not worth keeping.
  void add(std::string&& buffer) {
    if (buffers_.size() < count_max && buffer.capacity() >= limits::frame_bytes_target / 4 &&
        buffer.capacity() <= capacity_max)
      buffers_.push_back(std::move(buffer));
  }
  // An empty string, with room when there is a spare.
  [[nodiscard]] std::string take() noexcept {
    std::string buffer;
    if (buffers_.empty()) return buffer;
    buffer = std::move(buffers_.back());
    buffers_.pop_back();
    buffer.clear();
    return buffer;
  }
  // Fills up those of `to`.
  void move_to(Spares& to) {
    for (std::string& buffer : buffers_) to.add(std::move(buffer));
    buffers_.clear();
  }
  [[nodiscard]] bool empty() const noexcept { return buffers_.empty(); }

 private:
  static constexpr std::size_t count_max = 32;
  // Also that of a part, with the envelope and the frame header around it.
  static constexpr std::size_t capacity_max = limits::part_bytes + 1024;
  static_assert(capacity_max >= 2 * limits::frame_bytes_target);
  std::vector<std::string> buffers_;
};

}  // namespace cobus::link
