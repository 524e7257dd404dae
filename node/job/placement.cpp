// SPDX-License-Identifier: Apache-2.0
#include "node/job/placement.hpp"

#include <algorithm>

#include "node/link/keys.hpp"
#include "node/worker/service.hpp"

namespace cobus::job {
namespace {

// Jobs at one node at once. For the pool: one more than its threads, so that none waits for the next job.
constexpr std::uint32_t shard_jobs_max = 128;
constexpr std::uint32_t pool_jobs_extra = 1;
// A node that turned a job away is given none for so long.
constexpr Duration avoided_for = std::chrono::seconds(2);

std::uint32_t capacity(const v1::NodeRecord& record, v1::Where where) {
  return where == v1::POOL ? record.load().pool_threads() + pool_jobs_extra : shard_jobs_max;
}

const v1::MethodRecord* find_method(const v1::NodeRecord& record, std::string_view name) {
  for (const v1::ServiceRecord& service : record.services()) {
    if (service.internal()) continue;
    for (const v1::MethodRecord& method : service.methods()) {
      if (method.name() == name) return &method;
    }
  }
  return nullptr;
}

}  // namespace

bool Placement::avoided(const Class& at, TimePoint now) const {
  const auto found = avoided_.find(at);
  return found != avoided_.end() && now < found->second;
}

std::uint32_t Placement::used(const Class& at) const {
  const auto found = used_.find(at);
  return found == used_.end() ? 0 : found->second;
}

std::vector<Placement::Room> Placement::rooms(const Nodes& nodes, TimePoint now) const {
  std::map<std::pair<v1::Where, std::string>, std::vector<std::size_t>> offered;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    for (const v1::ServiceRecord& service : nodes[i].services()) {
      if (service.internal()) continue;
      for (const v1::MethodRecord& method : service.methods()) {
        if (avoided({NodeId{nodes[i].node()}, method.where()}, now)) continue;
        offered[{method.where(), method.name()}].push_back(i);
      }
    }
  }
  std::map<std::pair<v1::Where, std::vector<std::size_t>>, std::vector<std::string>> alike;
  for (auto& [method, at] : offered) alike[{method.first, std::move(at)}].push_back(method.second);
  std::vector<Room> rooms;
  for (auto& [offer, methods] : alike) {
    Room& room = rooms.emplace_back(Room{std::move(methods), offer.first, {}});
    for (const std::size_t i : offer.second)
      room.nodes.emplace_back(NodeId{nodes[i].node()}, capacity(nodes[i], room.where));
  }
  return rooms;
}

std::uint32_t Placement::free(const Room& room) const {
  std::uint32_t free = 0;
  for (const auto& [node, places] : room.nodes) free += places - std::min(used({node, room.where}), places);
  return free;
}

Result<Placement::Place> Placement::take(const ClaimedJob& job, const Nodes& nodes, TimePoint now,
                                         Random& random) {
  bool offered = false;
  bool admitted = false;
  Place best;
  constexpr double full = 1.0;
  double least = 2 * full;
  const std::size_t first = nodes.empty() ? 0 : random.below(nodes.size());
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const v1::NodeRecord& record = nodes[(first + i) % nodes.size()];
    const v1::MethodRecord* const method = find_method(record, job.method);
    if (method == nullptr) continue;
    offered = true;
    if (!admits(method->roles(), job.role)) continue;
    admitted = true;
    const Class at{NodeId{record.node()}, method->where()};
    double load = static_cast<double>(used(at)) / capacity(record, at.second);
    if (load >= full || avoided(at, now)) continue;
    if (unsteady_.contains(at.first)) load += full;  // worse than any other with a place
    if (load >= least) continue;
    least = load;
    best = {at.first, record.name(), at.second, type_id(method->input())};
  }
  if (!offered) return fail(Code::unavailable, "no node that is up offers " + job.method);
  if (!admitted) {
    return fail(Code::permission_denied, "no node that offers " + job.method +
                                             " admits the role of who submitted the job (" +
                                             std::string(link::role_name(job.role)) + ")");
  }
  if (least >= 2 * full) return fail(Code::unavailable, "no node that offers " + job.method + " has room");
  ++used_[{best.node, best.where}];
  return best;
}

void Placement::give_back(const Place& place) {
  const auto found = used_.find({place.node, place.where});
  if (found != used_.end() && --found->second == 0) used_.erase(found);
}

void Placement::avoid(const Place& place, TimePoint now) {
  std::erase_if(avoided_, [now](const auto& past) { return past.second <= now; });
  avoided_[{place.node, place.where}] = now + avoided_for;
}

void Placement::avoid(NodeId node, TimePoint now) {
  for (const v1::Where where : {v1::SHARD, v1::POOL}) avoid(Place{node, {}, where, TypeId::none}, now);
}

}  // namespace cobus::job
