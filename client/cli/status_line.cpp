// SPDX-License-Identifier: Apache-2.0
#include "client/cli/status_line.hpp"

#include <utility>

#include "client/cli/progress.hpp"

namespace cobus::client {
namespace {

constexpr Duration between_frames = std::chrono::milliseconds(100);

}  // namespace

StatusLine::StatusLine(Self self, Console& console, Render render) {
  if (!console.err().moves) return;
  shared_ = std::make_shared<Shared>(Shared{&console, std::move(render)});
  console.status(shared_->render(system_clock().now()));  // the first words come at once
  self.spawn("cobus.status_line", &StatusLine::draw, shared_);
}

void StatusLine::end() {
  const auto shared = std::exchange(shared_, nullptr);
  if (!shared) return;
  shared->render = nullptr;
  shared->console->clear_status();
}

Task<> StatusLine::draw(Self /*self*/, std::shared_ptr<Shared> shared) {
  for (;;) {
    const Status slept = co_await sleep(between_frames);
    if (!slept.ok() || !shared->render) co_return;
    shared->console->status(shared->render(system_clock().now()));
  }
}

StatusLine please_wait(Self self, Console& console, const std::string& what) {
  const auto progress = std::make_shared<CallProgress>(system_clock().now());
  progress->waits_for(what);
  return StatusLine(self, console,
                    [progress, &console](TimePoint now) { return progress->line(now, console.err()); });
}

}  // namespace cobus::client
