// SPDX-License-Identifier: Apache-2.0
#include "node/cluster/view.hpp"

#include <algorithm>

namespace cobus {
namespace {

constexpr Duration avoided_for = std::chrono::seconds(2);

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

v1::NodeRecord View::shown(const Entry& entry) const {
  v1::NodeRecord record = entry.record;
  const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(clock_.now() - entry.told).count();
  record.set_age_ms(record.age_ms() + static_cast<std::uint32_t>(std::max<std::int64_t>(0, since)));
  record.set_suspected(!entry.suspecting.empty());
  return record;
}

void View::put(NodeId broker, const v1::NodeRecord& record, Effects& effects) {
  Entry& entry = entries_[NodeId{record.node()}];
  entry.brokers.insert(broker);
  for (const NodeId lost : lost_brokers_) entry.brokers.erase(lost);
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
  down_.erase(record.name());
  if (changed) entry.avoided_until = entry.unreached_until = TimePoint{};
  if (changed) effects.learned.push_back(record);
}

void View::drop(NodeId broker, NodeId node, Effects& effects) {
  const auto found = entries_.find(node);
  if (found == entries_.end()) return;
  found->second.brokers.erase(broker);
  found->second.suspecting.erase(broker);
  for (const NodeId lost : lost_brokers_) found->second.brokers.erase(lost);
  if (!found->second.brokers.empty()) return;
  entries_.erase(found);
  effects.forgotten.push_back(node);
}

void View::take_part(NodeId broker, const v1::DirectoryEvent& part, Effects& effects) {
  std::set<NodeId>& named = named_[broker];
  if (part.part() == 0) {
    named.clear();
    lost_brokers_.erase(broker);
  }
  for (const v1::NodeRecord& record : part.down())
    down_[record.name()] = Entry{record, {}, {}, {}, {}, updated_};
  for (const v1::NodeRecord& record : part.changed()) named.insert(NodeId{record.node()});
  if (part.more()) return;
  complete_ = true;
  std::vector<NodeId> missing;
  for (const auto& [node, entry] : entries_) {
    if (!named.contains(node)) missing.push_back(node);
  }
  for (const NodeId node : missing) drop(broker, node, effects);
  named_.erase(broker);
}

View::Effects View::apply(NodeId broker, const v1::DirectoryEvent& event) {
  Effects effects;
  const std::scoped_lock lock(mutex_);
  updated_ = clock_.now();
  if (event.snapshot()) take_part(broker, event, effects);
  for (const v1::NodeRecord& record : event.changed()) put(broker, record, effects);
  for (const auto& [node, entry] : entries_) down_.erase(entry.record.name());
  for (const v1::Departure& gone : event.gone()) drop(broker, NodeId{gone.node()}, effects);
  return effects;
}

void View::broker_lost(NodeId broker) {
  const std::scoped_lock lock(mutex_);
  lost_brokers_.insert(broker);
  named_.erase(broker);
  for (auto& [node, entry] : entries_) entry.suspecting.erase(broker);
}

Duration View::lost(NodeId node) {
  const TimePoint now = clock_.now();
  const std::scoped_lock lock(mutex_);
  suspected_.erase(node);
  if (const auto found = entries_.find(node); found != entries_.end())
    found->second.avoided_until = now + avoided_for;
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
  if (const auto entry = entries_.find(node); entry != entries_.end())
    entry->second.avoided_until = entry->second.unreached_until = TimePoint{};
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
  for (const auto& [name, entry] : down_) all.push_back(shown(entry));
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
    if (is_unsteady(node)) all.insert(node);
  }
  return all;
}

std::string View::name_of(NodeId node) const {
  const std::scoped_lock lock(mutex_);
  const auto found = entries_.find(node);
  return found == entries_.end() ? to_string(node) : found->second.record.name();
}

bool View::complete() const {
  const std::scoped_lock lock(mutex_);
  return complete_;
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
  std::vector<NodeId> steady;
  std::vector<NodeId> others;
  for (const auto& [node, entry] : entries_) {
    if (!usable(entry) || (eligible && !eligible(node)) || !offers(entry.record, name)) continue;
    const bool worse = is_unsteady(node) || entry.unreached_until > clock_.now();
    (worse ? others : steady).push_back(node);
  }
  const std::vector<NodeId>& choice = steady.empty() ? others : steady;
  if (!choice.empty()) return choice[turn_++ % choice.size()];
  if (!complete_) {
    return fail(Code::unavailable, "cannot look for " + std::string(name) + ": no broker has answered yet");
  }
  return fail(Code::not_found, "no node that is up offers " + std::string(name));
}

}  // namespace cobus
