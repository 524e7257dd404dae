// SPDX-License-Identifier: Apache-2.0
#include "client/cli/progress.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "client/cli/units.hpp"

namespace cobus::client {
namespace {

constexpr double smoothing_s = 5;  // how long ago what was measured still counts
constexpr std::size_t bar_width = 22;

double seconds_between(TimePoint from, TimePoint to) {
  return std::chrono::duration<double>(to - from).count();
}

std::string spinner(TimePoint started, TimePoint now, bool unicode) {
  static constexpr std::array<std::string_view, 10> dots = {"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"};
  static constexpr std::array<std::string_view, 4> strokes = {"|", "/", "-", "\\"};
  const auto turn = static_cast<std::size_t>(std::max(0.0, seconds_between(started, now)) * 10);
  return std::string(unicode ? dots[turn % dots.size()] : strokes[turn % strokes.size()]);
}

// Of things that may take long each.
std::string rate_text(double each_second) {
  if (each_second <= 0 || each_second >= 0.5) return short_count(each_second) + "/s";
  const double each_minute = each_second * 60;
  return each_minute >= 0.5 ? short_count(each_minute) + "/min" : short_count(each_minute * 60) + "/h";
}

std::string left_text(std::optional<Duration> left) {
  return left ? short_duration(*left) + " left" : "-- left";
}

}  // namespace

void RateMeter::update(double value, TimePoint now) {
  if (!first_ || value < value_) {
    *this = RateMeter();
    first_ = now;
  } else {
    const double since = seconds_between(last_, now);
    if (since <= 0) return;
    const double age = seconds_between(*first_, now);
    // Early on a plain mean, later one that forgets.
    const double weight = since / std::min(age, smoothing_s);
    rate_ += std::min(1.0, weight) * ((value - value_) / since - rate_);
  }
  value_ = value;
  last_ = now;
}

std::optional<Duration> RateMeter::left(double target) const {
  if (rate_ <= 0) return std::nullopt;
  const double s = std::max(0.0, target - value_) / rate_;
  if (s > 1e8) return std::nullopt;
  return Duration(static_cast<std::int64_t>(s * 1e9));
}

void CallProgress::update(double fraction, std::string_view note, TimePoint now) {
  note_ = printable(note);
  waits_for_.clear();
  if (!(fraction >= 0)) return;
  fraction_ = std::min(fraction, 1.0);
  meter_.update(*fraction_, now);
}

std::string CallProgress::line(TimePoint now, const StreamTraits& traits) const {
  const Duration taken = now - started_;
  if (!fraction_) {
    const std::string& what = note_.empty() ? waits_for_ : note_;
    return fmt::format("Please wait ... {} {}{}{}", spinner(started_, now, traits.unicode),
                       short_duration(taken), what.empty() ? "" : "  ", what);
  }
  // Whole per cents are not announced before they are reached.
  const int percent = static_cast<int>(*fraction_ * 100);
  return fmt::format("{} {:3}%  {}%/s  {}{}{}", bar(*fraction_, bar_width, traits.unicode), percent,
                     short_count(meter_.rate() * 100), left_text(meter_.left(1.0)), note_.empty() ? "" : "  ",
                     note_);
}

std::string map_line(const MapProgress& progress, const RateMeter& meter, TimePoint started, TimePoint now,
                     const StreamTraits& traits) {
  if (progress.done == 0 && progress.running_part <= 0) {
    return fmt::format("Please wait ... {} {}  {} running", spinner(started, now, traits.unicode),
                       short_duration(now - started), progress.running);
  }
  const std::string failed = fmt::format("{} failed", progress.failed);
  if (!progress.total) {
    return fmt::format("{} {} done  {}  {}", spinner(started, now, traits.unicode),
                       progress.done - progress.failed, failed, rate_text(meter.rate()));
  }
  const auto total = static_cast<double>(*progress.total);
  const double done = static_cast<double>(progress.done) + progress.running_part;
  return fmt::format("{} {}/{}  {}  {}  {}", bar(total > 0 ? done / total : 1.0, bar_width, traits.unicode),
                     progress.done, *progress.total, failed, rate_text(meter.rate()),
                     left_text(meter.left(total)));
}

std::string bar(double fraction, std::size_t width, bool unicode) {
  if (width < 3) return {};
  const std::size_t inside = width - 2;
  const double filled = std::clamp(fraction, 0.0, 1.0) * static_cast<double>(inside);
  const auto whole = static_cast<std::size_t>(filled);
  std::string out(unicode ? "▕" : "[");
  if (!unicode) {
    out.append(whole, '#').append(inside - whole, '-');
    return out + ']';
  }
  static constexpr std::array<std::string_view, 8> eighths = {" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  for (std::size_t i = 0; i < whole; ++i) out += "█";
  if (whole < inside) {
    out += eighths[static_cast<std::size_t>((filled - static_cast<double>(whole)) * 8)];
    out.append(inside - whole - 1, ' ');
  }
  return out + "▏";
}

}  // namespace cobus::client
