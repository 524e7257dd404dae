// SPDX-License-Identifier: Apache-2.0
//
// JobClient: jobs as a client sees them. Every node keeps the jobs submitted to it (it is their home), so to
// submit is to choose a home, to find is to ask all, and to follow is to keep asking the home, also over a
// time when it is away. Used by one verb's coroutines, on the session's shard.
#pragma once

#include <cobus/v1/job.cobus.h>

#include <functional>
#include <string>
#include <vector>

#include "client/cli/console.hpp"
#include "node/cluster/view.hpp"
#include "node/worker/self.hpp"

namespace cobus::client {

class JobClient {
 public:
  struct Submitted {
    std::string id;
    std::string home;  // name of the node
    bool existed = false;
  };
  using OnJob = std::function<void(const v1::Job&)>;

  // Both must outlive it.
  JobClient(View& view, Console& console);

  // Whether a node that is lost, full or slow is passed over. It may have the job all the same, so for a key
  // that promises one job it is not.
  enum class Elsewhere { allowed, never };

  // Submits to one node, or to the next, see `elsewhere`. Without a key it makes one, so that the same node
  // never takes one request twice. With a key the nodes are asked in an order that depends on the key and
  // their names alone, so that it finds the job it made before; `never` counts those in that were there when
  // this object was made and are lost since. UNAVAILABLE when no node keeps jobs.
  [[nodiscard]] Task<Result<Submitted>> submit(Self self, v1::SubmitRequest request,
                                               Elsewhere elsewhere = Elsewhere::allowed);
  // For a key that a person gave: first asks every node that keeps jobs whether it knows the key, since the
  // order changes when nodes come and go. RESOURCE_EXHAUSTED when none of them does, but one does not answer
  // or is `away` (as homes_away() names them): it may.
  [[nodiscard]] Task<Result<Submitted>> submit_once(Self self, v1::SubmitRequest request,
                                                    std::vector<std::string> away);

  // The one job whose id begins with `prefix`. NOT_FOUND, INVALID_ARGUMENT naming several that do.
  // UNAVAILABLE when not every node could be asked, and it was not found or `prefix` is not a whole id.
  [[nodiscard]] Task<Result<v1::Job>> find(Self self, std::string prefix, std::vector<std::string> away);

  // The job's state when it is over; `on_job` hears of each state in between. Without `patient` UNAVAILABLE
  // as soon as its home is lost; otherwise it says so on stderr, once, and waits until the home is back.
  [[nodiscard]] Task<Result<v1::Job>> follow(Self self, std::string id, std::string home, bool patient,
                                             OnJob on_job);

  struct Listing {
    std::vector<v1::Job> jobs;           // newest first
    std::vector<std::string> not_asked;  // "NODE: why"
    bool cut = false;                    // there are more than the limit
  };
  [[nodiscard]] Task<Listing> list(Self self, v1::ListJobsRequest request);

 private:
  static void put_in_order(std::vector<v1::NodeRecord>& homes, const std::string& key, Random& random);
  [[nodiscard]] Task<Listing> ask_all(Self self, v1::GetJobRequest request) const;
  static Task<> ask(Self self, NodeId node, std::string name, v1::GetJobRequest request, Listing* into);
  [[nodiscard]] Task<Result<Submitted>> submit_to(Self self, std::vector<v1::NodeRecord> nodes,
                                                  v1::SubmitRequest request, Elsewhere elsewhere);
  static Task<> list_one(Self self, NodeId node, std::string name, v1::ListJobsRequest request,
                         Listing* into);

  View& view_;
  Console& console_;
  const std::vector<v1::NodeRecord> homes_at_first_;
};

}  // namespace cobus::client
