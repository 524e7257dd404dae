// SPDX-License-Identifier: Apache-2.0
#include "node/cluster/membership.hpp"

#include <cobus/v1/directory.cobus.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>

namespace cobus {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view register_method = "cobus.v1.Directory/Register";
constexpr Duration again_after = std::chrono::seconds(1);
// How late a registration or a renewal is before the watchdog takes it over. A lease survives two of them.
constexpr Duration held_up_after = std::chrono::seconds(1);
static_assert(limits::renew_interval + held_up_after + limits::renew_interval < limits::lease_ttl);
constexpr Duration share_within = milliseconds(300);

CallOptions quiet(Duration timeout) {
  CallOptions options;
  options.timeout = timeout;
  options.flags = v1::HIDDEN;
  return options;
}

link::CurveKey key_of(const v1::NodeRecord& record) {
  link::CurveKey key;
  v1::CertificateBody body;
  if (body.ParseFromString(record.certificate().body()) && body.curve_key().size() == key.bytes.size()) {
    std::copy(body.curve_key().begin(), body.curve_key().end(), key.bytes.begin());
  }
  return key;
}

// Whether events come in order: a snapshot in all its parts, then delta after delta.
class EventOrder {
 public:
  [[nodiscard]] bool follows(const v1::DirectoryEvent& event) {
    if (event.snapshot()) {
      if (event.part() != part_ || (part_ != 0 && event.sequence() != sequence_)) return false;
      part_ = event.more() ? part_ + 1 : 0;
    } else if (!begun_ || part_ != 0 || event.sequence() != sequence_ + 1) {
      return false;
    }
    begun_ = true;
    sequence_ = event.sequence();
    return true;
  }

 private:
  bool begun_ = false;
  std::uint32_t part_ = 0;  // that comes next; 0 when no snapshot is open
  std::uint64_t sequence_ = 0;
};

}  // namespace

Membership::Membership(Node& node, View& view, Hooks hooks, link::Revocations* revocations)
    : node_(node), view_(view), hooks_(std::move(hooks)), revocations_(revocations), renewal_(node, [this] {
        return brokers();
      }) {
  if (revocations_ == nullptr) {
    own_revocations_ = std::make_unique<link::Revocations>(node.links().cluster());
    revocations_ = own_revocations_.get();
  }
  revocation_writer_ = std::make_unique<RevocationWriter>(node, *revocations_);
  for (const link::Revoked& each : revocations_->all(unix_s()))
    node.links().revoke(each.key, each.body.until());
  node.add_peer_listener(this);
  if (hooks_.describe) node.add_watchdog_task(this);
  node.use_resolver(&view);
  view.found(node.id());  // it needs no broker to know that itself is here
}

void Membership::on_peer_up(const link::PeerInfo& peer, link::TargetId) {
  if (peer.role == v1::NODE) view_.found(peer.node);
  if (peer.role != v1::BROKER) return;
  std::uint64_t session = 0;
  {
    const std::scoped_lock lock(mutex_);
    session = ++sessions_;
    brokers_.insert_or_assign(peer.node, Broker{session, {}, node_.clock().now() + held_up_after});
  }
  node_.spawn("cobus.watch", &Membership::watch, this, peer.node, session);
  if (session == 1) node_.spawn("cobus.renew", &CertificateRenewal::run, &renewal_);
  if (hooks_.describe) node_.spawn("cobus.register", &Membership::enrol, this, peer.node, session);
}

void Membership::on_peer_down(const link::PeerInfo& peer, const Status&) {
  if (peer.role == v1::NODE) {
    const Duration unsteady_for = view_.lost(peer.node);
    if (unsteady_for > Duration(0)) {
      spdlog::warn(
          "node {} was lost again and again: others get new work instead for the next {} s, if they can",
          peer.name, unsteady_for / std::chrono::seconds(1));
    }
  }
  if (peer.role != v1::BROKER) return;
  const std::scoped_lock lock(mutex_);
  view_.broker_lost(peer.node);
  brokers_.erase(peer.node);
  expire_held();
}

void Membership::on_peer_suspected(const link::PeerInfo& peer, bool suspected) {
  if (peer.role == v1::NODE) view_.suspect(peer.node, suspected);
}

bool Membership::connected(NodeId broker, std::uint64_t session) const {
  const std::scoped_lock lock(mutex_);
  const auto found = brokers_.find(broker);
  return found != brokers_.end() && found->second.session == session;
}

