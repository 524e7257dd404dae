// SPDX-License-Identifier: Apache-2.0
//
// IssuedStore: the record of the certificates that this broker issued, for those who want to know whom the
// cluster vouches for, or to take it back. In a private file that is replaced atomically. What has expired is
// dropped. It says nothing of what other brokers issued. One owner, one thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/record_file.hpp"
#include "node/link/keys.hpp"

namespace cobus::broker {

inline constexpr std::size_t issued_max = 10'000;

struct Issued {
  std::string name;
  v1::Role role = v1::ROLE_UNSPECIFIED;
  link::CurveKey key;
  std::uint64_t serial = 0;
  std::int64_t not_before_s = 0;  // Unix seconds
  std::int64_t not_after_s = 0;
};
[[nodiscard]] Issued issued_of(const v1::CertificateBody& body);

class IssuedStore {
 public:
  // Reads `file`; an absent one is an empty record. PERMISSION_DENIED when others can read it,
  // FAILED_PRECONDITION when it is damaged; UNAVAILABLE for I/O errors.
  [[nodiscard]] static Result<IssuedStore> open(std::filesystem::path file);

  // Writes it down, and forgets what has expired. When there is no room the one that ends first goes.
  [[nodiscard]] Status add(const v1::CertificateBody& body, std::int64_t now_s);

  // The newest last.
  [[nodiscard]] const std::vector<Issued>& all() const noexcept { return all_; }

 private:
  explicit IssuedStore(std::filesystem::path file);

  RecordFile file_;
  std::vector<Issued> all_;
};

}  // namespace cobus::broker
