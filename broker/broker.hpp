// SPDX-License-Identifier: Apache-2.0
//
// Broker: assembles the directory's process: the cluster key, the tokens and join strings, the door, the
// directory service. Made and driven by main's thread.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/directory_service.hpp"
#include "broker/trust.hpp"
#include "node/link/identity.hpp"
#include "node/link/zmq_transport.hpp"
#include "node/runtime/file_lock.hpp"
#include "node/runtime/options.hpp"
#include "node/runtime/reminder.hpp"
#include "node/worker/node.hpp"

namespace cobus::broker {

// What cobus-broker can be told. The table is the only place that lists its options.
[[nodiscard]] const std::vector<OptionSpec>& broker_options();

class Broker {
 public:
  // Opens everything or nothing. Makes the cluster key and the join strings at first start. UNAVAILABLE when
  // the address is taken or another broker has the state folder, PERMISSION_DENIED when others can read it,
  // INVALID_ARGUMENT for an address that is none: each names the mend, and nothing is written.
  [[nodiscard]] static Result<std::unique_ptr<Broker>> open(const OptionValues& options);
  ~Broker();
  // What open() says of the values alone, without opening or writing anything.
  [[nodiscard]] static Status check(const OptionValues& options);

  void start();
  void stop();

  [[nodiscard]] const std::string& address() const noexcept { return address_; }
  [[nodiscard]] const std::filesystem::path& join_folder() const noexcept { return join_folder_; }

 private:
  class Departures;
  Broker(FileLock lock, std::unique_ptr<Trust> trust, const std::filesystem::path& folder);
  void add_services();
  // Writes STATE/join/ROLE for each role, keeping the tokens that stand there already.
  [[nodiscard]] Status write_join_strings();
  [[nodiscard]] link::Identity own_identity();
  // Shows a later certificate of its own in time. A worker's coroutine.
  static Task<> keep_certificate(Self self, Broker* broker);
  // Decides about a newcomer on the pool, since it writes to the disk, and tells the links. A worker's
  // coroutine.
  static Task<> enrol(Self self, Broker* broker, v1::Hello hello, link::CurveKey key,
                      link::ConnectionId connection);
  [[nodiscard]] std::optional<link::CurveKey> holder_of(std::string_view name) const;

  const FileLock lock_;
  const std::unique_ptr<Trust> trust_;
  const KnownNodes known_nodes_;
  Reminder refusals_{std::chrono::seconds(30)};  // of enrol(), on the broker's shard
  std::string address_;
  std::filesystem::path join_folder_;
  std::unique_ptr<link::ZmqTransport> transport_;
  std::unique_ptr<Node> node_;
  std::unique_ptr<Departures> departures_;
  DirectoryService* directory_ = nullptr;  // owned by node_
};

}  // namespace cobus::broker
