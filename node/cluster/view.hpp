// SPDX-License-Identifier: Apache-2.0
//
// View: what this node knows of the others, the union of what every broker says. Keeps its last state
// when brokers are gone and says how old it is. Shared by all threads of a node; every method locks.
#pragma once

#include <cobus/v1/directory.pb.h>

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "node/link/flapping.hpp"
#include "node/worker/node.hpp"

namespace cobus {

class View final : public Resolver {
 public:
  // `first`: which of several providers choose() begins with.
  explicit View(const Clock& clock, std::uint64_t first = 0) : clock_(clock), turn_(first) {}

  // What a change did, so that the caller can tell the links.
  struct Effects {
    std::vector<v1::NodeRecord> learned;  // new or changed
    std::vector<NodeId> forgotten;
  };

  // Folds in what `broker` said. A record is replaced only by a later (incarnation, revision)
  // or an equal one; a node is forgotten when no broker has it any more. The parts of a snapshot have to come
  // in order; what it does not name is forgotten with the last one.
  Effects apply(NodeId broker, const v1::DirectoryEvent& event);

  // The session with a broker ended: what it said is kept, but no longer holds a node here once another
  // broker, or its next life, says otherwise.
  void broker_lost(NodeId broker);
  // A node could not be reached: it is not chosen for two seconds, or until found(). Who is lost again and
  // again becomes unsteady: how long that will last when it has by this loss, else 0.
  Duration lost(NodeId node);
  void found(NodeId node);
  // Our own link hears nothing from it, or hears it again, or has lost it.
  void suspect(NodeId node, bool suspected);

  // All records, by name; here and below their age_ms counts up to now, and `suspected` says whether any
  // broker does.
  [[nodiscard]] std::vector<v1::NodeRecord> nodes() const;
  // Those that left a short while before the last snapshot and are not back, by name.
  [[nodiscard]] std::vector<v1::NodeRecord> down() const;
  [[nodiscard]] std::optional<v1::NodeRecord> find(NodeId node) const;
  [[nodiscard]] std::optional<v1::NodeRecord> find_name(std::string_view name) const;
  // Nodes that are up, offer `name` ("package.Service", or "package.Service/Method" for those with that
  // very method) and were not lost just now.
  [[nodiscard]] std::vector<v1::NodeRecord> providers(std::string_view name) const;
  // Nodes that are up and were not lost just now.
  [[nodiscard]] std::vector<v1::NodeRecord> available() const;
  // The brokers that hear nothing from `node`.
  [[nodiscard]] std::vector<NodeId> suspected_by(NodeId node) const;
  // Those that new work is better not given to as long as others can do it: our own link hears nothing from
  // them, or has lost them again and again.
  [[nodiscard]] std::set<NodeId> unsteady() const;
  // The name of a node, or its id in hexadecimal.
  [[nodiscard]] std::string name_of(NodeId node) const;
  // Whether any broker has told us everything it knows, and when one last said something.
  [[nodiscard]] bool complete() const;
  [[nodiscard]] TimePoint updated() const;

  // Providers in turn, unsteady ones only when there are no others. NOT_FOUND naming what was asked for,
  // UNAVAILABLE before any broker answered.
  [[nodiscard]] Result<NodeId> choose_among(std::string_view name, const NodeFilter& eligible) override;
  [[nodiscard]] MethodTerms terms(NodeId node, std::string_view method) const override;
  // For two seconds it is chosen only when there are no others.
  void unreached(NodeId node) override;

 private:
  struct Entry {
    v1::NodeRecord record;
    std::set<NodeId> brokers;
    std::set<NodeId> suspecting;  // of the brokers
    TimePoint avoided_until{};
    TimePoint unreached_until{};
    TimePoint told{};
  };
  [[nodiscard]] v1::NodeRecord shown(const Entry& entry) const;
  [[nodiscard]] bool usable(const Entry& entry) const;
  [[nodiscard]] bool is_unsteady(NodeId node) const;
  void take_part(NodeId broker, const v1::DirectoryEvent& part, Effects& effects);
  void put(NodeId broker, const v1::NodeRecord& record, Effects& effects);
  void drop(NodeId broker, NodeId node, Effects& effects);

  const Clock& clock_;
  mutable std::mutex mutex_;
  // guarded by mutex_, all of them
  std::map<NodeId, Entry> entries_;
  std::set<NodeId> lost_brokers_;
  std::map<NodeId, std::set<NodeId>> named_;   // by a broker, in a snapshot whose last part has not come
  std::map<std::string, Entry> down_;          // by name
  std::set<NodeId> suspected_;                 // by our own link
  std::map<NodeId, link::Flapping> flapping_;  // also of nodes that the directory lost too
  bool complete_ = false;
  TimePoint updated_{};
  std::uint64_t turn_;
};

}  // namespace cobus
