// SPDX-License-Identifier: Apache-2.0
//
// Figure: what a bench program says on its standard output: one line of JSON a measurement, which
// run.py reads. Its conditions are what a reader must know to judge it: sizes, windows, durability.
// Also the command line that all of them share: PROGRAM NAME [COUNT] [FOLDER].
#pragma once

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <initializer_list>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace cobus::bench {

using Steady = std::chrono::steady_clock;

inline double seconds_since(Steady::time_point begin) {
  return std::chrono::duration<double>(Steady::now() - begin).count();
}

// None of the texts may hold a quote or a backslash.
inline void print_figure(std::string_view unit, double value, std::string_view conditions) {
  std::printf("{\"unit\":\"%.*s\",\"value\":%.17g,\"conditions\":\"%.*s\"}\n", static_cast<int>(unit.size()),
              unit.data(), value, static_cast<int>(conditions.size()), conditions.data());
  std::fflush(stdout);
}

inline void print_versions(std::initializer_list<std::pair<std::string_view, std::string>> versions) {
  std::string line;
  for (const auto& [name, version] : versions) {
    line += (line.empty() ? "{\"" : ",\"") + std::string(name) + "\":\"" + version + "\"";
  }
  std::printf("%s}\n", line.c_str());
}

// The value below which so large a share of them lies. Of at least one value; `share` below 1.
inline double percentile(std::vector<double> values, double share) {
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(static_cast<double>(values.size()) * share);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

inline double median(std::vector<double> values) { return percentile(std::move(values), 0.5); }

// What this process has in memory, from the kernel.
inline std::uint64_t resident_bytes() {
  std::uint64_t total = 0;
  std::uint64_t resident = 0;
  std::ifstream("/proc/self/statm") >> total >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

// Processor time of all threads of this process so far.
inline double cpu_seconds() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  return static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
         static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

// Percent of one core that this process uses while the calling thread sleeps. What has just begun is
// given a moment to settle first.
inline double cpu_percent_over(std::chrono::milliseconds time) {
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  const double before = cpu_seconds();
  const auto begin = Steady::now();
  std::this_thread::sleep_for(time);
  return 100 * (cpu_seconds() - before) / seconds_since(begin);
}

// Ends the program: a measurement that went wrong has no figure.
[[noreturn]] inline void give_up(const std::string& why) {
  std::fprintf(stderr, "bench: %s\n", why.c_str());
  std::exit(1);
}

struct Arguments {
  std::string_view name;
  std::uint64_t count = 0;  // 0: the program's own choice
  std::string folder;       // for files; the present one without
};

inline Arguments parse_arguments(int argc, char** argv) {
  if (argc < 2) give_up("usage: PROGRAM NAME|versions [COUNT] [FOLDER]");
  Arguments arguments{.name = argv[1], .count = 0, .folder = argc > 3 ? argv[3] : "."};
  if (argc > 2) {
    const std::string_view text = argv[2];
    const auto read = std::from_chars(text.data(), text.data() + text.size(), arguments.count);
    if (read.ec != std::errc() || read.ptr != text.data() + text.size())
      give_up("not a count: " + std::string(text));
  }
  return arguments;
}

}  // namespace cobus::bench
