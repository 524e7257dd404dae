// SPDX-License-Identifier: Apache-2.0
#include "node/cluster/view.hpp"

#include <algorithm>
#include <array>

#include "proto/limits.hpp"

namespace cobus {
namespace {

constexpr Duration avoided_for = std::chrono::seconds(2);
constexpr std::size_t ranks = 4;

// `name` is a service's, or "service/method"; a record that lists no methods is taken to have every one.
bool offers(const v1::NodeRecord& record, std::string_view name) {
  const std::string_view service = name.substr(0, name.find('/'));
  return std::any_of(record.services().begin(), record.services().end(), [&](const auto& offered) {
    if (offered.name() != service) return false;
    if (service == name || offered.methods().empty()) return true;
    return std::any_of(offered.methods().begin(), offered.methods().end(),
                       [name](const v1::MethodRecord& method) { return method.name() == name; });
  });
}

}  // namespace

bool View::usable(const Entry& entry) const {
  return entry.avoided_until <= clock_.now() && entry.record.state() == v1::UP;
}

bool View::is_unsteady(NodeId node) const {
  if (suspected_.contains(node)) return true;
  const auto found = flapping_.find(node);
  return found != flapping_.end() && found->second.unsteady(clock_.now());
}

// Our own session with a node says as much as a broker.
bool View::is_vouched_for(NodeId node, const Entry& entry) const {
  return !entry.brokers.empty() || connected_.contains(node);
}

std::size_t View::rank(NodeId node, const Entry& entry) const {
  if (entry.unreached_until > clock_.now()) return ranks - 1;
  const bool vouched_for = is_vouched_for(node, entry);
  const bool unsteady = is_unsteady(node) || (!vouched_for && entry.lost);
  return (vouched_for ? 0U : 2U) + (unsteady ? 1U : 0U);
}

v1::NodeRecord View::shown(const Entry& entry) const {
  v1::NodeRecord record = entry.record;
  const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(clock_.now() - entry.told).count();
  record.set_age_ms(record.age_ms() + static_cast<std::uint32_t>(std::max<std::int64_t>(0, since)));
  record.set_suspected(!entry.suspecting.empty());
  record.set_unconfirmed(entry.brokers.empty());
  return record;
}

void View::put(NodeId broker, const v1::NodeRecord& record, Effects& effects) {
  Entry& entry = entries_[NodeId{record.node()}];
  entry.brokers.insert(broker);
  entry.lost_brokers.clear();
  entry.held_until = never;
  if (record.suspected()) {
    entry.suspecting.insert(broker);
  } else {
    entry.suspecting.erase(broker);
  }
  const auto age = [](const v1::NodeRecord& of) { return std::pair(of.incarnation(), of.revision()); };
  if (age(record) < age(entry.record)) return;
  const bool changed = age(record) != age(entry.record);
  entry.record = record;
  entry.told = clock_.now();
  entry.lost = false;
  down_.erase(record.name());
  if (!changed) return;
  entry.avoided_until = entry.unreached_until = TimePoint{};
  effects.learned.push_back(record);
  forget_earlier_lives(record, effects);
}

void View::forget_earlier_lives(const v1::NodeRecord& of, Effects& effects) {
  std::erase_if(entries_, [&](const auto& each) {
    const v1::NodeRecord& other = each.second.record;
    const bool earlier = other.node() != of.node() && other.name() == of.name() &&
                         other.incarnation() < of.incarnation() && each.second.brokers.empty();
    if (earlier) effects.forgotten.push_back(each.first);
    return earlier;
  });
}

void View::drop(NodeId broker, NodeId node, bool said_gone, Effects& effects) {
  const auto found = entries_.find(node);
  if (found == entries_.end()) return;
  Entry& entry = found->second;
  entry.brokers.erase(broker);
  entry.lost_brokers.erase(broker);
  entry.suspecting.erase(broker);
  if (!entry.brokers.empty() || (!said_gone && !entry.lost_brokers.empty())) return;
  entries_.erase(found);
  effects.forgotten.push_back(node);
}

void View::take_part(NodeId broker, const v1::DirectoryEvent& part, Effects& effects) {
  std::set<NodeId>& named = named_[broker];
  if (part.part() == 0) named.clear();
  for (const v1::NodeRecord& record : part.down()) {
    Entry& entry = down_[record.name()] = {};
    entry.record = record;
    entry.told = updated_;
  }
  for (const v1::NodeRecord& record : part.changed()) named.insert(NodeId{record.node()});
  if (part.more()) return;
  answered_ = true;
  const TimePoint filled_at =
      updated_ + std::min<Duration>(std::chrono::milliseconds(part.filling_ms()), limits::filling_max);
  answering_.insert_or_assign(broker, Answering{filled_at});
  std::vector<NodeId> missing;
  for (const auto& [node, entry] : entries_) {
    if (!named.contains(node)) missing.push_back(node);
  }
  for (const NodeId node : missing) drop(broker, node, false, effects);
  named_.erase(broker);
}

View::Effects View::apply(NodeId broker, const v1::DirectoryEvent& event, const Learned& learned) {
  Effects effects;
  const std::scoped_lock lock(mutex_);
  updated_ = clock_.now();
  if (event.snapshot()) take_part(broker, event, effects);
  if (const auto answering = answering_.find(broker); event.filled() && answering != answering_.end())
    answering->second.filled_at = std::min(answering->second.filled_at, updated_);
  for (const v1::NodeRecord& record : event.changed()) put(broker, record, effects);
  for (const auto& [node, entry] : entries_) down_.erase(entry.record.name());
  for (const v1::Departure& gone : event.gone()) drop(broker, NodeId{gone.node()}, true, effects);
  set_held_until(updated_);
  if (learned) std::ranges::for_each(effects.learned, learned);
  return effects;
}

void View::broker_lost(NodeId broker) {
  const std::scoped_lock lock(mutex_);
  was_complete_ = is_complete();
  answering_.erase(broker);
  named_.erase(broker);
  for (auto& [node, entry] : entries_) {
    entry.suspecting.erase(broker);
    if (entry.brokers.erase(broker) != 0) entry.lost_brokers.insert(broker);
  }
  set_held_until(clock_.now());
}

// A broker that answers is given the time in which every living node renews with it.
TimePoint View::held_until(TimePoint now) const {
  TimePoint earliest = never;
  for (const auto& [broker, state] : answering_)
    earliest = std::min(earliest, std::max(now, state.filled_at));
  return earliest == never ? never : earliest + limits::lease_ttl;
}

void View::set_held_until(TimePoint now) {
  const TimePoint until = held_until(now);
  for (auto& [node, entry] : entries_) {
    if (!entry.brokers.empty()) continue;
    entry.held_until = until == never ? never : std::min(entry.held_until, until);
  }
}

View::Effects View::expire(TimePoint now) {
  Effects effects;
  const std::scoped_lock lock(mutex_);
  std::erase_if(entries_, [&](const auto& each) {
    const bool over = each.second.brokers.empty() && each.second.held_until <= now;
    if (over) effects.forgotten.push_back(each.first);
    return over;
  });
  return effects;
}

TimePoint View::next_expiry() const {
  TimePoint next = never;
  const std::scoped_lock lock(mutex_);
  for (const auto& [node, entry] : entries_) {
    if (entry.brokers.empty()) next = std::min(next, entry.held_until);
  }
  return next;
}

Duration View::lost(NodeId node) {
  const TimePoint now = clock_.now();
  const std::scoped_lock lock(mutex_);
  suspected_.erase(node);
  connected_.erase(node);
  if (const auto found = entries_.find(node); found != entries_.end()) {
    found->second.avoided_until = now + avoided_for;
    found->second.lost = true;
  }
  std::erase_if(flapping_, [now](const auto& each) { return each.second.forgotten(now); });
  link::Flapping& flapping = flapping_[node];
  return flapping.lost(now) ? flapping.steady_after(now) : Duration(0);
}

void View::suspect(NodeId node, bool suspected) {
  const std::scoped_lock lock(mutex_);
  if (suspected) {
    suspected_.insert(node);
  } else {
    suspected_.erase(node);
  }
}

void View::found(NodeId node) {
  const std::scoped_lock lock(mutex_);
  connected_.insert(node);
  if (const auto entry = entries_.find(node); entry != entries_.end()) {
    entry->second.avoided_until = entry->second.unreached_until = TimePoint{};
    entry->second.lost = false;
  }
}

std::vector<v1::NodeRecord> View::nodes() const {
  std::vector<v1::NodeRecord> all;
  {
    const std::scoped_lock lock(mutex_);
    for (const auto& [node, entry] : entries_) all.push_back(shown(entry));
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.name() < b.name(); });
  return all;
}

