// SPDX-License-Identifier: Apache-2.0
#include "node/observe/worker_tree.hpp"

#include <algorithm>
#include <map>
#include <string_view>
#include <unordered_map>

#include "node/observe/worker_details.hpp"
#include "node/observe/worker_row.hpp"
#include "node/worker/supervisor_face.hpp"

namespace cobus {
namespace {

constexpr std::uint32_t slots_in_a_row = 1000;  // some 100 us
constexpr std::size_t alone_max = 5;            // of one kind below one parent that get a line each
constexpr std::size_t noted_max = 20;           // the same with a name, or that supervise
constexpr std::size_t children_noted_max = 1000;

void note(const Worker& worker, NodeId here, TreeEntries& into) {
  const Bonds& bonds = *worker.bonds;
  if (bonds.name.empty() && bonds.supervisor == nullptr) return;
  TreeNote own{worker.id, bonds.name, {}, {}};
  if (bonds.supervisor != nullptr) {
    write_supervision(worker, &own.supervision);
    std::size_t children = 0;
    bonds.supervisor->each_child([&](const SupervisorFace::ShownChild& child) {
      if (!child.address || ++children > children_noted_max) return;
      if (child.address.node == here) {
        into.notes.push_back({child.address.worker, {}, {}, std::string(child.id), child.restarts});
      } else {
        into.abroad.push_back({worker.id, child.address, std::string(child.id), child.restarts});
      }
    });
  }
  into.notes.push_back(std::move(own));
}

// The notes on one worker: of its own and of its supervisor.
using Notes = std::unordered_map<WorkerId, TreeNote>;

Notes by_worker(std::vector<TreeNote> notes) {
  Notes all;
  for (TreeNote& added : notes) {
    const auto [found, made] = all.try_emplace(added.id, added);
    if (made) continue;
    TreeNote& both = found->second;
    if (both.name.empty()) both.name = std::move(added.name);
    if (both.supervision.strategy().empty()) both.supervision = std::move(added.supervision);
    if (both.child.empty()) {
      both.child = std::move(added.child);
      both.restarts = added.restarts;
    }
  }
  return all;
}

using Members = std::vector<const TreeEntry*>;

class Builder {
 public:
  Builder(TreeEntries entries, std::size_t lines_max)
      : workers_(std::move(entries.workers)),
        notes_(by_worker(std::move(entries.notes))),
        abroad_(std::move(entries.abroad)),
        lines_max_(lines_max) {
    // Whose parent has ended stands at the top.
    std::vector<WorkerId> ids;
    ids.reserve(workers_.size());
    for (const TreeEntry& entry : workers_) ids.push_back(entry.id);
    std::sort(ids.begin(), ids.end());
    for (TreeEntry& entry : workers_) {
      if (!std::binary_search(ids.begin(), ids.end(), entry.parent)) entry.parent = WorkerId{};
    }
    std::sort(workers_.begin(), workers_.end(), [](const TreeEntry& a, const TreeEntry& b) {
      return a.parent != b.parent ? a.parent < b.parent : a.id < b.id;
    });
  }

  v1::TreeReply build() {
    v1::TreeReply reply;
    reply.set_workers(workers_.size());
    std::uint64_t shown = 0;
    open({WorkerId{}}, 0);
    while (!pending_.empty() && static_cast<std::size_t>(reply.lines_size()) < lines_max_) {
      const Pending next = std::move(pending_.back());
      pending_.pop_back();
      shown += next.members.size();
      write(next, *reply.add_lines());
      if (next.members.size() == 1) write_abroad(next, reply);
      std::vector<WorkerId> parents;
      for (const TreeEntry* member : next.members) parents.push_back(member->id);
      open(parents, next.depth + 1);
    }
    reply.set_left_out(workers_.size() - shown);
    return reply;
  }

 private:
  struct Pending {
    Members members;
    std::uint32_t depth;
  };

