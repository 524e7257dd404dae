// SPDX-License-Identifier: Apache-2.0
//
// SchemaFetch: gets schemas by their digests from nodes that have them. All nodes of one version give the
// same, so one that does not answer costs half a second: then the next is asked beside it. One fetch of one
// verb's coroutine, on the session's shard.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include <cobus/v1/observe.pb.h>
#include "client/cli/schema_cache.hpp"
#include "client/cli/schema_versions.hpp"
#include "node/cluster/view.hpp"
#include "node/runtime/signal.hpp"
#include "node/runtime/task.hpp"
#include "node/worker/self.hpp"

namespace cobus::client {

class SchemaFetch {
 public:
  // `versions` gets what comes, and outlives it, as does `cache`, which is looked at first. `nodes`: whom to
  // ask, in this order.
  SchemaFetch(SchemaVersions& versions, const SchemaCache& cache, std::vector<v1::NodeRecord> nodes)
      : versions_(versions), cache_(cache), nodes_(std::move(nodes)) {}
  SchemaFetch(const SchemaFetch&) = delete;
  SchemaFetch& operator=(const SchemaFetch&) = delete;

  // Until `versions` has each of `digests`, or no node is left to wait for. Those that have not answered are
  // waited for five seconds; one, once any node has answered. With `first`, only until that one is there.
  [[nodiscard]] Task<> run(Self self, std::set<std::string> digests, std::string first = {});

  // Why a digest is not there: "node X does not tell what it offers: ..." for each node that failed.
  [[nodiscard]] const std::map<std::string, Status>& problems() const noexcept { return problems_; }

 private:
  [[nodiscard]] bool done() const;
  [[nodiscard]] std::map<std::size_t, std::vector<std::string>> next_round();
  void take(const std::string& node, const v1::FetchSchemaReply& reply);
  Task<> ask(Self self, std::size_t index, std::vector<std::string> digests);

  SchemaVersions& versions_;
  const SchemaCache& cache_;
  const std::vector<v1::NodeRecord> nodes_;
  std::set<std::string> wanted_;
  std::string first_;
  std::set<std::pair<std::size_t, std::string>> asked_;  // node, digest
  std::map<std::string, v1::Schema> doubtful_;           // with other contents than the digest says
  std::map<std::string, Status> problems_;               // by name of the node
  std::size_t running_ = 0;
  bool answered_ = false;
  Signal changed_;
};

}  // namespace cobus::client
