// SPDX-License-Identifier: Apache-2.0
#include "node/daemon/isolation.hpp"

#include <fmt/format.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <new>
#include <string_view>
#include <utility>

#include "node/daemon/options.hpp"
#include "node/host/module.hpp"
#include "node/link/identity.hpp"
#include "node/runtime/exit_code.hpp"

namespace cobus::daemon {
namespace {

// "/opt/libcalc.so" -> "calc".
std::string stem_of(const std::filesystem::path& file) {
  std::string stem = file.filename().string();
  if (stem.size() > 3 && stem.ends_with(".so")) stem.resize(stem.size() - 3);
  if (stem.size() > 3 && stem.starts_with("lib")) stem.erase(0, 3);
  return stem;
}

// What a child takes before it does anything: its programs, and a stack for each thread.
Status check_memory(const OptionValues& options, const Setup& setup) {
  constexpr std::int64_t programs_mib = 64;
  constexpr std::int64_t thread_mib = 10;
  const std::int64_t given = options.number("isolate-memory");
  const std::int64_t least = programs_mib + thread_mib * (setup.shards + setup.pool_threads);
  if (given == 0 || given >= least) return {};
  return {
      Code::invalid_argument,
      fmt::format(
          "--isolate-memory: {} MiB are too little for a node with {} shards and {} threads of the pool to "
          "start: give it {} at least, or fewer threads (--shards, --pool)",
          given, setup.shards, setup.pool_threads, least)};
}

// The environment of this process without what it says of options, which are the parent's, but for the join
// string.
std::vector<std::string> environment_with(const link::JoinString& join) {
  std::vector<std::string> kept{"COBUS_JOIN=" + join.to_string()};
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const bool option = std::ranges::any_of(node_options(), [text](const OptionSpec& spec) {
      const std::string variable = variable_of(spec);
      return text.starts_with(variable) && text.substr(variable.size()).starts_with('=');
    });
    if (!option) kept.emplace_back(text);
  }
  return kept;
}

std::string& last_words() {
  static auto* words = new std::string;  // for threads that outlive static objects
  return *words;
}

[[noreturn]] void end_for_want_of_memory() {
  const std::string& words = last_words();
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, words.data(), words.size());
  std::_Exit(exit_code(Code::resource_exhausted));
}

// The allocator reserves address space for each thread that it never gives back. Where that is bounded, it
// may have an eighth of it, so that a node of many threads does not use up its bound by being started.
void reserve_little() {
  constexpr rlim_t reserved_at_once = rlim_t{64} << 20;
  rlimit bound{};
  if (::getrlimit(RLIMIT_AS, &bound) != 0 || bound.rlim_cur == RLIM_INFINITY) return;
  constexpr rlim_t most = 1024;
  ::mallopt(M_ARENA_MAX,
            static_cast<int>(std::clamp<rlim_t>(bound.rlim_cur / 8 / reserved_at_once, 1, most)));
}

}  // namespace

Result<std::vector<Isolated>> isolated_modules(const OptionValues& options, const Setup& setup) {
  if (const Status checked = check_memory(options, setup); !checked.ok()) return fail(checked);
  std::vector<Isolated> all;
  for (const std::string& file : options.list("isolate")) {
    Result<std::filesystem::path> path = host::find_module(file);
    if (!path) return fail(std::move(path).error());
    // Of the name that was given: a link may be there to choose another one.
    Isolated module{setup.name + "." + stem_of(file), std::move(*path)};
    if (!is_node_name(module.name)) {
      return fail(
          Code::invalid_argument,
          fmt::format("--isolate {}: its child would be called '{}', which is not a node name ({}): rename "
                      "the file, or choose another --name",
                      file, module.name, node_name_rule));
    }
    const auto same = std::ranges::find(all, module.name, &Isolated::name);
    if (same != all.end()) {
      return fail(
          Code::invalid_argument,
          fmt::format("--isolate {}: its child would be called {}, as that of {}: rename one of the files",
                      file, module.name, same->file.string()));
    }
    all.push_back(std::move(module));
  }
  return all;
}

host::ChildCommand child_command(const OptionValues& options, const Setup& setup, const Isolated& module) {
  host::ChildCommand command;
  command.name = module.name;
  command.program = "/proc/self/exe";  // the very same, also when the file has been replaced
  const std::string state = std::filesystem::absolute(setup.state.parent_path().parent_path()).string();
  const std::string& listen = options.text("listen");
  command.words = {"cobus-node",
                   "--child-of",
                   setup.name,
                   "--name",
                   module.name,
                   "--service",
                   module.file.string(),
                   "--ledger",
                   "none",
                   "--state",
                   state,
                   "--listen",
                   listen.substr(0, listen.rfind(':')) + ":0"};
  for (const char* same : {"shards", "pool", "idle-poll-us", "drain", "log-level", "log-format"}) {
    command.words.push_back("--" + std::string(same));
    command.words.push_back(options.text(same));
  }
  for (const std::string& label : options.list("label")) command.words.push_back("--label=" + label);
  command.environment = environment_with(setup.join);
  command.address_space_bytes_max = static_cast<std::uint64_t>(options.number("isolate-memory")) << 20;
  return command;
}

void live_as_child(const std::string& name) {
  // Else it would be listed as what it was started by, "exe".
  pthread_setname_np(pthread_self(), "cobus-node");
  last_words() = "cobus-node " + name + ": out of memory, so it ends, to be started again by its parent\n";
  // Where nothing bounds it and the machine runs out, the kernel is to choose this process, not its parent.
  std::ofstream("/proc/self/oom_score_adj") << 500;
  reserve_little();
  std::set_new_handler(&end_for_want_of_memory);
}

}  // namespace cobus::daemon
