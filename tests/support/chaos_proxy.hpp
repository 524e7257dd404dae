// SPDX-License-Identifier: Apache-2.0
//
// ChaosProxy: a TCP proxy on loopback that does to connections what networks do: delay and jitter, a trickle
// instead of a stream, half-open connections, resets, cut-off and damaged and repeated bytes. It serves any
// number of connections on a thread of its own. Faults hold from when they are set until they are taken back.
// All calls by any one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

namespace cobus {

class ChaosProxy {
 public:
  struct Faults {
    std::chrono::milliseconds delay{0};   // of each piece of data, each way
    std::chrono::milliseconds jitter{0};  // up to so much more; the order is kept
    std::size_t bytes_per_second = 0;     // each way; 0: as fast as it goes
    unsigned flip_one_in = 0;             // pieces of data with one bit turned
    unsigned repeat_one_in = 0;           // pieces that come twice
    unsigned truncate_one_in = 0;         // pieces that break off in the middle, and the connection ends
    bool swallow = false;                 // nothing passes, and nobody is told: half open
    bool refuse = false;                  // new connections are ended at once
  };

  // In front of 127.0.0.1:`port`. Throws std::system_error when there is no port to be had.
  ChaosProxy(std::uint16_t port, std::uint64_t seed);
  ~ChaosProxy();
  ChaosProxy(const ChaosProxy&) = delete;
  ChaosProxy& operator=(const ChaosProxy&) = delete;

  // tcp://127.0.0.1:PORT
  [[nodiscard]] std::string endpoint() const;
  void set(const Faults& faults);
  // Ends all connections with a reset, both ways.
  void reset_all();
  // Connections that carry nothing from now on, for ever; new ones do.
  void forget_all();
  // That were ever accepted.
  [[nodiscard]] std::size_t accepted() const;

 private:
  struct Body;
  std::unique_ptr<Body> body_;
};

}  // namespace cobus
