// SPDX-License-Identifier: Apache-2.0
//
// InspectClient: what ps, worker and tree share: which nodes are asked, how a worker is named on the command
// line, and what is said of nodes and shards that did not answer. Used by one verb's coroutine.
#pragma once

#include <cobus/v1/inspect.pb.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/cli/command.hpp"
#include "node/cluster/view.hpp"
#include "node/worker/call.hpp"
#include "node/worker/self.hpp"

namespace cobus::client {

// "alpha/1.8.3" or "alpha/NAME".
struct WorkerPlace {
  std::string node;  // name or id
  WorkerId worker;   // none: by name
  std::string name;
};
// INVALID_ARGUMENT with an example.
[[nodiscard]] Result<WorkerPlace> parse_worker_place(const std::string& text);

// The running node that `word` names (run.hpp), without one all that host workers; UNAVAILABLE when there is
// none.
[[nodiscard]] Result<std::vector<v1::NodeRecord>> nodes_to_inspect(const View& view,
                                                                   const std::optional<std::string>& word);

// Hidden from taps; answered within `timeout`.
[[nodiscard]] CallOptions inspect_options(Duration timeout);

// What several nodes gave, and what they could not give.
class Answers {
 public:
  explicit Answers(Context& context) : context_(context) {}
  // Of a call to `node`. A refusal is remembered, anything else is said at the end.
  void failed(const std::string& node, const Status& why);
  template <class Shards>
  void silent(const std::string& node, const Shards& shards) {
    for (const std::uint32_t shard : shards) lacks(node, shard);
  }
  // Says on stderr what is missing from the list; gives the exit code.
  [[nodiscard]] int finish(const std::string& verb);

 private:
  void lacks(const std::string& node, std::uint32_t shard);
  Context& context_;
  Status refused_;
  std::vector<std::string> missing_;
};

}  // namespace cobus::client
