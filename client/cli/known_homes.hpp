// SPDX-License-Identifier: Apache-2.0
//
// KnownHomes: which nodes kept jobs when this user looked last. The directory forgets a node that is gone,
// and with it go the jobs it holds; so the client remembers the names for a week, in the client's folder of
// the state folder, and can say whose jobs it could not ask for. What cannot be read or written is done
// without.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "client/cli/command.hpp"
#include "node/cluster/view.hpp"

namespace cobus::client {

// Nodes that keep jobs and are in the directory, also those that take no new ones.
[[nodiscard]] std::vector<v1::NodeRecord> homes_of_jobs(const View& view);

class KnownHomes {
 public:
  // `folder` is the client's own; another cluster in it forgets what was known of the one before.
  explicit KnownHomes(std::filesystem::path folder) : folder_(std::move(folder)) {}

  struct Home {
    std::string name;
    std::int64_t seen_us = 0;  // Unix microseconds
  };
  // Remembers that `here` are there, and gives those that are not, by name.
  std::vector<Home> update(const std::vector<std::string>& here, std::int64_t now_us);

 private:
  std::filesystem::path folder_;
};

// The same for the nodes of a view: "beta (seen 3m ago)" for each that is away.
std::vector<std::string> homes_away(const Context& context, const View& view);

}  // namespace cobus::client
