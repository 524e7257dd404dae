// SPDX-License-Identifier: Apache-2.0
#include "broker/broker.hpp"

#include <spdlog/spdlog.h>

#include "node/link/join_string.hpp"
#include "node/link/reach_probe.hpp"
#include "node/link/route.hpp"

namespace cobus::broker {

constexpr char own_name[] = "broker";
constexpr std::string_view scheme = "tcp://";

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
    spdlog::debug("{} {} connected", link::role_name(peer.role), peer.name);
  }
  void on_peer_down(const link::PeerInfo& peer, const Status& reason) override {
    spdlog::debug("{} {} is disconnected: {}", link::role_name(peer.role), peer.name, reason.message());
    if (peer.role != v1::NODE) return;
    node_.run_on(0, [this, lost = peer.node](Home&) { directory_.connection_lost(lost); });
  }

 private:
  Node& node_;
  DirectoryService& directory_;
};

Broker::Broker(FileLock lock, link::ClusterSecret secret, TokenStore tokens)
    : lock_(std::move(lock)),
      secret_(std::move(secret)),
      tokens_(std::move(tokens)),
      enrolment_(secret_, tokens_, system_random(),
                 [this](std::string_view name) { return holder_of(name); }) {}

std::optional<link::CurveKey> Broker::holder_of(std::string_view name) const {
  if (name == own_name) return secret_.broker_pair().key;
  return directory_->holder(name);
}

Broker::~Broker() { stop(); }

Result<link::Identity> Broker::own_identity() {
  link::Identity identity;
  identity.pair = secret_.broker_pair();
  identity.cluster = secret_.key();
  v1::CertificateBody body;
  body.set_name(own_name);
  body.set_role(v1::BROKER);
  body.set_curve_key(identity.pair.key.bytes.data(), identity.pair.key.bytes.size());
  body.set_serial(system_random().next());
  const std::int64_t now_s = system_clock().unix_us() / 1'000'000;
  body.set_not_before(now_s - certificate_backdate.count());
  body.set_not_after(now_s + certificate_life.count());
  identity.certificate = secret_.sign(body);
  return identity;
}

Result<v1::Certificate> Broker::enrol(const v1::Hello& hello, const link::CurveKey& key) {
  Result<v1::Certificate> issued = enrolment_.issue(hello, key, system_clock().unix_us() / 1'000'000);
  // Somebody may be after the name of another: that is worth an alarm.
  if (!issued && issued.error().code() == Code::already_exists &&
      refusals_.due(issued.error().message(), system_clock().now())) {
    spdlog::warn("node {} is refused: {}", hello.name(), issued.error().message());
  }
  return issued;
}

Status Broker::write_join_strings() {
  if (Status made = link::make_private_folder(join_folder_); !made.ok()) return made;
  const bool known = tokens_.usable(system_clock().unix_us() / 1'000'000) > 0;
  for (const v1::Role role : {v1::NODE, v1::SUBMIT, v1::OBSERVE, v1::ADMIN}) {
    const std::filesystem::path file = join_folder_ / link::role_name(role);
    link::JoinString join;
    join.brokers = {address_.substr(scheme.size())};
    join.cluster = secret_.key();
    if (const Result<std::string> earlier = link::read_private_file(file)) {
      const auto parsed = link::parse_join_string(std::string_view(*earlier).substr(0, earlier->find('\n')));
      // A store that was lost knows none of the tokens that were handed out.
      if (parsed && parsed->cluster == join.cluster && known) join.token = parsed->token;
    } else if (earlier.error().code() != Code::not_found) {
      return earlier.error();
    }
    if (join.token.empty()) {
      const std::int64_t now_s = system_clock().unix_us() / 1'000'000;
      Result<std::string> token = tokens_.create(role, ttl_unlimited, uses_unlimited, now_s);
      if (!token) return std::move(token).error();
      join.token = std::move(*token);
    }
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
  return link::check_private_folder(link::state_folder(options.text("state")));
}

Result<std::unique_ptr<Broker>> Broker::open(const OptionValues& options) {
  if (Status checked = check_addresses(options.text("listen"), options.text("advertise")); !checked.ok())
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
  Result<link::ClusterSecret> secret = link::load_cluster_secret(own);
  if (!secret) return fail(std::move(secret).error());
  Result<TokenStore> tokens = TokenStore::open(own / "tokens");
  if (!tokens) return fail(std::move(tokens).error());
  std::unique_ptr<Broker> broker(new Broker(std::move(*lock), std::move(*secret), std::move(*tokens)));

  Result<link::Identity> identity = broker->own_identity();
  if (!identity) return fail(std::move(identity).error());
  link::ZmqTransportOptions transport;
  transport.own = link::CurvePair{identity->pair.key, identity->pair.secret.clone()};
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
  with.enroller = [self = broker.get()](const v1::Hello& hello, const link::CurveKey& key) {
    return self->enrol(hello, key);
  };
  broker->node_ = std::make_unique<Node>(std::move(with), *broker->transport_, std::move(*identity));
  auto directory = std::make_unique<DirectoryService>(*broker->node_);
  broker->directory_ = directory.get();
  broker->node_->add_service(std::move(directory));
  broker->departures_ = std::make_unique<Departures>(*broker->node_, *broker->directory_);
  broker->node_->add_peer_listener(broker->departures_.get());
  return broker;
}

void Broker::start() {
  node_->start();
  node_->spawn("cobus.directory", &DirectoryService::keep_time, directory_);
}

void Broker::stop() {
  if (node_ != nullptr) node_->stop(std::chrono::milliseconds(500));
}

}  // namespace cobus::broker
