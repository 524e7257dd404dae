// SPDX-License-Identifier: Apache-2.0
#include "node/daemon/daemon.hpp"

#include <fmt/format.h>
#include <linux/magic.h>
#include <spdlog/spdlog.h>
#include <sys/vfs.h>

#include <condition_variable>
#include <future>
#include <mutex>
#include <set>

#include "node/cluster/workers_service.hpp"
#include "node/link/route.hpp"
#include "node/observe/inspect.hpp"
#include "node/observe/process_load.hpp"
#include "node/observe/services.hpp"
#include "node/runtime/reminder.hpp"
#include "node/services/shipped.hpp"
#include "proto/version.hpp"

namespace cobus::daemon {
namespace {

constexpr Duration say_again = std::chrono::seconds(30);
// What a child gets to end beyond its drain time, which is that of its parent.
constexpr Duration child_grace = std::chrono::seconds(1);

// In the words of somebody who wants this node to join.
std::string why_not_joined(const Status& reason, const link::ClusterKey& cluster) {
  if (!reason.message().ends_with(link::close_reason_text(link::CloseReason::handshake_failed)))
    return reason.message();
  return fmt::format(
      "{}. Either another cluster's broker answers at that address, or the join string is not this cluster's "
      "(the fingerprint in it is {}); compare it with STATE/join/node at the broker's host and start this "
      "node "
      "with that: --join STRING. Trying on",
      reason.message(), link::fingerprint(cluster));
}

Task<> leave(Self self, Membership* membership, std::shared_ptr<std::promise<void>> left) {
  co_await membership->leave(self);
  left->set_value();
}

v1::Role role_of(const v1::Certificate& certificate) {
  v1::CertificateBody body;
  return body.ParseFromString(certificate.body()) ? body.role() : v1::ROLE_UNSPECIFIED;
}

// Why what is written there may not last, or cannot be written much longer; empty: nothing is wrong.
std::string trouble_with_disk(const std::filesystem::path& folder) {
  constexpr std::uintmax_t free_min = std::uintmax_t{64} * 1024 * 1024;
  struct statfs facts{};
  if (::statfs(folder.c_str(), &facts) != 0) return folder.string() + " cannot be looked at";
  if (facts.f_type == TMPFS_MAGIC || facts.f_type == RAMFS_MAGIC)
    return folder.string() + " is in memory, and lost with the host";
  const std::uintmax_t left =
      static_cast<std::uintmax_t>(facts.f_bavail) * static_cast<std::uintmax_t>(facts.f_bsize);
  if (left >= free_min) return {};
  return fmt::format("{} MiB are left on the disk of {}", left / (1024 * 1024), folder.string());
}

// As cobus nodes and cobus keys list it.
std::string where_to_find(const link::PeerInfo& peer) {
  return fmt::format("id {}, key {}", to_string(peer.node), link::short_fingerprint(peer.key));
}

// A handler that never returns must not keep its host from shutting down. Every directory has forgotten this
// node by now, and what the ledger confirmed is on its disk: a job that ran here is ready again at the next
// start.
void end_all_the_same(const std::string& /*who*/) {
  spdlog::critical("the process ends all the same; jobs that ran here are ready again at its next start");
  spdlog::default_logger()->flush();
  std::_Exit(1);
}

}  // namespace

// Hears how joining goes, for start() to wait on, and keeps the certificate.
class Daemon::Watch final : public PeerListener {
 public:
  Watch(std::filesystem::path state, link::ClusterKey cluster)
      : state_(std::move(state)), cluster_(cluster) {}