std::vector<NodeId> Membership::brokers() const {
  std::vector<NodeId> all;
  const std::scoped_lock lock(mutex_);
  for (const auto& [node, broker] : brokers_) all.push_back(node);
  return all;
}

bool Membership::apply(NodeId broker, std::uint64_t session, const v1::DirectoryEvent& event) {
  const std::scoped_lock lock(mutex_);
  const auto found = brokers_.find(broker);
  if (found == brokers_.end() || found->second.session != session) return false;
  // First, so that nobody is dialled who should not be.
  learn_revoked(broker, event);
  const View::Effects effects = view_.apply(broker, event, [this](const v1::NodeRecord& record) {
    if (NodeId{record.node()} == node_.id()) return;
    node_.links().learn(NodeId{record.node()}, {record.endpoints().begin(), record.endpoints().end()},
                        key_of(record));
  });
  for (const NodeId gone : effects.forgotten) node_.links().forget(gone);
  expire_held();
  return true;
}

// With mutex_ held.
void Membership::expire_held() {
  if (expiring_ || view_.next_expiry() == never) return;
  expiring_ = true;
  node_.spawn("cobus.held", &Membership::expire_all_held, this);
}

Task<> Membership::expire_all_held(Self self, Membership* membership) {
  for (;;) {
    TimePoint next = never;
    {
      const std::scoped_lock lock(membership->mutex_);
      const View::Effects effects = membership->view_.expire(self.node().clock().now());
      for (const NodeId gone : effects.forgotten) self.node().links().forget(gone);
      next = membership->view_.next_expiry();
      membership->expiring_ = next != never;
    }
    if (next == never) co_return;
    if (!(co_await sleep(next - self.node().clock().now())).ok()) co_return;
  }
}

void Membership::learn_revoked(NodeId broker, const v1::DirectoryEvent& event) {
  Broker& teller = brokers_.at(broker);
  const std::vector<link::Revoked> news = revocations_->merge(event.revoked(), unix_s());
  for (const v1::Revocation& each : event.revoked()) {
    v1::RevocationBody body;
    if (body.ParseFromString(each.body()))
      teller.revoked[link::curve_key_of(body.curve_key())] = body.until();
  }
  for (const link::Revoked& each : news) {
    const bool own = each.key == node_.links().key();
    spdlog::log(own ? spdlog::level::critical : spdlog::level::warn, "{} of {} is revoked: {}",
                own ? "our own key" : "key " + link::short_fingerprint(each.key), each.body.name(),
                each.body.reason());
    node_.links().revoke(each.key, each.body.until());
  }
  if (!hooks_.describe || revocations_->empty()) return;
  // What this broker knew in the end is in the last part of its snapshot.
  for (const auto& [other, state] : brokers_) {
    if (other == broker ? event.snapshot() && !event.more() : !news.empty())
      node_.spawn("cobus.share", &Membership::share, this, other, state.session);
  }
}

void Membership::refresh() {
  const std::scoped_lock lock(mutex_);
  ++revision_;
}

Task<> Membership::watch(Self self, Membership* membership, NodeId broker, std::uint64_t session) {
  while (membership->connected(broker, session) && !self.stop_requested()) {
    v1::DirectoryStub directory(self, broker);
    CallOptions options = quiet(Duration(-1));
    options.credit = limits::watch_credit;
    auto events = directory.Watch(v1::WatchRequest(), std::move(options));
    EventOrder order;
    for (;;) {
      std::optional<v1::DirectoryEvent> event = co_await events.next();
      if (!event) break;
      // A gap means that something was missed: watch anew, from a snapshot.
      if (!order.follows(*event)) break;
      if (!membership->apply(broker, session, *event)) co_return;
      if (!event->revoked().empty()) static_cast<void>(co_await membership->revocation_writer_->write());
    }
    if (!(co_await sleep(again_after)).ok()) co_return;
  }
}

