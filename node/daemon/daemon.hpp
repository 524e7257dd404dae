// SPDX-License-Identifier: Apache-2.0
//
// Daemon: assembles a node: keys, transport, services, ledger, membership; serves; drains; stops.
// Made and driven by main's thread.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "node/cluster/broker_addresses.hpp"
#include "node/cluster/membership.hpp"
#include "node/daemon/node_folder.hpp"
#include "node/host/children.hpp"
#include "node/host/module.hpp"
#include "node/job/jobs_service.hpp"
#include "node/job/sqlite_ledger.hpp"
#include "node/link/join_string.hpp"
#include "node/link/zmq_transport.hpp"
#include "node/observe/tap.hpp"
#include "node/runtime/options.hpp"

namespace cobus::daemon {

// What the options say, checked and resolved.
struct Setup {
  link::JoinString join;
  bool join_given = false;      // with --join: kept for the next start
  std::filesystem::path state;  // of this node: STATE/nodes/NAME
  std::string name;
  bool name_given = false;  // with --name; else it is the host's
  std::string listen;
  std::string advertise;
  std::vector<std::string> modules;
  std::vector<host::ChildCommand> children;  // of --isolate
  bool child = false;                        // of another node: offers its modules only
  std::map<std::string, std::string> labels;
  unsigned shards = 1;
  Duration idle_poll_max{};
  unsigned pool_threads = 1;
  bool ledger = true;
  Duration drain{};
};

inline constexpr std::string_view node_name_rule =
    "1 to 63 letters, digits, '.', '-', '_'; first a letter or digit";
[[nodiscard]] bool is_node_name(const std::string& name);

// INVALID_ARGUMENT, PERMISSION_DENIED for files that others can read, or UNAVAILABLE without a join string;
// each names the option and the mend.
[[nodiscard]] Result<Setup> set_up(const OptionValues& options);

// The same for --check-config: loads the modules too, and does without a join string that nobody named, which
// may come later. Writes nothing.
[[nodiscard]] Status check(const OptionValues& options);

class Daemon {
 public:
  // Opens everything or nothing: keys, door, ledger, modules. UNAVAILABLE, FAILED_PRECONDITION and others
  // naming what could not be opened and the next step.
  [[nodiscard]] static Result<std::unique_ptr<Daemon>> open(Setup setup);
  ~Daemon();

  // Starts the threads and dials the brokers. Returns once the node is registered and its children are being
  // started, or with the reason why it cannot be; keeps trying for `patience` while no broker answers.
  [[nodiscard]] Status start(Duration patience);
  // Ends a start() that waits: it returns CANCELLED. Any thread.
  void give_up();
  // Asks the children to stop, leaves the directory, lets work end for the drain time, then stops and waits
  // for the children. Idempotent.
  void stop();

  // Where peers dial this node. Any thread.
  [[nodiscard]] std::string address() const;
  [[nodiscard]] const std::string& name() const noexcept { return setup_.name; }

 private:
  class Watch;
  explicit Daemon(Setup setup);
  [[nodiscard]] v1::NodeRecord describe();
  void add_modules(std::vector<host::Module> modules);
  [[nodiscard]] Status dial();
  void find_own_address(const std::string& endpoint);
  void add_services();

  Setup setup_;                       // constant, but for the token, which goes when the links have it
  std::optional<NodeFolder> folder_;  // locked until everything that uses it is gone
  mutable std::mutex address_mutex_;
  std::string address_;  // guarded by address_mutex_
  std::optional<v1::Certificate> certificate_;
  std::unique_ptr<link::Revocations> revocations_;
  std::unique_ptr<link::ZmqTransport> transport_;
  std::unique_ptr<job::SqliteLedger> ledger_;
  std::unique_ptr<Node> node_;
  std::unique_ptr<View> view_;
  std::unique_ptr<Watch> watch_;
  std::unique_ptr<Membership> membership_;
  std::unique_ptr<BrokerAddresses> brokers_;
  std::unique_ptr<Tap> tap_;
  std::unique_ptr<job::Dispatcher> dispatcher_;
  std::unique_ptr<host::Children> children_;  // none without --isolate
  std::vector<v1::ServiceRecord> offered_;
  std::atomic<bool> started_{false};
};

}  // namespace cobus::daemon