  // Queues the children of `parents`, which become lines in this order: by kind, then as they were made.
  void open(const std::vector<WorkerId>& parents, std::uint32_t depth) {
    std::map<std::string_view, Members> kinds;
    for (const WorkerId parent : parents) {
      const auto [first, last] = std::equal_range(workers_.begin(), workers_.end(), parent, ByParent{});
      for (auto at = first; at != last; ++at) kinds[at->kind].push_back(&*at);
    }
    std::vector<Pending> added;
    for (auto& [kind, members] : kinds) split(std::move(members), depth, parents.size() > 1, added);
    pending_.insert(pending_.end(), std::make_move_iterator(added.rbegin()),
                    std::make_move_iterator(added.rend()));
  }

  // One kind: a line each, or one for all but those that somebody would look for.
  void split(Members members, std::uint32_t depth, bool of_many, std::vector<Pending>& into) const {
    const bool together = of_many || members.size() > alone_max;
    Members alone;
    Members rest;
    for (const TreeEntry* member : members)
      (!together || notes_.contains(member->id) ? alone : rest).push_back(member);
    if (together && alone.size() > noted_max) {
      alone.clear();
      rest = std::move(members);
    }
    for (const TreeEntry* member : alone) into.push_back({{member}, depth});
    if (!rest.empty()) into.push_back({std::move(rest), depth});
  }

  void write(const Pending& from, v1::TreeLine& line) const {
    const TreeEntry& first = *from.members.front();
    line.set_depth(from.depth);
    line.set_kind(first.kind);
    line.set_count(from.members.size());
    if (from.members.size() > 1) return;
    line.set_worker(first.id.value);
    line.set_state(first.state);
    const auto found = notes_.find(first.id);
    if (found == notes_.end()) return;
    line.set_name(found->second.name);
    line.set_child(found->second.child);
    line.set_restarts(found->second.restarts);
    if (!found->second.supervision.strategy().empty())
      *line.mutable_supervision() = found->second.supervision;
  }

  void write_abroad(const Pending& parent, v1::TreeReply& reply) const {
    for (const TreeAbroad& child : abroad_) {
      if (child.parent != parent.members.front()->id) continue;
      if (static_cast<std::size_t>(reply.lines_size()) >= lines_max_) return;
      v1::TreeLine& line = *reply.add_lines();
      line.set_depth(parent.depth + 1);
      line.set_node(static_cast<std::uint64_t>(child.address.node));
      line.set_worker(child.address.worker.value);
      line.set_count(1);
      line.set_child(child.child);
      line.set_restarts(child.restarts);
    }
  }

  struct ByParent {
    bool operator()(const TreeEntry& a, WorkerId b) const noexcept { return a.parent < b; }
    bool operator()(WorkerId a, const TreeEntry& b) const noexcept { return a < b.parent; }
  };

  std::vector<TreeEntry> workers_;  // by parent
  const Notes notes_;
  const std::vector<TreeAbroad> abroad_;  // few: one for each child of a supervisor
  const std::size_t lines_max_;
  std::vector<Pending> pending_;  // the next line last
};

}  // namespace

void TreeEntries::add(TreeEntries more) {
  if (workers.empty()) {
    workers = std::move(more.workers);
  } else {
    workers.insert(workers.end(), more.workers.begin(), more.workers.end());
  }
  std::move(more.notes.begin(), more.notes.end(), std::back_inserter(notes));
  std::move(more.abroad.begin(), more.abroad.end(), std::back_inserter(abroad));
}

Task<TreeEntries> tree_of_shard(Self self) {
  Home& home = self.worker().home();
  TreeEntries entries;
  entries.workers.reserve(home.workers());  // to grow by moving a million would hold the shard
  for (std::uint32_t index = 0; index < home.slots(); ++index) {
    if (index % slots_in_a_row == slots_in_a_row - 1) co_await yield();
    const Worker* worker = home.in_slot(index);
    if (worker == nullptr || looks_inside(*worker)) continue;
    entries.workers.push_back({worker->id, worker->parent, worker->kind, worker_state(*worker)});
    if (worker->bonds != nullptr) note(*worker, home.node_id(), entries);
  }
  co_return entries;
}

v1::TreeReply make_tree(TreeEntries entries, std::size_t lines_max) {
  return Builder(std::move(entries), lines_max).build();
}

}  // namespace cobus