  void on_peer_up(const link::PeerInfo& peer, link::TargetId target) override {
    spdlog::debug("connected with {} ({}, {})", peer.name, link::role_name(peer.role), where_to_find(peer));
    const std::scoped_lock lock(mutex_);
    refused_.erase(target);
  }
  void on_peer_down(const link::PeerInfo& peer, const Status& reason) override {
    const bool client = peer.role != v1::NODE && peer.role != v1::BROKER;
    spdlog::log(client ? spdlog::level::debug : spdlog::level::info, "lost {}: {} ({})", peer.name,
                reason.message(), where_to_find(peer));
  }
  // One broker that refuses this node ends nothing while another one may let it in, which its certificate
  // then opens the first one with.
  void on_target_failed(link::TargetId target, const Status& reason) override {
    const std::scoped_lock lock(mutex_);
    if (is_final(reason)) {
      refused_.insert(target);
    } else {
      refused_.erase(target);
    }
    tell(reason, refused_.size() >= targets_);
  }
  void on_enrolled(const v1::Certificate& certificate) override {
    const std::scoped_lock lock(mutex_);
    certificate_ = certificate;
    if (const Status saved = link::save_certificate(state_, certificate); !saved.ok()) {
      spdlog::warn("the certificate could not be kept, so the next start enrols again: {}", saved.message());
    }
    if (membership_ != nullptr) membership_->refresh();  // the record has it too
  }
  // Before the node starts.
  void use(Membership* membership) { membership_ = membership; }
  // So many brokers are dialled.
  void expect(std::size_t targets) {
    const std::scoped_lock lock(mutex_);
    targets_ = targets;
  }
  void give_up() {
    const std::scoped_lock lock(mutex_);
    failure_ = Status(Code::cancelled, "stopped before it had joined");
    is_over_ = true;
    changed_.notify_all();
  }
  void registered(const Status& status) {
    const std::scoped_lock lock(mutex_);
    if (!status.ok()) return tell(status, is_final(status));
    registered_ = true;
    changed_.notify_all();
  }
  [[nodiscard]] v1::Certificate certificate(const v1::Certificate& own) {
    const std::scoped_lock lock(mutex_);
    return certificate_ ? *certificate_ : own;
  }
  // Ok once registered; the refusal when it is final; UNAVAILABLE after `patience`.
  Status wait(Duration patience) {
    std::unique_lock lock(mutex_);
    const auto over = [this] { return registered_ || is_over_; };
    if (patience < Duration(0)) {
      changed_.wait(lock, over);
    } else if (!changed_.wait_for(lock, patience, over)) {
      return failure_.ok() ? Status(Code::unavailable, "no broker answered in time") : failure_;
    }
    return registered_ ? Status() : failure_;
  }

 private:
  static bool is_final(const Status& status) {
    return status.code() == Code::permission_denied || status.code() == Code::unauthenticated ||
           status.code() == Code::already_exists;
  }
  // With mutex_ held. `over`: nobody else can let this node in.
  void tell(const Status& reason, bool over) {
    if (is_over_) return;  // wait() has yet to see it
    failure_ = reason;
    is_over_ = over && !registered_;
    if (reminder_.due(reason.message(), system_clock().now())) {
      spdlog::warn("{}: {}", registered_ ? "no connection to a broker" : "not joined yet",
                   why_not_joined(reason, cluster_));
    }
    changed_.notify_all();
  }