// Not at once: with many nodes one of them will do, or the broker hears it by itself.
Task<> Membership::share(Self self, Membership* membership, NodeId broker, std::uint64_t session) {
  if (!(co_await sleep(self.node().random().jitter(share_within))).ok()) co_return;
  std::vector<v1::ShareRequest> requests;
  {
    const std::scoped_lock lock(membership->mutex_);
    const auto found = membership->brokers_.find(broker);
    if (found == membership->brokers_.end() || found->second.session != session) co_return;
    std::size_t bytes = link::revocations_bytes_max;
    for (link::Revoked& each : membership->revocations_->all(membership->unix_s())) {
      const auto told = found->second.revoked.find(each.key);
      if (told != found->second.revoked.end() && told->second >= each.body.until()) continue;
      if (bytes >= link::revocations_bytes_max) requests.emplace_back();
      bytes = (bytes >= link::revocations_bytes_max ? 0 : bytes) + each.proof.ByteSizeLong();
      *requests.back().add_revoked() = std::move(each.proof);
    }
  }
  for (v1::ShareRequest& request : requests) {
    v1::DirectoryStub directory(self, broker);
    const auto reply = co_await directory.Share(std::move(request), quiet(std::chrono::seconds(5)));
    if (!reply) co_return;  // it is asked for again in the next session
  }
}

v1::RegisterRequest Membership::registration() const {
  v1::RegisterRequest request;
  *request.mutable_record() = hooks_.describe();
  const std::scoped_lock lock(mutex_);
  request.mutable_record()->set_revision(revision_);
  return request;
}

void Membership::heard(NodeId broker) {
  const std::scoped_lock lock(mutex_);
  if (const auto found = brokers_.find(broker); found != brokers_.end())
    found->second.late_at = node_.clock().now() + limits::renew_interval + held_up_after;
}

// The same as a renewal for a broker that knows this node, and a registration for one that does not.
void Membership::watchdog_turn(TimePoint now) {
  std::vector<NodeId> late;
  {
    const std::scoped_lock lock(mutex_);
    for (auto& [node, broker] : brokers_) {
      if (broker.late_at > now) continue;
      broker.late_at = now + limits::renew_interval;
      late.push_back(node);
    }
  }
  if (late.empty() || node_.draining()) return;
  const std::string payload = registration().SerializeAsString();
  for (const NodeId broker : late)
    node_.send_unanswered(broker, register_method, type_id_of<v1::RegisterRequest>(), payload,
                          limits::renew_interval);
}

Task<Result<Duration>> Membership::register_once(Self self, NodeId broker) {
  v1::DirectoryStub directory(self, broker);
  auto reply = co_await directory.Register(registration(), quiet(std::chrono::seconds(5)));
  heard(broker);
  if (!reply) co_return fail(std::move(reply).error());
  co_return milliseconds(reply->renew_ms());
}

// Registers with one broker and renews until it is gone.
Task<> Membership::enrol(Self self, Membership* membership, NodeId broker, std::uint64_t session) {
  while (membership->connected(broker, session) && !self.stop_requested()) {
    std::uint64_t registered = 0;
    {
      const std::scoped_lock lock(membership->mutex_);
      registered = membership->revision_;
    }
    Result<Duration> interval = co_await membership->register_once(self, broker);
    if (membership->hooks_.registered) membership->hooks_.registered(interval ? Status() : interval.error());
    if (!interval) {
      const Status& why = interval.error();
      if (why.code() != Code::cancelled) spdlog::warn("cannot register with a broker: {}", why.to_string());
      if (!(co_await sleep(again_after)).ok()) co_return;
      continue;
    }
    for (bool known = true; known;) {
      // Spread over a tenth of the interval, so that nodes that started together do not stay together.
      const Duration spread = self.node().random().jitter(*interval / 10);
      if (!(co_await sleep(*interval - spread)).ok()) co_return;
      if (!membership->connected(broker, session)) co_return;
      const std::uint64_t revision = [membership] {
        const std::scoped_lock lock(membership->mutex_);
        return membership->revision_;
      }();
      if (revision != registered) break;
      v1::RenewRequest renew;
      v1::NodeRecord record = membership->hooks_.describe();
      renew.set_node(record.node());
      renew.set_incarnation(record.incarnation());
      *renew.mutable_load() = std::move(*record.mutable_load());
      v1::DirectoryStub directory(self, broker);
      auto reply = co_await directory.Renew(std::move(renew), quiet(std::chrono::seconds(5)));
      known = reply && reply->known();
      if (reply) membership->heard(broker);
    }
  }
}

Task<> Membership::leave(Self self) {
  std::vector<NodeId> brokers;
  {
    const std::scoped_lock lock(mutex_);
    for (const auto& [node, broker] : brokers_) brokers.push_back(node);
  }
  for (const NodeId broker : brokers) {
    v1::LeaveRequest request;
    request.set_node(static_cast<std::uint64_t>(self.node().id()));
    v1::DirectoryStub directory(self, broker);
    static_cast<void>(co_await directory.Leave(std::move(request), quiet(milliseconds(500))));
  }
}

}  // namespace cobus
