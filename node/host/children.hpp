// SPDX-License-Identifier: Apache-2.0
//
// Children: the child processes of a node. Starts each, waits for their ends on a thread of its own, starts
// again what ended, and ends all when the node stops. Owned by the daemon. What a child does is none of its
// business: a child is a node, and finds its cluster itself.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "node/host/child_process.hpp"
#include "node/host/restarts.hpp"

namespace cobus::host {

class Children {
 public:
  // Returns before any of them runs. RESOURCE_EXHAUSTED when there is no descriptor to be had.
  [[nodiscard]] static Result<std::unique_ptr<Children>> start(std::vector<ChildCommand> commands);
  // As ask_to_stop() without patience, and join().
  ~Children();
  Children(const Children&) = delete;
  Children& operator=(const Children&) = delete;

  // Sends SIGTERM to all; kills those that still run after `patience`. None is started any more. Returns at
  // once; the first call counts. Any thread.
  void ask_to_stop(Duration patience);
  // Waits until all have ended, after ask_to_stop(). Idempotent; the owner's thread.
  void join();

 private:
  struct Child {
    Child(ChildCommand of, Random& random) : command(std::move(of)), restarts(random) {}
    ChildCommand command;
    Restarts restarts;
    std::optional<ChildProcess> process;
    TimePoint start_at{};
    bool say = true;  // whether its next start is worth a line
  };

  Children(std::vector<ChildCommand> commands, int wake);
  void run();
  void start_due(TimePoint now);
  void start_one(Child& child, TimePoint now);
  void look(TimePoint now, bool stopping);
  void tell_end(Child& child, const std::string& cause, TimePoint now);
  // For the end of a child, for `until`, and with `wakes` for being asked to stop.
  void wait(TimePoint until, bool wakes);
  [[nodiscard]] bool any_runs() const;
  [[nodiscard]] TimePoint next_start() const;
  void end_all();

  std::vector<Child> children_;  // the thread's
  const int wake_;               // an eventfd, readable when asked to stop
  std::mutex mutex_;
  std::optional<Duration> stop_patience_;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace cobus::host
