// SPDX-License-Identifier: Apache-2.0
#include "node/observe/process_load.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <mutex>

namespace cobus {

v1::Load process_load() {
  using Seconds = std::chrono::duration<double>;
  static std::mutex mutex;
  static double cpu_before = 0;
  static std::chrono::steady_clock::time_point asked_before{};
  v1::Load load;
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  const double cpu = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  {
    const std::scoped_lock lock(mutex);
    const auto now = std::chrono::steady_clock::now();
    const double passed = Seconds(now - asked_before).count();
    if (passed > 0) load.set_cpu((cpu - cpu_before) / passed);
    cpu_before = cpu;
    asked_before = now;
  }
  std::uint64_t pages = 0;
  std::uint64_t resident = 0;
  if (std::ifstream statm("/proc/self/statm"); statm >> pages >> resident) {
    load.set_memory_bytes(resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)));
  }
  return load;
}

}  // namespace cobus
