// SPDX-License-Identifier: Apache-2.0
//
// StatusLine: draws the console's status line again ten times a second while a verb's coroutine waits for
// something else. Nothing at all happens where stderr is no terminal. Owned by a coroutine; ends with it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "client/cli/console.hpp"
#include "node/worker/self.hpp"

namespace cobus::client {

class StatusLine {
 public:
  // What to show; called on the shard. What it refers to must outlive *this.
  using Render = std::function<std::string(TimePoint now)>;

  StatusLine(Self self, Console& console, Render render);
  ~StatusLine() { end(); }
  StatusLine(const StatusLine&) = delete;
  StatusLine& operator=(const StatusLine&) = delete;

  // Takes the line away. Idempotent.
  void end();

 private:
  struct Shared {
    Console* console;
    Render render;  // empty once it ended
  };
  static Task<> draw(Self self, std::shared_ptr<Shared> shared);

  std::shared_ptr<Shared> shared_;
};

// One with a spinner, the time, and what it waits for.
[[nodiscard]] StatusLine please_wait(Self self, Console& console, const std::string& what);

}  // namespace cobus::client
