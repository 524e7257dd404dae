// SPDX-License-Identifier: Apache-2.0
//
// RevocationWriter: has a list of revocations written to its file, and tries again for as long as that fails,
// so that a disk that was full for a while costs nothing but time. Who waits hears how the first try went.
// Owned by whoever takes revocations in: the membership of a node, the directory service of a broker. It
// decides nothing: what is not written counts all the same in this process.
#pragma once

#include <atomic>

#include "node/link/revocations.hpp"
#include "node/worker/node.hpp"

namespace cobus {

class RevocationWriter {
 public:
  // Both must outlive it, and it must outlive the workers of `node`.
  RevocationWriter(Node& node, link::Revocations& list) noexcept : node_(node), list_(list) {}

  // Writes what was taken in before this call, on the node's pool. Ok: all of it is on the disk. Otherwise
  // why it is not, with the file in the text: a worker of this node tries again until it is. CANCELLED and
  // RESOURCE_EXHAUSTED when the pool did not come to it. Resumes on the shard of the caller.
  [[nodiscard]] Task<Status> write();

 private:
  [[nodiscard]] Task<Status> write_once();
  static Task<> write_again(Self self, RevocationWriter* writer);

  Node& node_;
  link::Revocations& list_;
  std::atomic<bool> retrying_{false};  // write_again() runs
};

}  // namespace cobus
