// SPDX-License-Identifier: Apache-2.0
#include "broker/directory.hpp"

#include <fmt/format.h>
#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <utility>

#include "broker/node_name.hpp"

namespace cobus::broker {
namespace {

using google::protobuf::util::MessageDifferencer;

NodeId id_of(const v1::NodeRecord& record) { return static_cast<NodeId>(record.node()); }

v1::NodeRecord with_age(v1::NodeRecord record, TimePoint renewed, TimePoint now) {
  const auto age = std::chrono::duration_cast<std::chrono::milliseconds>(now - renewed);
  record.set_age_ms(static_cast<std::uint32_t>(std::max<std::int64_t>(0, age.count())));
  return record;
}

// Tag and length of a record in an event.
constexpr std::size_t record_overhead_bytes = 8;
// About 100 bytes each, with the longest name.
constexpr int departures_of_delta_max = 2'000;

// Counts what goes into one event.
class EventSize {
 public:
  // Whether the record fits too; it counts then.
  [[nodiscard]] bool add(const google::protobuf::Message& record) {
    const std::size_t more = record.ByteSizeLong() + record_overhead_bytes;
    if (bytes_ + more > limits::directory_event_bytes_max) return false;
    bytes_ += more;
    return true;
  }

 private:
  std::size_t bytes_ = 64;  // the rest of the event
};

}  // namespace

Status Directory::check(const v1::NodeRecord& record, const Proof& proof) const {
  if (id_of(record) == NodeId::none) return {Code::invalid_argument, "a record without a node id"};
  if (Status status = check_node_name(record.name()); !status.ok()) return status;
  if (record.name() != proof.name) {
    return {Code::permission_denied,
            fmt::format("the certificate is for {}, so it cannot register as {}", proof.name, record.name())};
  }
  if (record.ByteSizeLong() > limits::node_record_bytes_max) {
    return {Code::invalid_argument,
            fmt::format("the record of node {} has {} bytes; at most {} are allowed: give "
                        "it fewer labels or services",
                        record.name(), record.ByteSizeLong(), limits::node_record_bytes_max)};
  }
  const auto holder = entries_.find(id_of(record));
  if (holder != entries_.end() &&
      (holder->second.record.name() != record.name() || holder->second.key != proof.key)) {
    return {Code::permission_denied,
            fmt::format("node id {} belongs to {}", to_string(id_of(record)), holder->second.record.name())};
  }
  return check_earlier(record, proof);
}

// Against what is registered under the same name.
Status Directory::check_earlier(const v1::NodeRecord& record, const Proof& proof) const {
  const auto named = by_name_.find(record.name());
  if (named == by_name_.end()) return {};
  const Entry& known = entries_.at(named->second);
  if (known.key != proof.key) return name_is_held(record.name(), known.key, proof.key);
  const bool same_life =
      known.record.node() == record.node() && known.record.incarnation() == record.incarnation();
  if (!same_life && record.incarnation() <= known.record.incarnation()) {
    return {Code::failed_precondition,
            fmt::format(
                "a later life of node {} is registered already (started at {} us, this one at {} us): stop "
                "one of the two, or wait for its lease to end if the clock was set back",
                record.name(), known.record.incarnation(), record.incarnation())};
  }
  return {};
}

void Directory::expect(const std::vector<std::string>& names, TimePoint until) {
  expected_.insert(names.begin(), names.end());
  expected_until_ = until;
}

void Directory::end_filling() {
  expected_.clear();
  add_delta().set_filled(true);
}

std::vector<std::string> Directory::names() const {
  std::set<std::string> all(expected_.begin(), expected_.end());
  for (const auto& [name, node] : by_name_) all.insert(name);
  return {all.begin(), all.end()};
}

Result<void> Directory::register_node(v1::NodeRecord record, const Proof& proof, TimePoint now) {
  expire(now);  // an ended lease holds no name
  record.clear_age_ms();
  record.clear_suspected();
  if (Status status = check(record, proof); !status.ok()) return fail(std::move(status));
  const NodeId node = id_of(record);
  const auto named = by_name_.find(record.name());
  const bool known = named != by_name_.end() && named->second == node;
  if (Status status = leases_.renew(node, record.incarnation(), now); !status.ok())
    return fail(std::move(status));
  if (known) {
    Entry& entry = entries_.at(node);
    entry.renewed = now;
    record.set_suspected(entry.record.suspected());
    const bool newer = std::pair(record.incarnation(), record.revision()) >=
                       std::pair(entry.record.incarnation(), entry.record.revision());
    if (!newer || MessageDifferencer::Equals(record, entry.record)) return {};
    entry.record = std::move(record);
    loads_changed_.erase(node);
    *add_delta().add_changed() = entry.record;
    return {};
  }
  v1::DirectoryEvent& delta = add_delta();
  if (named != by_name_.end()) remove(named->second, "replaced by a later life", delta);
  *delta.add_changed() = record;
  hold(record.name(), node, proof.key);
  departed_.erase(record.name());
  const bool was_expected = expected_.erase(record.name()) != 0;
  entries_.emplace(node, Entry{std::move(record), proof.key, now});
  if (was_expected && expected_.empty()) end_filling();
  return {};
}

bool Directory::renew(NodeId node, Incarnation incarnation, const v1::Load& load, TimePoint now) {
  const auto found = entries_.find(node);
  if (found == entries_.end() || found->second.record.incarnation() != incarnation) return false;
  if (!leases_.renew(node, incarnation, now).ok()) return false;
  found->second.renewed = now;
  v1::NodeRecord& record = found->second.record;
  if (MessageDifferencer::Equals(load, record.load())) return true;
  *record.mutable_load() = load;
  if (loads_changed_.empty()) loads_due_ = now + load_interval;
  loads_changed_.insert(node);
  return true;
}

void Directory::suspect(NodeId node, bool suspected) {
  const auto found = entries_.find(node);
  if (found == entries_.end() || found->second.record.suspected() == suspected) return;
  found->second.record.set_suspected(suspected);
  *add_delta().add_changed() = found->second.record;
}

void Directory::hold(const std::string& name, NodeId node, const link::CurveKey& key) {
  by_name_.emplace(name, node);
  const std::scoped_lock lock(holders_mutex_);
  holders_.insert_or_assign(name, key);
}

void Directory::let_go(const std::string& name) {
  by_name_.erase(name);
  const std::scoped_lock lock(holders_mutex_);
  holders_.erase(name);
}

std::optional<link::CurveKey> Directory::holder(std::string_view name) const {
  const std::scoped_lock lock(holders_mutex_);
  const auto found = holders_.find(name);
  if (found == holders_.end()) return std::nullopt;
  return found->second;
}

void Directory::depart(NodeId node, std::string_view reason, TimePoint now) {
  if (!entries_.contains(node)) return;
  remember(node, now);
  remove(node, reason, add_delta());
}

// Keeps the record of a departed node: its name, and the services that it offered to users, so that a job for
// it can wait.
void Directory::remember(NodeId node, TimePoint now) {
  std::erase_if(departed_, [now](const auto& each) { return now - each.second.left >= down_told; });
  if (departed_.size() >= down_told_max) return;
  const Entry& entry = entries_.at(node);
  Departed departed{entry.record, entry.renewed, now};
  departed.record.set_state(v1::DEPARTED);
  departed.record.clear_suspected();
  auto& services = *departed.record.mutable_services();
  services.erase(
      std::remove_if(services.begin(), services.end(), [](const auto& each) { return each.internal(); }),
      services.end());
  departed.record.clear_certificate();
  departed.record.clear_load();
  departed_.insert_or_assign(entry.record.name(), std::move(departed));
}

void Directory::remove(NodeId node, std::string_view reason, v1::DirectoryEvent& delta) {
  const auto found = entries_.find(node);
  v1::Departure& departure = *delta.add_gone();
  departure.set_node(static_cast<std::uint64_t>(node));
  departure.set_name(found->second.record.name());
  departure.set_reason(std::string(reason));
  leases_.remove(node);
  loads_changed_.erase(node);
  let_go(found->second.record.name());
  entries_.erase(found);
}

void Directory::revoke(const std::vector<link::Revoked>& revoked, TimePoint now) {
  v1::DirectoryEvent* delta = nullptr;
  EventSize size;
  for (const link::Revoked& each : revoked) {
    if (delta == nullptr || !size.add(each.proof)) {
      delta = &add_delta();
      size = {};
      static_cast<void>(size.add(each.proof));
    }
    *delta->add_revoked() = each.proof;
  }
  std::vector<NodeId> leaving;
  for (const auto& [node, entry] : entries_) {
    if (std::ranges::find(revoked, entry.key, &link::Revoked::key) != revoked.end()) leaving.push_back(node);
  }
  for (const NodeId node : leaving) depart(node, "revoked", now);
}

std::vector<v1::CertificateBody> Directory::certificates() const {
  std::vector<v1::CertificateBody> all;
  for (const auto& [node, entry] : entries_) {
    v1::CertificateBody body;
    // Of the key that was proved; what else a record says of its certificate is only its word.
    if (body.ParseFromString(entry.record.certificate().body()) &&
        link::curve_key_of(body.curve_key()) == entry.key) {
      all.push_back(std::move(body));
    }
  }
  return all;
}

void Directory::expire(TimePoint now) {
  v1::DirectoryEvent* delta = nullptr;
  for (const NodeId node : leases_.expire(now)) {
    if (delta == nullptr || delta->gone_size() >= departures_of_delta_max) delta = &add_delta();
    remember(node, now);
    remove(node, "lease ended", *delta);
  }
  if (now >= loads_due_) put_out_loads(now);
  if (filling() && now >= expected_until_) end_filling();
}

void Directory::put_out_loads(TimePoint now) {
  loads_due_ = never;
  v1::DirectoryEvent* delta = nullptr;
  EventSize size;
  for (const NodeId node : loads_changed_) {
    const Entry& entry = entries_.at(node);
    v1::NodeRecord record = with_age(entry.record, entry.renewed, now);
    if (delta == nullptr || !size.add(record)) {
      delta = &add_delta();
      size = {};
      static_cast<void>(size.add(record));
    }
    *delta->add_changed() = std::move(record);
  }
  loads_changed_.clear();
}

TimePoint Directory::next_expiry() const noexcept {
  const TimePoint due = std::min(leases_.next_expiry(), loads_due_);
  return filling() ? std::min(due, expected_until_) : due;
}

v1::DirectoryEvent Directory::snapshot_part(Told& told, TimePoint now) const {
  if (told.parts == 0) told.sequence = sequence_;
  v1::DirectoryEvent event;
  event.set_sequence(told.sequence);
  event.set_snapshot(true);
  event.set_part(told.parts++);
  EventSize size;
  while (!told.revoked.empty() && size.add(told.revoked.back())) {
    *event.add_revoked() = std::move(told.revoked.back());
    told.revoked.pop_back();
  }
  auto entry = entries_.upper_bound(told.node);
  for (; told.revoked.empty() && entry != entries_.end(); ++entry) {
    v1::NodeRecord record = with_age(entry->second.record, entry->second.renewed, now);
    if (!size.add(record)) break;
    *event.add_changed() = std::move(record);
    told.node = entry->first;
  }
  auto departed = departed_.upper_bound(told.down);
  for (; told.revoked.empty() && entry == entries_.end() && departed != departed_.end(); ++departed) {
    if (now - departed->second.left >= down_told) continue;
    v1::NodeRecord record = with_age(departed->second.record, departed->second.renewed, now);
    if (!size.add(record)) break;
    *event.add_down() = std::move(record);
    told.down = departed->first;
  }
  if (filling()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(expected_until_ - now);
    event.set_filling_ms(static_cast<std::uint32_t>(std::max<std::int64_t>(1, left.count())));
  }
  event.set_more(!told.revoked.empty() || entry != entries_.end() || departed != departed_.end());
  return event;
}

std::vector<v1::DirectoryEvent> Directory::take_deltas() { return std::exchange(deltas_, {}); }

v1::DirectoryEvent& Directory::add_delta() {
  v1::DirectoryEvent& delta = deltas_.emplace_back();
  delta.set_sequence(++sequence_);
  return delta;
}

const v1::NodeRecord* Directory::find(NodeId node) const {
  const auto found = entries_.find(node);
  return found == entries_.end() ? nullptr : &found->second.record;
}

const v1::NodeRecord* Directory::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : find(found->second);
}

}  // namespace cobus::broker
