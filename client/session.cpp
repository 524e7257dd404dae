// SPDX-License-Identifier: Apache-2.0
#include "client/session.hpp"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>
#include <thread>

#include "client/own_identity.hpp"
#include "node/link/state_folder_check.hpp"
#include "node/link/zmq_transport.hpp"

namespace cobus::client {
namespace {

constexpr Duration look_again = std::chrono::milliseconds(2);
constexpr Duration goodbye = std::chrono::milliseconds(100);
constexpr int failures_enough = 3;  // of one broker, before it counts as not there
constexpr std::size_t name_length_max = 63;

// USER-HOST, in the letters that a name may have: it is what a tap shows.
std::string own_name() {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host[0] = '\0';
  const passwd* user = ::getpwuid(::geteuid());
  std::string name = fmt::format("{}-{}", user != nullptr ? user->pw_name : "user", host.data());
  const auto allowed = [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-';
  };
  std::replace_if(name.begin(), name.end(), [&](unsigned char c) { return c >= 0x80 || !allowed(c); }, '_');
  if (std::isalnum(static_cast<unsigned char>(name[0])) == 0) name.insert(0, "u");
  return name.substr(0, name_length_max);
}

}  // namespace

Result<link::JoinString> Session::find_join(const SessionOptions& options) {
  if (Status checked = link::check_state_folder(options.state); !checked.ok())
    return fail(std::move(checked));
  const std::filesystem::path state = link::state_folder(options.state);
  const auto left = state / "join";  // by a broker on this host
  auto join = link::find_join_string(
      options.join, {left / "admin", left / "submit", left / "observe", state / "client" / "join"}, state);
  if (join) return join;
  if (join.error().message().starts_with("not a cluster fingerprint")) {
    // A digit was changed, say: no cluster has it, so none lets us in.
    return fail(Code::permission_denied, join.error().message());
  }
  if (join.error().code() != Code::not_found || !options.join.empty()) return join;
  return fail(Code::unavailable,
              fmt::format("no cluster is known here ({} has no join string); start one with 'cobus up' or "
                          "'cobus-broker', or name one with --join STRING or --state DIR",
                          (state / "join").string()));
}

// Hears how joining goes.
class Session::Watch final : public PeerListener {
 public:
  Watch(std::filesystem::path folder, link::JoinString join)
      : folder_(std::move(folder)), join_(std::move(join)) {}
  ~Watch() override { link::wipe(join_.token); }

  void on_peer_up(const link::PeerInfo& peer, link::TargetId target) override {
    const std::scoped_lock lock(mutex_);
    if (target != link::TargetId::none) answered_.insert_or_assign(target, peer);
    joined_ = true;
  }
  void on_peer_down(const link::PeerInfo& peer, const Status& /*reason*/) override {
    const std::scoped_lock lock(mutex_);
    std::erase_if(answered_, [&peer](const auto& each) { return each.second.node == peer.node; });
  }
  void on_target_failed(link::TargetId target, const Status& reason) override {
    const std::scoped_lock lock(mutex_);
    Failure& failure = failures_[target];
    ++failure.count;
    failure.reason = reason;
    const bool out = joined_ && answered_.empty() && reason.code() == Code::permission_denied;
    if (out && shut_out_) shut_out_(reason);
  }
  void on_enrolled(const v1::Certificate& certificate) override {
    // One that cannot be kept only means that the next start enrols again.
    static_cast<void>(keep_certificate(folder_, join_, certificate));
  }
  // Whether each of `targets` brokers failed so that more patience would not help; why the last one did.
  [[nodiscard]] bool hopeless(std::size_t targets) {
    const std::scoped_lock lock(mutex_);
    const auto final = [](const auto& entry) {
      return entry.second.reason.code() != Code::unavailable || entry.second.count >= failures_enough;
    };
    return failures_.size() >= targets && std::all_of(failures_.begin(), failures_.end(), final);
  }
  void when_shut_out(std::function<void(const Status&)> told) {
    const std::scoped_lock lock(mutex_);
    shut_out_ = std::move(told);
  }
  // What is known of one broker by now: both may be absent.
  [[nodiscard]] std::optional<link::PeerInfo> peer(link::TargetId target) {
    const std::scoped_lock lock(mutex_);
    const auto found = answered_.find(target);
    return found == answered_.end() ? std::nullopt : std::optional(found->second);
  }
  [[nodiscard]] Status trouble(link::TargetId target) {
    const std::scoped_lock lock(mutex_);
    const auto found = failures_.find(target);
    return found == failures_.end() ? Status() : found->second.reason;
  }
  // The failure to tell of: a refusal rather than silence.
  [[nodiscard]] Status reason() {
    const std::scoped_lock lock(mutex_);
    Status told;
    for (const auto& [target, failure] : failures_) {
      if (told.ok() || told.code() == Code::unavailable) told = failure.reason;
    }
    return told;
  }

