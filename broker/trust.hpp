// SPDX-License-Identifier: Apache-2.0
//
// Trust: whom this broker vouches for: tokens, the certificates that it issued, the keys that were revoked.
// It decides and writes down; who connects or is told is the business of the services. Any thread, but what
// locks does so while it reads or writes the disk, for as long as that takes: such methods, all that take
// `now_s` but own_certificate() and revoke(), belong on the pool, never on a shard or under the links' lock.
#pragma once

#include <cobus/v1/admin.pb.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "broker/enrolment.hpp"
#include "broker/issued.hpp"
#include "broker/tokens.hpp"
#include "node/link/links.hpp"
#include "node/link/revocations.hpp"

namespace cobus::broker {

// Bounds of what an administrator may ask for.
inline constexpr std::uint64_t token_ttl_s_max = 366 * 86'400;
inline constexpr std::uint32_t token_uses_max = 1'000'000;
inline constexpr std::size_t note_bytes_max = 200;
// Certificates that are listed at once.
inline constexpr std::size_t certificates_at_once = 1'000;

[[nodiscard]] v1::IssuedCertificate to_proto(const Issued& issued);

class Trust {
 public:
  // Opens what is in `folder`, making the cluster key at first start. The errors of the stores, which name
  // the file and the mend. `random` must outlive it.
  [[nodiscard]] static Result<std::unique_ptr<Trust>> open(const std::filesystem::path& folder,
                                                           std::chrono::seconds life, Random& random,
                                                           std::int64_t now_s,
                                                           std::size_t certificates_max = issued_max_default);
  // The same with another cluster key than that in the folder, for the simulator.
  [[nodiscard]] static Result<std::unique_ptr<Trust>> open(const std::filesystem::path& folder,
                                                           link::ClusterSecret secret,
                                                           std::chrono::seconds life, Random& random,
                                                           std::int64_t now_s,
                                                           std::size_t certificates_max = issued_max_default);
  Trust(const Trust&) = delete;
  Trust& operator=(const Trust&) = delete;

  // Before the first newcomer: which key holds a name now.
  void use_holders(Enrolment::HolderOf holder_of) { holder_of_ = std::move(holder_of); }

  [[nodiscard]] const link::ClusterSecret& secret() const noexcept { return secret_; }
  [[nodiscard]] link::Revocations& revocations() noexcept { return revocations_; }
  // That of the broker itself.
  [[nodiscard]] v1::Certificate own_certificate(const std::string& name, std::int64_t now_s);

  // As Enrolment::issue and renew; PERMISSION_DENIED for a key that is revoked.
  [[nodiscard]] Result<v1::Certificate> enrol(const v1::Hello& hello, const link::CurveKey& key,
                                              std::int64_t now_s);
  [[nodiscard]] Result<v1::Certificate> renew(const link::PeerInfo& peer, std::int64_t now_s);

  // The secret for a join string of `role`: the one that stood there before if it is still good, else a new
  // one without end.
  [[nodiscard]] Result<std::string> join_token(v1::Role role, const std::string& before, std::int64_t now_s);
  // INVALID_ARGUMENT for what is out of bounds; otherwise as TokenStore::create. The reply lacks the address.
  [[nodiscard]] Result<v1::CreateTokenReply> create_token(const v1::CreateTokenRequest& request,
                                                          std::int64_t now_s);
  [[nodiscard]] std::vector<v1::Token> tokens(std::int64_t now_s);
  [[nodiscard]] Result<v1::Token> delete_token(const std::string& id, std::int64_t now_s);

  // What was issued here and has not expired, certificates_at_once a page; the last page has the keys that
  // are revoked besides. `after` is the number that the page before gave, 0 for the first. The errors of
  // IssuedStore.
  struct Page {
    std::vector<v1::IssuedCertificate> certificates;
    std::int64_t next = 0;
    bool is_last = false;
  };
  [[nodiscard]] Result<Page> certificates(std::int64_t after, std::int64_t now_s);

  // Whom `request.who` means, one certificate for each key: of those issued here and of `seen`, which are in
  // the directory; a whole fingerprint may be of a key that nobody knows. NOT_FOUND, INVALID_ARGUMENT for
  // several, FAILED_PRECONDITION for a broker, and the errors of IssuedStore.
  [[nodiscard]] Result<std::vector<Issued>> find(const std::string& who, std::span<const Issued> seen,
                                                 std::int64_t now_s);
  // Signs that these keys count no more, and takes that into revocations(); they have yet to be written down.
  // INVALID_ARGUMENT, RESOURCE_EXHAUSTED: nothing is changed.
  [[nodiscard]] Result<std::vector<link::Revoked>> revoke(std::span<const Issued> keys,
                                                          const std::string& reason, std::int64_t now_s);

 private:
  Trust(link::ClusterSecret secret, TokenStore tokens, IssuedStore issued,
        const std::filesystem::path& folder, std::chrono::seconds life, Random& random);
  // The entries that `who` means, of the record and of `seen`: those of that name, or else those of that
  // serial or fingerprint; by key. With mutex_ held.
  using ByKey = std::map<link::CurveKey, Issued>;
  [[nodiscard]] Result<ByKey> search(const std::string& who, std::span<const Issued> seen,
                                     std::int64_t now_s);
  // Of all that is known of the key of `issued`, what ends last. With mutex_ held.
  [[nodiscard]] Result<Issued> latest(Issued issued, std::span<const Issued> seen, std::int64_t now_s);
  // The revoked keys without an entry in the record. With mutex_ held.
  [[nodiscard]] Result<std::vector<v1::IssuedCertificate>> revoked_elsewhere(std::int64_t now_s);

  const link::ClusterSecret secret_;
  Random& random_;
  link::Revocations revocations_;  // has a lock of its own
  Enrolment::HolderOf holder_of_;
  std::mutex mutex_;
  TokenStore tokens_;  // guarded by mutex_, as is the rest
  IssuedStore issued_;
  Enrolment enrolment_;
};

}  // namespace cobus::broker
