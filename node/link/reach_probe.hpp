// SPDX-License-Identifier: Apache-2.0
//
// ReachProbe: why a TCP connection could not be made. libzmq only says that it failed, yet "nobody
// listens" (the process is gone, its host alive: a peer is down at once) and "no route" (perhaps our
// own network: wait) must not be mixed up. So the failed dialler asks the kernel itself, once.
// Owned by ZmqDialler. Never blocks.
#pragma once

#include <optional>
#include <string>

#include "node/link/transport.hpp"

namespace cobus::link {

// tcp://NUMERIC-ADDRESS:PORT, the address in brackets when it is IPv6.
[[nodiscard]] bool is_numeric_endpoint(const std::string& endpoint);

// Whether a door can be asked to listen there (port 0 takes a free one); INVALID_ARGUMENT with the right
// form.
[[nodiscard]] Status check_listen(const std::string& listen);
// Whether peers that are told `advertise` can dial it; INVALID_ARGUMENT with the right form.
[[nodiscard]] Status check_advertise(const std::string& advertise);
[[nodiscard]] bool is_ipv6_endpoint(const std::string& endpoint);

class ReachProbe {
 public:
  // Starts to connect to a numeric endpoint.
  explicit ReachProbe(const std::string& endpoint);
  ReachProbe(ReachProbe&& other) noexcept;
  ReachProbe& operator=(ReachProbe&&) = delete;
  ~ReachProbe();

  // `refused`, or `timed_out` for every other cause and when somebody does listen by now. Nothing while
  // the kernel still tries.
  [[nodiscard]] std::optional<CloseReason> outcome();
  // Becomes writable when there is an outcome.
  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }

 private:
  int descriptor_ = -1;
  int error_ = 0;  // EINPROGRESS while it is open
};

}  // namespace cobus::link
