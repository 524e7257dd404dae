// SPDX-License-Identifier: Apache-2.0
#include "broker/broker.hpp"

#include <spdlog/spdlog.h>

#include "broker/admin_service.hpp"
#include "node/link/join_string.hpp"
#include "node/link/reach_probe.hpp"
#include "node/link/route.hpp"
#include "node/link/state_folder_check.hpp"
#include "node/runtime/offload.hpp"

namespace cobus::broker {

constexpr char own_name[] = "broker";
constexpr std::string_view scheme = "tcp://";

namespace {

std::int64_t unix_s() { return system_clock().unix_us() / 1'000'000; }

}  // namespace

const std::vector<OptionSpec>& broker_options() {
  using Kind = OptionSpec::Kind;
  static const std::vector<OptionSpec> table = {
      {"listen",
       Kind::text,
       "tcp://127.0.0.1:7700",
       "Where nodes and clients dial; port 0 takes a free one",
       0,
       0,
       {}},
      {"advertise", Kind::text, "", "What join strings say, if not what --listen says", 0, 0, {}},
      {"certificate-days",
       Kind::number,
       "365",
       "Days that the certificates it issues are valid; they are renewed at two thirds of that",
       1,
       3650,
       {}},
      {"certificates-max",
       Kind::number,
       "1000000",
       "Certificates that it keeps a record of, at some 300 bytes each; when none is left nobody enrols",
       1,
       100'000'000,
       {}},
      {"state", Kind::text, "", "State folder; else $COBUS_STATE or the user's own", 0, 0, {}},
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

// A node whose session ended is gone from the directory at once; it does not wait for its lease.
class Broker::Departures final : public PeerListener {
 public:
  Departures(Node& node, DirectoryService& directory) : node_(node), directory_(directory) {}
  // A name counts only once the directory took it in, which says so itself.
  void on_peer_up(const link::PeerInfo& peer, link::TargetId) override {
    spdlog::debug("{} {} connected (id {}, key {})", link::role_name(peer.role), peer.name,
                  to_string(peer.node), link::short_fingerprint(peer.key));
  }
  void on_peer_down(const link::PeerInfo& peer, const Status& reason) override {
    spdlog::debug("{} {} is disconnected: {}", link::role_name(peer.role), peer.name, reason.message());
    if (peer.role != v1::NODE) return;
    node_.run_on(0, [this, lost = peer.node](Home&) { directory_.connection_lost(lost); });
  }
  void on_peer_suspected(const link::PeerInfo& peer, bool suspected) override {
    if (peer.role != v1::NODE) return;
    spdlog::info("node {} {}", peer.name,
                 suspected ? "is suspected: nothing comes from it" : "is heard again");
    node_.run_on(0, [this, node = peer.node, suspected](Home&) { directory_.suspect(node, suspected); });
  }

 private:
  Node& node_;
  DirectoryService& directory_;
};

Broker::Broker(FileLock lock, std::unique_ptr<Trust> trust, const std::filesystem::path& folder)
    : lock_(std::move(lock)), trust_(std::move(trust)), known_nodes_(folder / "nodes") {
  trust_->use_holders([this](std::string_view name) { return holder_of(name); });
}

std::optional<link::CurveKey> Broker::holder_of(std::string_view name) const {
  if (name == own_name) return trust_->secret().broker_pair().key;
  return directory_->holder(name);
}

Broker::~Broker() { stop(); }

link::Identity Broker::own_identity() {
  link::Identity identity;
  identity.pair = trust_->secret().broker_pair();
  identity.cluster = trust_->secret().key();
  identity.certificate = trust_->own_certificate(own_name, unix_s());
  return identity;
}

Task<> Broker::keep_certificate(Self self, Broker* broker) {
  while (!self.stop_requested()) {
    const auto own = self.node().links().certificate();
    v1::CertificateBody body;
    if (!own || !body.ParseFromString(own->body())) co_return;
    // The wall clock may jump, so it is looked at now and then.
    const std::chrono::seconds left(body.not_after() - unix_s());
    if (left < (body.not_after() - body.not_before()) * std::chrono::seconds(1) / 3)
      self.node().links().use_certificate(broker->trust_->own_certificate(own_name, unix_s()));
    if (!(co_await sleep(std::chrono::hours(1))).ok()) co_return;
  }
}

Task<> Broker::enrol(Self self, Broker* broker, v1::Hello hello, link::CurveKey key,
                     link::ConnectionId connection) {
  Result<v1::Certificate> issued =
      co_await offload([trust = broker->trust_.get(), hello, key, now_s = unix_s()]() mutable {
        auto made = trust->enrol(hello, key, now_s);
        link::wipe(*hello.mutable_token());
        return made;
      });
  link::wipe(*hello.mutable_token());
  // Somebody may be after the name of another: that is worth an alarm.
  if (!issued && issued.error().code() == Code::already_exists &&
      broker->refusals_.due(issued.error().message(), system_clock().now())) {
    spdlog::warn("node {} is refused: {}", hello.name(), issued.error().message());
  }
  self.node().links().enrolled(connection, std::move(issued));
}

Status Broker::write_join_strings() {
  if (Status made = link::make_private_folder(join_folder_); !made.ok()) return made;
  for (const v1::Role role : {v1::NODE, v1::SUBMIT, v1::OBSERVE, v1::ADMIN}) {
    const std::filesystem::path file = join_folder_ / link::role_name(role);
    link::JoinString join;
    join.brokers = {address_.substr(scheme.size())};
    join.cluster = trust_->secret().key();
    std::string before;
    if (const Result<std::string> earlier = link::read_private_file(file)) {
      const auto parsed = link::parse_join_string(std::string_view(*earlier).substr(0, earlier->find('\n')));
      if (parsed && parsed->cluster == join.cluster) before = parsed->token;
    } else if (earlier.error().code() != Code::not_found) {
      return earlier.error();
    }
    // One that the store does not know lets nobody in: it was lost, or the token deleted.
    Result<std::string> token = trust_->join_token(role, before, unix_s());
    if (!token) return std::move(token).error();
    join.token = std::move(*token);
    if (Status written = link::write_private_file(file, join.to_string() + "\n"); !written.ok())
      return written;
  }
  return {};
}

namespace {

// Whether a door can be opened there, and dialled by others.
Status check_addresses(const std::string& listen, const std::string& advertise) {
  if (Status checked = link::check_listen(listen); !checked.ok()) return checked;
  if (link::listens_everywhere(advertise.empty() ? listen : advertise)) {
    return {
        Code::invalid_argument,
        (advertise.empty() ? "--listen " + listen : "--advertise " + advertise) +
            " is every address of this host; say with --advertise tcp://HOST:PORT which of them others dial"};
  }
  if (advertise.empty()) return {};
  if (!advertise.starts_with(scheme) || !link::is_host_and_port(advertise.substr(scheme.size()))) {
    return {Code::invalid_argument, "--advertise: '" + advertise +
                                        "' is not tcp://HOST:PORT, which is what join strings say; give the "
                                        "port too, tcp://bus.example.org:7700 say"};
  }
  return {};
}

}  // namespace

Status Broker::check(const OptionValues& options) {
  if (Status checked = check_addresses(options.text("listen"), options.text("advertise")); !checked.ok())
    return checked;
  if (Status checked = link::check_state_folder(options.text("state")); !checked.ok()) return checked;
  return link::check_private_folder(link::state_folder(options.text("state")));
}

Result<std::unique_ptr<Broker>> Broker::open(const OptionValues& options) {
  if (Status checked = check_addresses(options.text("listen"), options.text("advertise")); !checked.ok())
    return fail(std::move(checked));
  if (Status checked = link::check_state_folder(options.text("state")); !checked.ok())
    return fail(std::move(checked));
  const std::filesystem::path state = link::state_folder(options.text("state"));
  const std::filesystem::path own = state / "broker";
  for (const std::filesystem::path& folder : {state, own}) {
    if (Status made = link::make_private_folder(folder); !made.ok()) return fail(std::move(made));
  }
  // Before anything is read or written: a second broker would take the cluster away from its clients.
  Result<FileLock> lock = FileLock::acquire(own / "lock");
  if (!lock && lock.error().code() == Code::already_exists) {
    return fail(Code::unavailable, "state folder " + state.string() + " is in use by " +
                                       lock.error().message() +
                                       ": stop that broker, or choose another folder with --state");
  }
  if (!lock) return fail(std::move(lock).error());
  const std::chrono::hours life(24 * options.number("certificate-days"));
  auto trust = Trust::open(own, life, system_random(), unix_s(),
                           static_cast<std::size_t>(options.number("certificates-max")));
  if (!trust) return fail(std::move(trust).error());
  std::unique_ptr<Broker> broker(new Broker(std::move(*lock), std::move(*trust), own));

  link::Identity identity = broker->own_identity();
  link::ZmqTransportOptions transport;
  transport.own = link::CurvePair{identity.pair.key, identity.pair.secret.clone()};
  transport.listen = options.text("listen");
  auto opened = link::ZmqTransport::open(transport);
  if (!opened) return fail(std::move(opened).error());
  broker->transport_ = std::move(*opened);
  broker->address_ =
      options.text("advertise").empty() ? broker->transport_->listening() : options.text("advertise");
  broker->join_folder_ = state / "join";
  if (Status written = broker->write_join_strings(); !written.ok()) return fail(std::move(written));

  NodeOptions with;
  with.name = own_name;
  with.role = v1::BROKER;
  with.shards = 1;
  with.pool_threads = 1;
  with.idle_poll_max = Duration(0);  // nobody waits for it in a hurry, and thousands renew their leases here
  with.enroller = [self = broker.get()](const v1::Hello& hello, const link::CurveKey& key,
                                        link::ConnectionId connection) {
    self->node_->spawn("cobus.enrol", &Broker::enrol, self, hello, key, connection);
  };
  broker->node_ = std::make_unique<Node>(std::move(with), *broker->transport_, std::move(identity));
  broker->add_services();
  broker->departures_ = std::make_unique<Departures>(*broker->node_, *broker->directory_);
  broker->node_->add_peer_listener(broker->departures_.get());
  return broker;
}

void Broker::add_services() {
  auto directory = std::make_unique<DirectoryService>(*node_, trust_->revocations(), &known_nodes_);
  directory_ = directory.get();
  node_->add_service(std::move(directory));
  node_->add_service(
      std::make_unique<AdminService>(*node_, *directory_, *trust_, address_.substr(scheme.size())));
  node_->add_service(std::make_unique<CertificatesService>(*node_, *trust_));
}

void Broker::start() {
  node_->start();
  node_->spawn("cobus.directory", &DirectoryService::keep_time, directory_);
  node_->spawn("cobus.known", &DirectoryService::keep_known, directory_);
  node_->spawn("cobus.certificate", &Broker::keep_certificate, this);
}

void Broker::stop() {
  if (node_ != nullptr) node_->stop(std::chrono::milliseconds(500));
}

}  // namespace cobus::broker
