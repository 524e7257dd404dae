// SPDX-License-Identifier: Apache-2.0
//
// cobus-broker: serves discovery and enrolment. A shell: options, signals, exit code.
#include <spdlog/spdlog.h>

#include <cstdio>

#include "broker/broker.hpp"
#include "node/observe/log.hpp"
#include "node/observe/reload.hpp"
#include "node/runtime/descriptor_limit.hpp"
#include "node/runtime/exit_code.hpp"
#include "node/runtime/signals.hpp"

namespace {

int complain(const cobus::Status& status) {
  std::fprintf(stderr, "cobus-broker: %s\n", status.message().c_str());
  return cobus::exit_code(status.code());
}

}  // namespace

int main(int argc, char** argv) {
  cobus::SignalGate signals;  // before any thread
  cobus::raise_descriptor_limit();
  auto parsed =
      cobus::parse_options("cobus-broker", "The broker of a cobus cluster: who is there, and who may join.",
                           cobus::broker::broker_options(), argc, argv);
  if (!parsed) return complain(parsed.error());
  if (parsed->check) {
    if (const cobus::Status checked = cobus::broker::Broker::check(parsed->values); !checked.ok())
      return complain(checked);
  }
  if (parsed->finished) {
    std::fputs(parsed->output.c_str(), stdout);
    return 0;
  }
  cobus::set_up_log("cobus-broker", parsed->values.text("log-level"), parsed->values.text("log-format"));
  auto broker = cobus::broker::Broker::open(parsed->values);
  if (!broker) return complain(broker.error());
  cobus::Reload reload("cobus-broker", cobus::broker::broker_options(), argc, argv, parsed->values);
  signals.on_reload([&reload] { reload(); });
  (*broker)->start();
  const std::string join = ((*broker)->join_folder() / "node").string();
  std::fprintf(stderr, "cobus-broker is ready at %s; join string in %s; next: cobus-node --join @%s\n",
               (*broker)->address().c_str(), join.c_str(), join.c_str());
  signals.wait();
  spdlog::info("stopping");
  signals.on_reload({});
  (*broker)->stop();
  return 0;
}
