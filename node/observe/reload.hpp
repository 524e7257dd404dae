// SPDX-License-Identifier: Apache-2.0
//
// Reload: what a daemon does at SIGHUP. Reads its options again, as at its start, and takes over what can
// change while it runs: how it logs. What else has changed is named, for the next start. Made by main; called
// by the thread of the signals.
#pragma once

#include <string>
#include <vector>

#include "node/runtime/options.hpp"

namespace cobus {

class Reload {
 public:
  // `now` are the values that the daemon runs with; `table` and the words must outlive it.
  Reload(std::string program, const std::vector<OptionSpec>& table, int argc, const char* const* argv,
         OptionValues now);

  // Logs what it did; options that are wrong change nothing.
  void operator()();

 private:
  std::string program_;
  const std::vector<OptionSpec>& table_;
  int argc_;
  const char* const* argv_;
  OptionValues now_;
};

}  // namespace cobus