std::vector<v1::NodeRecord> View::down() const {
  std::vector<v1::NodeRecord> all;
  const std::scoped_lock lock(mutex_);
  for (const auto& [name, entry] : down_) {
    all.push_back(shown(entry));
    all.back().set_unconfirmed(false);  // a broker said that it is down
  }
  return all;
}

std::optional<v1::NodeRecord> View::find(NodeId node) const {
  const std::scoped_lock lock(mutex_);
  const auto found = entries_.find(node);
  if (found == entries_.end()) return std::nullopt;
  return shown(found->second);
}

std::optional<v1::NodeRecord> View::find_name(std::string_view name) const {
  const std::scoped_lock lock(mutex_);
  for (const auto& [node, entry] : entries_) {
    if (entry.record.name() == name) return shown(entry);
  }
  return std::nullopt;
}

std::vector<v1::NodeRecord> View::providers(std::string_view name) const {
  std::vector<v1::NodeRecord> all;
  const std::scoped_lock lock(mutex_);
  for (const auto& [node, entry] : entries_) {
    if (usable(entry) && offers(entry.record, name)) all.push_back(entry.record);
  }
  return all;
}

std::vector<v1::NodeRecord> View::available() const {
  std::vector<v1::NodeRecord> all;
  const std::scoped_lock lock(mutex_);
  for (const auto& [node, entry] : entries_) {
    if (usable(entry)) all.push_back(entry.record);
  }
  return all;
}

