// SPDX-License-Identifier: Apache-2.0
//
// LogWriter: writes lines to a descriptor in a thread of its own, so that a reader who stalls (a pipe that is
// full, a terminal that is paused) holds nobody who logs. The queue is bounded in bytes: lines that find it
// full are dropped and counted, and a line in their place says how many. spdlog's own asynchronous logger is
// bounded in lines only, which may be long, and its end waits for the reader for ever.
// Any thread may use it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "node/runtime/clock.hpp"

namespace cobus {

class LogWriter {
 public:
  struct Bounds {
    // Some seconds of a busy node at the level debug; little beside what else a node holds.
    std::size_t bytes_max = std::size_t{1} << 20;
    // close() gives up when the reader has taken nothing for that long, and after `close_total` in any case.
    Duration close_idle = std::chrono::seconds(1);
    Duration close_total = std::chrono::seconds(5);
  };

  // Writes to `descriptor`, which stays the caller's and open. `missing_line` makes the line, with its end,
  // that stands for that many dropped ones; it is called by the writer's thread and outlives `*this` when
  // close() had to leave that thread behind, so what it captures is owned by it.
  LogWriter(int descriptor, std::function<std::string(std::uint64_t)> missing_line, Bounds bounds);
  // As close().
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  // Queues `line`, with its end. False when it was dropped and counted: too much waits, or after close().
  // Never waits for the reader.
  bool put(std::string line);

  // Waits until all lines queued so far are written, `patience` at most. True when they are.
  bool flush(Duration patience);

  // Writes what waits, as long as the reader takes some of it, then ends the thread. A thread that a stalled
  // reader holds is left behind, and ends with the process. Idempotent; lines that come later are dropped.
  void close();

  // Lines that were dropped so far, also those that could not be written.
  [[nodiscard]] std::uint64_t dropped() const;

 private:
  struct State;
  static void run(const std::shared_ptr<State>& state);

  const Bounds bounds_;
  std::shared_ptr<State> state_;
  std::thread thread_;
};

}  // namespace cobus
