// SPDX-License-Identifier: Apache-2.0
//
// FrameIn: a frame that arrived: its bytes, and a share of the buffer that they lie in for whoever keeps some
// of them. Handed on by value; valid for as long as the call that has it.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace cobus::link {

class FrameIn {
 public:
  static constexpr std::size_t share_min = 1024;
  using Share = std::shared_ptr<const void> (*)(void* owner);
  // `share(owner)` keeps `bytes` where they are for as long as what it gives lives, on any thread.
  FrameIn(std::string_view bytes, Share share, void* owner) noexcept
      : bytes_(bytes), share_(share), owner_(owner) {}
  // A whole string, which `frame` shares; it must outlive this.
  explicit FrameIn(const std::shared_ptr<const std::string>& frame) noexcept
      : FrameIn(*frame, &share_of_string, const_cast<std::shared_ptr<const std::string>*>(&frame)) {}

  [[nodiscard]] std::string_view bytes() const noexcept { return bytes_; }
  // Counted, and made when it is first asked for. Of a frame of more than share_min bytes only: a small one
  // may lie in what is overwritten by the next. Throws std::bad_alloc.
  [[nodiscard]] std::shared_ptr<const void> share() const { return share_(owner_); }

 private:
  static std::shared_ptr<const void> share_of_string(void* frame) {
    return *static_cast<const std::shared_ptr<const std::string>*>(frame);
  }

  std::string_view bytes_;
  Share share_;
  void* owner_;
};

}  // namespace cobus::link
