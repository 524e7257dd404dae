// SPDX-License-Identifier: Apache-2.0
//
// IssuedStore: the record of the certificates that this broker issued, so that an administrator can list whom
// the cluster vouches for and can revoke a key. One entry for a key, name and role: a later certificate
// replaces the serial and the times of the one before. A certificate that is valid is never forgotten, so a
// record that is full takes no newcomers. It says nothing of what other brokers issued. One owner, one thread
// at a time: every method reads or writes the disk.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/certificate_database.hpp"
#include "node/link/keys.hpp"

namespace cobus::broker {

// Entries of one record, unless the broker is told otherwise: at some 300 bytes each.
inline constexpr std::size_t issued_max_default = 1'000'000;
// Entries of one key. A key usually has one name and one role; the owner of other tokens can enrol it under
// more.
inline constexpr std::size_t issued_per_key_max = 16;
// Of a key that is meant by the beginning of its fingerprint.
inline constexpr std::size_t fingerprint_length_min = 8;
// How long what has expired is kept, if there is room: a wall clock that was ahead for a while costs no
// entries.
inline constexpr std::int64_t issued_kept_s = std::int64_t{7} * 24 * 3600;

struct Issued {
  std::string name;
  v1::Role role = v1::ROLE_UNSPECIFIED;
  link::CurveKey key;
  std::uint64_t serial = 0;       // of the newest certificate, as are the next two
  std::int64_t not_before_s = 0;  // Unix seconds
  std::int64_t not_after_s = 0;
  std::int64_t valid_until_s = 0;  // end of the certificate that ends last
  std::int64_t sequence = 0;       // place in the record; 0: not from one
};
[[nodiscard]] Issued issued_of(const v1::CertificateBody& body);

class IssuedStore {
 public:
  // Opens `file`, making an empty record when there is none, and takes over what an earlier release wrote
  // there as text. The errors of CertificateDatabase::open.
  [[nodiscard]] static Result<IssuedStore> open(std::filesystem::path file,
                                                std::size_t entries_max = issued_max_default);

  // Writes it down, in place of the entry for its key, name and role if there is one; `known_until_s` is the
  // end of a certificate that another broker may have issued for them. Ok: it is on the disk.
  // RESOURCE_EXHAUSTED when the record is full, when the key has too many entries, or for a full disk;
  // UNAVAILABLE for other I/O errors. Nothing is changed then.
  [[nodiscard]] Status add(const v1::CertificateBody& body, std::int64_t now_s,
                           std::int64_t known_until_s = 0);

  // The entry for these three, valid or not.
  [[nodiscard]] Result<std::optional<Issued>> find(const link::CurveKey& key, const std::string& name,
                                                   v1::Role role) const;
  // Those with a valid certificate whose name is `who`, whose serial that is in decimal, or whose key in
  // base32 begins so; `limit` at most.
  [[nodiscard]] Result<std::vector<Issued>> search(const std::string& who, std::int64_t now_s,
                                                   std::size_t limit) const;
  // All valid ones of the key.
  [[nodiscard]] Result<std::vector<Issued>> of_key(const link::CurveKey& key, std::int64_t now_s) const;
  // The next valid ones after the entry `sequence`, 0 for the first; `limit` at most, none at the end. In the
  // order of enrolment.
  [[nodiscard]] Result<std::vector<Issued>> after(std::int64_t sequence, std::int64_t now_s,
                                                  std::size_t limit) const;

  // Entries, with those that have expired and were not dropped yet.
  [[nodiscard]] std::size_t size() const noexcept { return entries_; }

 private:
  IssuedStore(CertificateDatabase database, std::size_t entries_max);
  // With a transaction open: drops what expired before `before_s`, so much at a time. Gives how many went.
  std::size_t drop_expired(std::int64_t before_s, std::size_t limit);
  // With a transaction open: whether one more entry for this key may be made, and how many had to go for it.
  [[nodiscard]] Status make_space(const std::string& fingerprint, std::int64_t now_s, std::size_t& dropped);
  void put(const Issued& issued);
  // Puts a database that holds `earlier` where `file` is.
  [[nodiscard]] static Status take_over(const std::filesystem::path& file,
                                        const std::vector<Issued>& earlier);

  mutable CertificateDatabase database_;
  std::size_t entries_max_;
  std::size_t entries_ = 0;
};

}  // namespace cobus::broker
