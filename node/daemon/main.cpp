// SPDX-License-Identifier: Apache-2.0
//
// cobus-node: the daemon that hosts workers. A shell: options, signals, exit code.
#include <spdlog/spdlog.h>

#include <cstdio>
#include <cstdlib>

#include "node/daemon/daemon.hpp"
#include "node/daemon/isolation.hpp"
#include "node/daemon/options.hpp"
#include "node/observe/log.hpp"
#include "node/observe/reload.hpp"
#include "node/runtime/descriptor_limit.hpp"
#include "node/runtime/exit_code.hpp"
#include "node/runtime/hidden_arguments.hpp"
#include "node/runtime/signals.hpp"
#include "node/runtime/standard_descriptors.hpp"
#include "proto/log_text.hpp"

namespace {

constexpr std::size_t error_bytes_max = 4096;  // a peer may send a megabyte

int complain(const cobus::Status& status) {
  cobus::say_on_stderr("cobus-node: " + cobus::log_text(status.message(), error_bytes_max));
  return cobus::exit_code(status.code());
}

}  // namespace

int main(int argc, char** argv) {
  using cobus::daemon::Daemon;
  cobus::open_standard_descriptors();
  const cobus::HiddenArguments arguments(argc, argv);
  cobus::SignalGate signals;  // before any thread
  cobus::raise_descriptor_limit();
  const cobus::OpenLog log("cobus-node");
  auto parsed = cobus::parse_options("cobus-node", "A node of a cobus cluster: hosts workers, runs jobs.",
                                     cobus::daemon::node_options(), arguments.count(), arguments.words());
  if (!parsed) return complain(parsed.error());
  if (parsed->check) {
    if (const cobus::Status checked = cobus::daemon::check(parsed->values); !checked.ok())
      return complain(checked);
  }
  if (parsed->finished) {
    std::fputs(parsed->output.c_str(), stdout);
    return 0;
  }
  cobus::change_log(parsed->values.text("log-level"), parsed->values.text("log-format"));
  if (!parsed->values.text("child-of").empty()) {
    cobus::daemon::live_as_child(parsed->values.text("name"));
    // Until there is a daemon to stop: loading its module may never come to an end.
    signals.on_stop([] { std::_Exit(0); });
  }
  auto setup = cobus::daemon::set_up(parsed->values);
  if (!setup) return complain(setup.error());
  auto daemon = Daemon::open(std::move(*setup));
  if (!daemon) return complain(daemon.error());

  cobus::Reload reload("cobus-node", cobus::daemon::node_options(), arguments.count(), arguments.words(),
                       parsed->values);
  signals.on_reload([&reload] { reload(); });
  // Joining may take for ever while no broker answers; a signal ends it.
  signals.on_stop([&daemon] { (*daemon)->give_up(); });
  const cobus::Status started = (*daemon)->start(cobus::Duration(-1));
  signals.on_stop({});  // the gate outlives the daemon, and more signals may come while that ends
  if (!started.ok()) {
    signals.on_reload({});
    (*daemon)->stop();
    return started.code() == cobus::Code::cancelled ? 0 : complain(started);
  }
  cobus::say_on_stderr("cobus-node " + (*daemon)->name() + " is ready at " + (*daemon)->address());
  signals.wait();
  spdlog::info("stopping: no new work, work in flight gets its time");
  signals.on_reload({});
  (*daemon)->stop();
  return 0;
}
