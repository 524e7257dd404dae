// SPDX-License-Identifier: Apache-2.0
#include "node/daemon/options.hpp"

namespace cobus::daemon {

const std::vector<OptionSpec>& node_options() {
  using Kind = OptionSpec::Kind;
  static const std::vector<OptionSpec> table = {
      {"join", Kind::text, "", "Join string, or @FILE that holds one; else STATE/join/node", 0, 0, {}},
      {"name", Kind::text, "", "Name of this node, unique in the cluster; else the host's name", 0, 0, {}},
      {"listen", Kind::text, "tcp://127.0.0.1:0", "Where peers may dial; port 0 takes a free one", 0, 0, {}},
      {"advertise", Kind::text, "", "What peers are told to dial, if not what --listen says", 0, 0, {}},
      {"service", Kind::list, "", "A module to load (FILE.so); may be repeated", 0, 0, {}},
      {"isolate",
       Kind::list,
       "",
       "A module to run in a child process, a node called NAME.STEM of FILE.so; may be repeated",
       0,
       0,
       {}},
      {"isolate-memory",
       Kind::number,
       "0",
       "Address space in MiB at which a child ends, and is started again; 0 = no bound",
       0,
       1 << 24,
       {}},
      {"child-of",
       Kind::text,
       "",
       "The node that started this one for --isolate: it offers its modules only, and ends when out of "
       "memory",
       0,
       0,
       {}},
      {"label", Kind::list, "", "A label of this node (KEY=VALUE); may be repeated", 0, 0, {}},
      {"shards", Kind::number, "0", "Threads that run workers; 0 = one a core", 0, 255, {}},
      {"pool", Kind::number, "0", "Threads for blocking code; 0 = one a core", 0, 1024, {}},
      {"idle-poll-us",
       Kind::number,
       "200",
       "Microseconds that a shard looks about before it sleeps, while its waits are shorter than that; 0 = "
       "none, to save the core",
       0,
       10'000,
       {}},
      {"ledger",
       Kind::text,
       "sqlite",
       "Where jobs are written down: sqlite (in the state folder) or none",
       0,
       0,
       {"sqlite", "none"}},
      {"state", Kind::text, "", "State folder; else $COBUS_STATE or the user's own", 0, 0, {}},
      {"drain", Kind::number, "5", "Seconds that work in flight gets at a stop", 0, 3600, {}},
      {"log-level", Kind::text, "info", "How much to log", 0, 0, {"debug", "info", "warn", "error"}},
      {"log-format",
       Kind::text,
       "auto",
       "text, json, or auto: text on a terminal",
       0,
       0,
       {"auto", "text", "json"}},
  };
  return table;
}

}  // namespace cobus::daemon
