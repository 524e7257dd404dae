// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <thread>

#include "node/daemon/daemon.hpp"
#include "node/daemon/isolation.hpp"
#include "node/host/module.hpp"
#include "node/link/reach_probe.hpp"
#include "node/link/state_folder_check.hpp"

namespace cobus::daemon {
namespace {

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "node";
  return std::string(name.data()).substr(0, std::string_view(name.data()).find('.'));
}

Status check_name(const std::string& name) {
  if (is_node_name(name)) return {};
  return {Code::invalid_argument,
          "--name: '" + name + "' is not a node name (" + std::string(node_name_rule) + ")"};
}

unsigned cores_unless(std::int64_t given) {
  return given > 0 ? static_cast<unsigned>(given) : std::max(1U, std::thread::hardware_concurrency());
}

// All but the join string.
Result<Setup> values_of(const OptionValues& options) {
  Setup setup;
  if (const Status checked = link::check_state_folder(options.text("state")); !checked.ok())
    return fail(checked);
  const std::filesystem::path state = link::state_folder(options.text("state"));
  if (const Status checked = link::check_private_folder(state); !checked.ok()) return fail(checked);
  setup.name_given = !options.text("name").empty();
  setup.name = setup.name_given ? options.text("name") : host_name();
  if (const Status checked = check_name(setup.name); !checked.ok()) return fail(checked);
  setup.state = state / "nodes" / setup.name;
  setup.join_given = !options.text("join").empty();
  setup.listen = options.text("listen");
  if (const Status checked = link::check_listen(setup.listen); !checked.ok()) return fail(checked);
  setup.advertise = options.text("advertise");
  if (!setup.advertise.empty()) {
    if (const Status checked = link::check_advertise(setup.advertise); !checked.ok()) return fail(checked);
  }
  setup.modules = options.list("service");
  setup.child = !options.text("child-of").empty();
  for (const std::string& label : options.list("label")) {
    const std::size_t equals = label.find('=');
    if (equals == 0 || equals == std::string::npos) {
      return fail(Code::invalid_argument, "--label: '" + label + "' is not of the form KEY=VALUE");
    }
    setup.labels[label.substr(0, equals)] = label.substr(equals + 1);
  }
  setup.shards = cores_unless(options.number("shards"));
  setup.pool_threads = cores_unless(options.number("pool"));
  setup.idle_poll_max = std::chrono::microseconds(options.number("idle-poll-us"));
  setup.ledger = options.text("ledger") == "sqlite";
  setup.drain = std::chrono::seconds(options.number("drain"));
  return setup;
}

Result<link::JoinString> join_of(const OptionValues& options, const Setup& setup) {
  const std::filesystem::path state = setup.state.parent_path().parent_path();
  return link::find_join_string(options.text("join"), {state / "join" / "node", setup.state / "join"}, state);
}

}  // namespace

bool is_node_name(const std::string& name) {
  return !name.empty() && name.size() <= 63 && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
  }) && std::isalnum(static_cast<unsigned char>(name[0])) != 0;
}

Result<Setup> set_up(const OptionValues& options) {
  Result<Setup> setup = values_of(options);
  if (!setup) return setup;
  Result<link::JoinString> join = join_of(options, *setup);
  if (!join && join.error().code() == Code::not_found) return fail(Code::unavailable, join.error().message());
  if (!join) return fail(join.error());
  setup->join = std::move(*join);
  Result<std::vector<Isolated>> isolated = isolated_modules(options, *setup);
  if (!isolated) return fail(std::move(isolated).error());
  for (const Isolated& module : *isolated) setup->children.push_back(child_command(options, *setup, module));
  return setup;
}

Status check(const OptionValues& options) {
  const Result<Setup> setup = values_of(options);
  if (!setup) return setup.error();
  const Result<link::JoinString> join = join_of(options, *setup);
  if (!join && (setup->join_given || join.error().code() != Code::not_found)) return join.error();
  if (const auto modules = host::load_modules(setup->modules); !modules) return modules.error();
  // Those of children are not loaded here: a crash of theirs must not reach this process.
  if (const auto isolated = isolated_modules(options, *setup); !isolated) return isolated.error();
  return {};
}

}  // namespace cobus::daemon
