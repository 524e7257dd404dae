// SPDX-License-Identifier: Apache-2.0
#include "client/cli/command.hpp"

namespace cobus::client {

const std::vector<Command>& commands() {
  static const std::vector<Command> all = {
      up_command(),
      nodes_command(),
      node_command(),
      services_command(),
      describe_command(),
      template_command(),
      call_command(),
      submit_command(),
      wait_command(),
      result_command(),
      jobs_command(),
      job_command(),
      map_command(),
      ps_command(),
      worker_command(),
      tree_command(),
      tap_command(),
      token_command(),
      keys_command(),
      revoke_command(),
      doctor_command(),
      version_command(),
      Command{"help",
              "explain a verb",
              "",
              {{"VERB", "the verb to explain", false}},
              {},
              {{"cobus help map", ""}}},
  };
  return all;
}

const std::vector<Flag>& global_flags() {
  using Kind = Flag::Kind;
  static const std::vector<Flag> flags = {
      {"output", "o", Kind::choice, "table|wide|json|jsonl|yaml|id",
       "form of the output; default: table on a terminal, else JSON, one object a line"},
      {"json", "", Kind::toggle, "", "the same as -o json"},
      {"state", "", Kind::text, "DIR", "state folder; else the user's own"},
      {"join", "", Kind::text, "STRING|@FILE",
       "join string of the cluster; else the one in the state folder"},
      {"connect-timeout", "", Kind::duration, "DURATION", "how long to try to reach a broker (5s)", 1},
      {"color", "", Kind::choice, "auto|always|never", "colours on stdout (auto)"},
      {"help", "h", Kind::toggle, "", "explain, with examples"},
      {"version", "", Kind::toggle, "", "print the version"},
  };
  return flags;
}

}  // namespace cobus::client