std::vector<NodeId> View::suspected_by(NodeId node) const {
  const std::scoped_lock lock(mutex_);
  const auto found = entries_.find(node);
  if (found == entries_.end()) return {};
  return {found->second.suspecting.begin(), found->second.suspecting.end()};
}

std::set<NodeId> View::unsteady() const {
  std::set<NodeId> all;
  const std::scoped_lock lock(mutex_);
  for (const auto& [node, entry] : entries_) {
    if (rank(node, entry) != 0) all.insert(node);
  }
  return all;
}

std::string View::name_of(NodeId node) const {
  const std::scoped_lock lock(mutex_);
  const auto found = entries_.find(node);
  return found == entries_.end() ? to_string(node) : found->second.record.name();
}

bool View::answered() const {
  const std::scoped_lock lock(mutex_);
  return answered_;
}

bool View::complete() const {
  const std::scoped_lock lock(mutex_);
  return is_complete();
}

// Without any broker, what was known last counts.
bool View::is_complete() const {
  if (answering_.empty()) return was_complete_;
  return std::ranges::any_of(answering_,
                             [now = clock_.now()](const auto& each) { return each.second.filled_at <= now; });
}

TimePoint View::updated() const {
  const std::scoped_lock lock(mutex_);
  return updated_;
}

MethodTerms View::terms(NodeId node, std::string_view method) const {
  const std::string_view service = method.substr(0, method.find('/'));
  const std::scoped_lock lock(mutex_);
  const auto found = entries_.find(node);
  if (found == entries_.end()) return {};
  for (const v1::ServiceRecord& offered : found->second.record.services()) {
    if (offered.name() != service) continue;
    for (const v1::MethodRecord& described : offered.methods()) {
      if (described.name() == method) return {described.timeout_ms(), described.idempotent()};
    }
  }
  return {};
}

void View::unreached(NodeId node) {
  const std::scoped_lock lock(mutex_);
  if (const auto found = entries_.find(node); found != entries_.end())
    found->second.unreached_until = clock_.now() + avoided_for;
}

Result<NodeId> View::choose_among(std::string_view name, const NodeFilter& eligible) {
  const std::scoped_lock lock(mutex_);
  std::array<std::vector<NodeId>, ranks> by_rank;
  for (const auto& [node, entry] : entries_) {
    if (!usable(entry) || (eligible && !eligible(node)) || !offers(entry.record, name)) continue;
    by_rank[rank(node, entry)].push_back(node);
  }
  const auto best = std::ranges::find_if(by_rank, [](const auto& nodes) { return !nodes.empty(); });
  if (best != by_rank.end()) return (*best)[turn_++ % best->size()];
  if (!answered_)
    return fail(Code::unavailable, "cannot look for " + std::string(name) + ": no broker has answered yet");
  if (!is_complete()) {
    return fail(Code::unavailable, "cannot look for " + std::string(name) +
                                       ": the broker has just started, and does not know every node yet");
  }
  return fail(Code::not_found, "no node that is up offers " + std::string(name));
}

}  // namespace cobus
