// SPDX-License-Identifier: Apache-2.0
//
// JoinString: everything a newcomer needs to find a cluster and be let in, as one line of text:
// cobus://HOST:PORT[,HOST:PORT...]?cluster=FINGERPRINT[&token=SECRET]
// Plain value; any thread.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "node/link/keys.hpp"

namespace cobus::link {

struct JoinString {
  std::vector<std::string> brokers;  // HOST:PORT, as written; names are resolved when dialled
  ClusterKey cluster;
  std::string token;  // empty: only who has a certificate already gets in
  [[nodiscard]] std::string to_string() const;
};

// Whether a join string can name a broker so: HOST:PORT, an IPv6 address in brackets.
[[nodiscard]] bool is_host_and_port(std::string_view text);

// INVALID_ARGUMENT naming what is wrong and what a join string looks like.
[[nodiscard]] Result<JoinString> parse_join_string(std::string_view text);

// The join string that `flag` gives (the text, or @FILE), else that in the first of `files` that exists:
// those that a broker on this host wrote, then what keep_join_string() wrote. `state` is named in errors.
// NOT_FOUND saying how to get one, INVALID_ARGUMENT when there is no FILE; PERMISSION_DENIED when others can
// read the file.
[[nodiscard]] Result<JoinString> find_join_string(const std::string& flag,
                                                  std::vector<std::filesystem::path> files,
                                                  const std::filesystem::path& state);

// Keeps in the private `file` what leads to the cluster again, without the token: who has joined has a
// certificate.
[[nodiscard]] Status keep_join_string(const std::filesystem::path& file, JoinString join);

// The numeric endpoints (tcp://ADDRESS:PORT) of HOST:PORT. Blocks on the resolver: never call it on
// a shard. UNAVAILABLE with the resolver's reason.
[[nodiscard]] Result<std::vector<std::string>> resolve(const std::string& host_and_port);

// The same when HOST is an address already; never blocks. NOT_FOUND when it is a name, INVALID_ARGUMENT when
// it is not HOST:PORT.
[[nodiscard]] Result<std::vector<std::string>> numeric_endpoints(const std::string& host_and_port);

}  // namespace cobus::link
