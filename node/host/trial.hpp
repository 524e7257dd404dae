// SPDX-License-Identifier: Apache-2.0
//
// Trial: whether loading a module would end this process. libprotobuf ends a process in which the code of one
// .proto, or of one message, is registered twice, and a module's own code may do the same before anybody can
// stop it. So the module is loaded in a copy of this process first, and only the copy is lost. What the
// module does while it is loaded happens twice, the first time without anybody else in its process.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>

#include "proto/status.hpp"

namespace cobus::host {

struct Trial {
  enum class Outcome {
    loaded,     // or refused by dlopen(), which then says why here too
    lost,       // it ended its process
    no_answer,  // it took longer than `patience`, or no process could be made: nothing is known
  };
  Outcome outcome = Outcome::no_answer;
  std::string how = {};   // lost: the signal or exit code
  std::string said = {};  // lost: what libprotobuf or the exception said, a line each
};

// Loads `module` in a copy of this process. Best before there are other threads: of these the copy has none,
// and a lock that one of them holds stays held in it, which `patience` bounds.
[[nodiscard]] Trial try_to_load(const std::filesystem::path& module,
                                std::chrono::milliseconds patience = std::chrono::seconds(5));

}  // namespace cobus::host
