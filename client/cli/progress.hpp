// SPDX-License-Identifier: Apache-2.0
//
// Progress: what the status line says while something runs elsewhere: a spinner until progress is known,
// then a bar with rate and time left. Meters measure; the render functions make text of them. Pure: the
// caller gives the time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "client/cli/terminal.hpp"
#include "node/runtime/clock.hpp"

namespace cobus::client {

// How fast a growing number grows, over the last seconds.
class RateMeter {
 public:
  // The number is `value` at `now`. One that shrinks starts anew.
  void update(double value, TimePoint now);
  // A second; 0 while unknown.
  [[nodiscard]] double rate() const noexcept { return rate_; }
  // Until `target` is reached at this rate; nothing while unknown.
  [[nodiscard]] std::optional<Duration> left(double target) const;

 private:
  double value_ = 0;
  double rate_ = 0;
  std::optional<TimePoint> first_;
  TimePoint last_{};
};

// Progress of one call or job.
class CallProgress {
 public:
  explicit CallProgress(TimePoint started) : started_(started) {}
  // `fraction` is negative when only the note is known.
  void update(double fraction, std::string_view note, TimePoint now);
  // What it waits for, shown beside the spinner.
  void waits_for(std::string reason) { waits_for_ = std::move(reason); }
  [[nodiscard]] std::string line(TimePoint now, const StreamTraits& traits) const;

 private:
  TimePoint started_;
  std::optional<double> fraction_;
  std::string note_;
  std::string waits_for_;
  RateMeter meter_;
};

// Progress of many requests. The meter of its line is that of `done` and `running_part` together.
struct MapProgress {
  std::uint64_t done = 0;  // failed ones included
  std::uint64_t failed = 0;
  std::uint64_t running = 0;
  double running_part = 0;             // how much of those is done: 1 is one whole request
  std::optional<std::uint64_t> total;  // unknown while the input goes on
};
[[nodiscard]] std::string map_line(const MapProgress& progress, const RateMeter& meter, TimePoint started,
                                   TimePoint now, const StreamTraits& traits);

// "[######----------]" of `width` columns, finer where the terminal can.
[[nodiscard]] std::string bar(double fraction, std::size_t width, bool unicode);

}  // namespace cobus::client
