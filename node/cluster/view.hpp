// SPDX-License-Identifier: Apache-2.0
//
// View: what this node knows of the others, the union of what every broker says. A node is *confirmed* while
// a broker that is connected vouches for it. What a broker vouched for before it was lost is held,
// unconfirmed, while no broker answers and until one lease after one does. Shared by all threads of a node;
// every method locks.
#pragma once

#include <cobus/v1/directory.pb.h>

#include <functional>
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
  using Learned = std::function<void(const v1::NodeRecord&)>;

  // Folds in what `broker` said. A record is replaced only by a later (incarnation, revision) or an equal
  // one. A node is forgotten when a broker says that it is gone and no other one vouches for it; when the
  // same life of the only broker that vouched for it names it no more; and when a later life of it appears
  // while it is unconfirmed. The parts of a snapshot have to come in order; it counts with the last one.
  // Calls `learned` for each new or changed record before any other thread can choose that node, so that the
  // link knows how to reach whoever is chosen. It must not call back.
  Effects apply(NodeId broker, const v1::DirectoryEvent& event, const Learned& learned = {});

  // The session with a broker ended: what only this broker vouched for is held, unconfirmed.
  void broker_lost(NodeId broker);
  // Forgets the nodes that were held for as long as they may be.
  Effects expire(TimePoint now);
  // When expire() has something to do; `never` while nothing is held, or no broker answers.
  [[nodiscard]] TimePoint next_expiry() const;
  // A node could not be reached: it is not chosen for two seconds, or until found(). Who is lost again and
  // again becomes unsteady: how long that will last when it has by this loss, else 0.
  Duration lost(NodeId node);
  void found(NodeId node);
  // Our own link hears nothing from it, or hears it again, or has lost it.
  void suspect(NodeId node, bool suspected);

  // All records, by name; here and below their age_ms counts up to now, `suspected` says whether any broker
  // does, and `unconfirmed` that no broker which is connected vouches for the node.
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
  // them, or has lost them again and again; or they are unconfirmed, and our own link has no session with
  // them.
  [[nodiscard]] std::set<NodeId> unsteady() const;
  // The name of a node, or its id in hexadecimal.
  [[nodiscard]] std::string name_of(NodeId node) const;
  // Whether a broker has told us everything it knows; complete() only once that broker knows every node,
  // which one that has just started does not. updated(): when one last said something.
  [[nodiscard]] bool answered() const;
  [[nodiscard]] bool complete() const;
  [[nodiscard]] TimePoint updated() const;

  // Providers in turn: those that are confirmed, or that our own link has a session with, before others;
  // among each, unsteady ones only when there are no others. NOT_FOUND naming what was asked for, UNAVAILABLE
  // before any broker knows every node.
  [[nodiscard]] Result<NodeId> choose_among(std::string_view name, const NodeFilter& eligible) override;
  [[nodiscard]] MethodTerms terms(NodeId node, std::string_view method) const override;
  // For two seconds it is chosen only when there are no others.
  void unreached(NodeId node) override;

 private:
  struct Entry {
    v1::NodeRecord record;
    std::set<NodeId> brokers;       // that are connected and vouch for it
    std::set<NodeId> lost_brokers;  // that vouched for it when they were lost
    std::set<NodeId> suspecting;    // of the brokers
    TimePoint avoided_until{};
    TimePoint unreached_until{};
    TimePoint told{};
    TimePoint held_until = never;  // while no broker vouches for it
    bool lost = false;             // by our own link, and not found since
  };
  // A broker that is connected and has told everything it knows.
  struct Answering {
    TimePoint filled_at{};  // before that it has just started, and may not know every node
  };
  [[nodiscard]] v1::NodeRecord shown(const Entry& entry) const;
  [[nodiscard]] bool usable(const Entry& entry) const;
  [[nodiscard]] bool is_unsteady(NodeId node) const;
  [[nodiscard]] bool is_vouched_for(NodeId node, const Entry& entry) const;
  // 0 for the best choice.
  [[nodiscard]] std::size_t rank(NodeId node, const Entry& entry) const;
  // Until when nodes that no broker vouches for are held.
  [[nodiscard]] TimePoint held_until(TimePoint now) const;
  void set_held_until(TimePoint now);
  [[nodiscard]] bool is_complete() const;
  void take_part(NodeId broker, const v1::DirectoryEvent& part, Effects& effects);
  void put(NodeId broker, const v1::NodeRecord& record, Effects& effects);
  // Those that no broker vouches for any more.
  void forget_earlier_lives(const v1::NodeRecord& of, Effects& effects);
  // `broker` does not have the node any more; `said_gone`: it said so, and not only nothing.
  void drop(NodeId broker, NodeId node, bool said_gone, Effects& effects);

  const Clock& clock_;
  mutable std::mutex mutex_;
  // guarded by mutex_, all of them
  std::map<NodeId, Entry> entries_;
  std::map<NodeId, Answering> answering_;
  std::map<NodeId, std::set<NodeId>> named_;   // by a broker, in a snapshot whose last part has not come
  std::map<std::string, Entry> down_;          // by name
  std::set<NodeId> suspected_;                 // by our own link
  std::set<NodeId> connected_;                 // by our own link
  std::map<NodeId, link::Flapping> flapping_;  // also of nodes that the directory lost too
  bool answered_ = false;
  bool was_complete_ = false;
  TimePoint updated_{};
  std::uint64_t turn_;
};

}  // namespace cobus