 private:
  struct Failure {
    int count = 0;
    Status reason;
  };
  const std::filesystem::path folder_;
  link::JoinString join_;
  std::mutex mutex_;
  std::map<link::TargetId, Failure> failures_;         // guarded by mutex_
  std::map<link::TargetId, link::PeerInfo> answered_;  // guarded by mutex_, as is the rest
  bool joined_ = false;
  std::function<void(const Status&)> shut_out_;
};

namespace {

// In the words of somebody who only wanted to use the cluster.
Status explained(const Status& reason, const link::JoinString& join) {
  std::string brokers;
  for (const std::string& broker : join.brokers)
    brokers += (brokers.empty() ? "tcp://" : ", tcp://") + broker;
  if (reason.message().ends_with(link::close_reason_text(link::CloseReason::handshake_failed))) {
    return {Code::permission_denied,
            fmt::format(
                "what answers at {} has not the key of the cluster {}, the fingerprint in the join string; "
                "use the join string that this cluster's broker wrote (STATE/join/submit)",
                brokers, link::fingerprint(join.cluster))};
  }
  if (reason.code() == Code::unavailable) {
    return {
        Code::unavailable,
        fmt::format("no broker answers: {}; start one with 'cobus-broker', or 'cobus up' to try things out",
                    reason.message())};
  }
  return {reason.code(), fmt::format("the broker does not let us in: {}", reason.message())};
}

}  // namespace

Result<std::unique_ptr<Session>> Session::open(const SessionOptions& options) {
  if (Status checked = link::check_state_folder(options.state); !checked.ok())
    return fail(std::move(checked));
  const std::filesystem::path state = link::state_folder(options.state);
  if (Status checked = link::check_private_folder(state); !checked.ok()) return fail(std::move(checked));
  auto join = find_join(options);
  if (!join) return fail(join.error());
  const std::filesystem::path folder = state / "client";
  auto identity = own_identity(folder, *join);
  if (!identity) return fail(std::move(identity).error());

  link::ZmqTransportOptions transport;
  transport.own = link::CurvePair{identity->pair.key, identity->pair.secret.clone()};
  auto opened = link::ZmqTransport::open(transport);
  if (!opened) return fail(std::move(opened).error());
  std::unique_ptr<Session> session(new Session());
  session->transport_ = std::move(*opened);
  NodeOptions node;
  node.name = own_name();
  node.role = v1::SUBMIT;
  node.token = join->token;
  session->node_ = std::make_unique<Node>(std::move(node), *session->transport_, std::move(*identity));
  session->view_ = std::make_unique<View>(system_clock(), system_random().next());
  session->watch_ = std::make_unique<Watch>(folder, *join);
  session->node_->add_peer_listener(session->watch_.get());
  session->membership_ = std::make_unique<Membership>(*session->node_, *session->view_);
  link::wipe(join->token);  // the links and the listener have it
  session->join_ = *join;
  if (Status joined = session->dial(*join, options); !joined.ok()) {
    return fail(explained(joined, *join));
  }
  // One that cannot be kept only means that --join is needed again.
  if (!options.join.empty()) static_cast<void>(link::keep_join_string(folder / "join", *join));
  return session;
}

// Ok once a broker that knows every node told who is there, or one that has just started what it knows.
Status Session::dial(const link::JoinString& join, const SessionOptions& options) {
  const TimePoint until = system_clock().now() + options.connect_timeout;
  addresses_ = std::make_unique<BrokerAddresses>(
      *node_, link::broker_curve_key(join.cluster),
      BrokerAddresses::Hooks{
          [this](link::TargetId target, const Status& why) { watch_->on_target_failed(target, why); }, {}},
      &link::resolve);
  for (const std::string& broker : join.brokers) {
    targets_.emplace_back(broker, addresses_->add(broker));
    if (!targets_.back().second) return targets_.back().second.error();
  }
  const std::size_t targets = targets_.size();
  node_->start();
  while (!view_->complete()) {
    if (!view_->answered() && watch_->hopeless(targets)) return watch_->reason();
    if (system_clock().now() >= until) {
      if (view_->answered()) return {};  // what the broker knows by now; see is_filling()
      Status why = watch_->reason();
      return why.ok() ? Status(Code::unavailable, "no answer in time from " + join.brokers.front()) : why;
    }
    if (options.while_waiting) options.while_waiting();
    std::this_thread::sleep_for(look_again);
  }
  return {};
}

std::vector<Session::Broker> Session::brokers(Duration patience) {
  const TimePoint until = system_clock().now() + patience;
  for (;;) {
    std::vector<Broker> all;
    bool open = false;
    for (const auto& [address, target] : targets_) {
      Broker broker{.address = address};
      const auto peer = target ? watch_->peer(*target) : std::nullopt;
      if (peer) {
        broker.node = peer->node;
        broker.build = peer->build;
      } else {
        broker.trouble = target ? watch_->trouble(*target) : target.error();
        open = open || broker.trouble.ok();
        if (broker.trouble.ok()) broker.trouble = {Code::unavailable, "no answer in time"};
      }
      all.push_back(std::move(broker));
    }
    if (!open || system_clock().now() >= until) return all;
    std::this_thread::sleep_for(look_again);
  }
}

Session::~Session() {
  if (node_) node_->stop(goodbye);
}

void Session::when_shut_out(std::function<void(const Status&)> told) {
  watch_->when_shut_out(std::move(told));
}

void Session::ask_to_stop() {
  node_->run_on(0, [](Home& home) { home.stop_all(); });
}

}  // namespace cobus::client
