// SPDX-License-Identifier: Apache-2.0
//
// Revocations: the keys that count no more although a certificate of theirs has not expired. Each entry is
// signed by the cluster, so it does not matter who brought it; the list is the union of all that anybody
// said and only time takes entries away, so that all who have heard the same agree. Optionally in a private
// file. It tells nobody: who learns something here tells the links (node/link/links.hpp). Any thread.
#pragma once

#include <google/protobuf/repeated_field.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

#include "node/link/keys.hpp"

namespace cobus::link {

struct Revoked {
  CurveKey key;
  v1::RevocationBody body;
  v1::Revocation proof;
};

// Those that a list holds; at brokers, where they are made.
inline constexpr std::size_t revocations_max = 10'000;
// Of the file: what several brokers made while they heard nothing of one another, at some 400 bytes each.
// What was written must be readable at the next start.
inline constexpr std::size_t revocations_file_bytes_max = 64 * 1'048'576;
// Of what is said in one message.
inline constexpr std::size_t revocations_bytes_max = 256 * 1024;

class Revocations {
 public:
  // Without a file it is forgotten with the process.
  explicit Revocations(const ClusterKey& cluster, std::filesystem::path file = {});

  // Reads the file; an absent one is an empty list, and entries of another cluster count for nothing.
  // PERMISSION_DENIED when others can read it, FAILED_PRECONDITION when it is damaged, with the mend.
  [[nodiscard]] Status load(std::int64_t now_s);

  // Takes in what is signed by the cluster, has not expired, and is new or holds longer than what is known of
  // the key. Gives that. The broker's own key, which is the cluster's, cannot be revoked.
  [[nodiscard]] std::vector<Revoked> merge(const google::protobuf::RepeatedPtrField<v1::Revocation>& said,
                                           std::int64_t now_s);
  // Writes the file if something was taken in that is not in it. Ok: all that merge() gave before this call
  // is on the disk. Otherwise it counts all the same, the file is as it was, and the next call tries again:
  // RESOURCE_EXHAUSTED for a full disk, UNAVAILABLE for other I/O errors, with the file and errno's text.
  // Blocks: milliseconds, or as long as the disk takes.
  [[nodiscard]] Status save();
  // Whether save() has nothing to do, or is at it.
  [[nodiscard]] bool written() const;

  [[nodiscard]] bool empty() const;
  [[nodiscard]] std::vector<Revoked> all(std::int64_t now_s) const;
  [[nodiscard]] std::optional<Revoked> find(const CurveKey& key, std::int64_t now_s) const;

 private:
  void drop_expired(std::int64_t now_s);

  const ClusterKey cluster_;
  const CurveKey broker_;
  const std::filesystem::path file_;
  std::mutex file_mutex_;  // taken first, and held while the file is written
  mutable std::mutex mutex_;
  std::map<CurveKey, Revoked> entries_;  // guarded by mutex_
  bool changed_ = false;                 // since the file was written. Guarded by mutex_
};

}  // namespace cobus::link
