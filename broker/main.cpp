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
#include "node/runtime/standard_descriptors.hpp"
#include "proto/log_text.hpp"

namespace {

constexpr std::size_t error_bytes_max = 4096;  // a peer may send a megabyte

int complain(const cobus::Status& status) {
  cobus::say_on_stderr("cobus-broker: " + cobus::log_text(status.message(), error_bytes_max));
  return cobus::exit_code(status.code());
}

}  // namespace

int main(int argc, char** argv) {
  cobus::open_standard_descriptors();
  cobus::SignalGate signals;  // before any thread
  cobus::raise_descriptor_limit();
  const cobus::OpenLog log("cobus-broker");
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
  cobus::change_log(parsed->values.text("log-level"), parsed->values.text("log-format"));
  auto broker = cobus::broker::Broker::open(parsed->values);
  if (!broker) return complain(broker.error());
  cobus::Reload reload("cobus-broker", cobus::broker::broker_options(), argc, argv, parsed->values);
  signals.on_reload([&reload] { reload(); });
  (*broker)->start();
  const std::string join = ((*broker)->join_folder() / "node").string();
  cobus::say_on_stderr("cobus-broker is ready at " + (*broker)->address() + "; join string in " + join +
                       "; next: cobus-node --join @" + join);
  signals.wait();
  spdlog::info("stopping");
  signals.on_reload({});
  (*broker)->stop();
  return 0;
}