  const std::filesystem::path state_;
  const link::ClusterKey cluster_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t targets_ = 1;
  std::set<link::TargetId> refused_;  // brokers that refused this node when it dialled them last
  bool registered_ = false;
  bool is_over_ = false;  // the node cannot join, because of failure_
  Status failure_;
  Reminder reminder_{say_again};
  std::optional<v1::Certificate> certificate_;
  Membership* membership_ = nullptr;
};

Result<std::unique_ptr<Daemon>> Daemon::open(Setup setup) {
  std::unique_ptr<Daemon> daemon(new Daemon(std::move(setup)));
  const Setup& with = daemon->setup_;
  // First, while there are few threads (host/trial.hpp).
  Result<std::vector<host::Module>> modules = host::load_modules(with.modules);
  if (!modules) return fail(std::move(modules).error());
  auto folder = NodeFolder::open(with.state);
  if (!folder) return fail(std::move(folder).error());
  daemon->folder_.emplace(std::move(*folder));
  if (with.ledger && !with.name_given) {
    if (const Status checked = daemon->folder_->check_host_name(); !checked.ok()) return fail(checked);
  }
  auto identity = link::load_identity(with.state, with.join.cluster);
  if (!identity) return fail(std::move(identity).error());
  // One that a token of another role brought is of no use to a node: with the right token it enrols again.
  if (identity->certificate && role_of(*identity->certificate) != v1::NODE) identity->certificate.reset();
  if (with.ledger) {
    job::SqliteLedger::Options options;
    options.file = with.state / "ledger.db";
    options.home = with.name;
    auto ledger = job::SqliteLedger::open(options);
    if (!ledger) return fail(std::move(ledger).error());
    daemon->ledger_ = std::move(*ledger);
  }
  link::ZmqTransportOptions transport;
  transport.own = link::CurvePair{identity->pair.key, identity->pair.secret.clone()};
  transport.listen = with.listen;
  auto opened = link::ZmqTransport::open(transport);
  if (!opened) return fail(std::move(opened).error());
  daemon->transport_ = std::move(*opened);
  daemon->address_ = with.advertise.empty() ? daemon->transport_->listening() : with.advertise;
  daemon->certificate_ = identity->certificate;
  daemon->revocations_ = std::make_unique<link::Revocations>(with.join.cluster, with.state / "revoked");
  if (const Status loaded = daemon->revocations_->load(system_clock().unix_us() / 1'000'000); !loaded.ok())
    return fail(loaded);

  NodeOptions options;
  options.name = with.name;
  options.role = v1::NODE;
  options.shards = with.shards;
  options.pool_threads = with.pool_threads;
  options.idle_poll_max = with.idle_poll_max;
  options.token = with.join.token;
  options.on_stuck = &end_all_the_same;
  daemon->node_ = std::make_unique<Node>(std::move(options), *daemon->transport_, std::move(*identity));
  link::wipe(daemon->setup_.join.token);
  daemon->view_ = std::make_unique<View>(system_clock());
  daemon->add_modules(std::move(*modules));
  daemon->add_services();
  return daemon;
}

Daemon::Daemon(Setup setup) : setup_(std::move(setup)) {}
Daemon::~Daemon() { stop(); }

void Daemon::add_modules(std::vector<host::Module> modules) {
  for (host::Module& module : modules) {
    for (std::unique_ptr<Service>& service : module.services) {
      spdlog::info("loaded {} from {}", service->info().name, module.file);
      node_->add_service(std::move(service));
    }
    for (Kind& kind : module.kinds) {
      spdlog::info("loaded workers of kind {} from {}", kind.name, module.file);
      node_->add_kind(std::move(kind));
    }
  }
}

void Daemon::add_services() {
  if (!setup_.child) {  // what is for everybody does not run beside code that may crash
    node_->add_service(services::make_echo());
    node_->add_service(services::make_primes());
    node_->add_service(services::make_text());
  }
  watch_ = std::make_unique<Watch>(setup_.state, setup_.join.cluster);
  node_->add_peer_listener(watch_.get());
  membership_ = std::make_unique<Membership>(
      *node_, *view_,
      Membership::Hooks{[this] { return describe(); },
                        [this](const Status& status) { watch_->registered(status); }},
      revocations_.get());
  watch_->use(membership_.get());
  if (ledger_ != nullptr) {
    dispatcher_ = std::make_unique<job::Dispatcher>(*node_, *view_, *ledger_);
    node_->add_service(std::make_unique<job::JobsService>(*node_, *view_, *ledger_, *dispatcher_));
  }
  const auto name_of = [this](NodeId node) {
    if (node == node_->id()) return node_->name();
    const auto peer = node_->peer(node);
    return peer ? peer->name : view_->name_of(node);
  };
  const auto types = type_names(*node_);
  node_->use_type_names(types);
  tap_ = std::make_unique<Tap>(*node_, name_of, types);
  node_->add_service(make_observe_service(*tap_));
  node_->add_service(make_inspect_service(*node_, name_of, [this](v1::HealthReply& health) {
    health.set_ledger(ledger_ != nullptr);
    health.set_certificate_trouble(membership_->certificate_trouble());
    if (ledger_ != nullptr) health.set_ledger_trouble(trouble_with_disk(setup_.state));
  }));
  node_->add_service(make_schema_service(*node_));
  node_->add_service(make_workers_service(*node_));
  offered_ = describe_offers(*node_);
}

v1::NodeRecord Daemon::describe() {
  v1::NodeRecord record;
  record.set_node(static_cast<std::uint64_t>(node_->id()));
  record.set_incarnation(node_->incarnation());
  record.set_name(setup_.name);
  *record.mutable_certificate() = watch_->certificate(certificate_.value_or(v1::Certificate()));
  record.add_endpoints(address());
  for (const auto& [key, value] : setup_.labels) (*record.mutable_labels())[key] = value;
  for (const v1::ServiceRecord& service : offered_) *record.add_services() = service;
  record.set_state(started_ ? v1::UP : v1::DRAINING);
  record.set_build(std::string(version()));
  *record.mutable_load() = process_load();
  record.mutable_load()->set_shards(node_->shards());
  record.mutable_load()->set_pool_threads(setup_.pool_threads);
  std::size_t workers = 0;
  for (unsigned i = 0; i < node_->shards(); ++i) workers += node_->home(i).workers();
  record.mutable_load()->set_workers(static_cast<std::uint32_t>(workers));
  record.mutable_load()->set_calls_running(node_->calls_running.load());
  for (std::size_t i = 0; i < dead_letter_reasons; ++i) {
    const auto why = static_cast<DeadLetter>(i);
    if (const std::uint64_t count = node_->dead_letters().count(why); count != 0)
      (*record.mutable_load()->mutable_dead_letters())[std::string(dead_letter_name(why))] = count;
  }
  return record;
}

Status Daemon::dial() {
  brokers_ = std::make_unique<BrokerAddresses>(
      *node_, link::broker_curve_key(setup_.join.cluster),
      BrokerAddresses::Hooks{
          [this](link::TargetId target, const Status& why) { watch_->on_target_failed(target, why); },
          [this](const std::vector<std::string>& endpoints) { find_own_address(endpoints.front()); }},
      &link::resolve);
  watch_->expect(setup_.join.brokers.size());
  for (const std::string& broker : setup_.join.brokers) {
    if (const auto added = brokers_->add(broker); !added) return added.error();
  }
  return {};
}

// What peers dial: the address that a broker at `endpoint` sees this node under.
void Daemon::find_own_address(const std::string& endpoint) {
  const std::scoped_lock lock(address_mutex_);
  if (!link::listens_everywhere(address_)) return;
  const Result<std::string> seen = link::address_towards(endpoint);
  if (seen) {
    address_ = "tcp://" + *seen + address_.substr(address_.rfind(':'));
  } else {
    spdlog::warn("the address of this node is not known: {}; name it with --advertise",
                 seen.error().message());
  }
}

std::string Daemon::address() const {
  const std::scoped_lock lock(address_mutex_);
  return address_;
}

Status Daemon::start(Duration patience) {
  if (Status dialled = dial(); !dialled.ok()) return dialled;
  started_.store(true);
  node_->start();
  if (dispatcher_ != nullptr) node_->spawn("cobus.dispatcher", &job::Dispatcher::run, dispatcher_.get());
  Status joined = watch_->wait(patience);
  if (joined.ok() && setup_.join_given) {
    const Status kept = link::keep_join_string(setup_.state / "join", setup_.join);
    if (!kept.ok()) spdlog::warn("the next start needs --join again: {}", kept.message());
  }
  if (!joined.ok() || setup_.children.empty()) return joined;
  Result<std::unique_ptr<host::Children>> children = host::Children::start(setup_.children);
  if (!children) return std::move(children).error();
  children_ = std::move(*children);
  return {};
}

void Daemon::give_up() { watch_->give_up(); }

void Daemon::stop() {
  if (!started_.exchange(false)) return;
  if (children_ != nullptr) children_->ask_to_stop(setup_.drain + child_grace);
  if (dispatcher_ != nullptr) dispatcher_->drain();
  // Brokers hear of it first, so that nothing new is sent here.
  auto left = std::make_shared<std::promise<void>>();
  node_->spawn("cobus.leave", &leave, membership_.get(), left);
  left->get_future().wait_for(std::chrono::seconds(1));
  node_->stop(setup_.drain);
  if (ledger_ != nullptr) ledger_->close();
  if (children_ != nullptr) children_->join();
}

}  // namespace cobus::daemon
