// SPDX-License-Identifier: Apache-2.0
//
// Enrolment: a newcomer with a token gets a certificate for its key, signed by the cluster, and later ones
// for as long as nobody revokes it. Each is written down before it is handed out. One thread at a time, the
// token store's.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <utility>

#include "broker/issued.hpp"
#include "broker/tokens.hpp"
#include "node/link/keys.hpp"
#include "node/link/links.hpp"
#include "node/runtime/random.hpp"

namespace cobus::broker {

// A certificate is valid from a little earlier than now, so that clocks need not agree to the second.
inline constexpr std::chrono::seconds certificate_backdate = std::chrono::minutes(5);
inline constexpr std::chrono::seconds certificate_life = std::chrono::hours(24 * 365);

class Enrolment {
 public:
  // Which key holds a name now, as far as this broker knows.
  using HolderOf = std::function<std::optional<link::CurveKey>(std::string_view name)>;

  // All must outlive the object. `life` is how long a certificate is valid.
  Enrolment(const link::ClusterSecret& secret, TokenStore& tokens, IssuedStore& issued, Random& random,
            HolderOf holder_of, std::chrono::seconds life = certificate_life)
      : secret_(secret),
        tokens_(tokens),
        issued_(issued),
        random_(random),
        holder_of_(std::move(holder_of)),
        life_(life) {}

  // Trades the token in `hello` for a certificate of the name in it and of `key`, which the transport has
  // proved to be the speaker's. INVALID_ARGUMENT for a bad name, UNAUTHENTICATED without a token or key,
  // ALREADY_EXISTS when another key holds the name, and everything TokenStore::redeem answers. The token is
  // used only when a certificate is issued. RESOURCE_EXHAUSTED when the record of certificates is full.
  [[nodiscard]] Result<v1::Certificate> issue(const v1::Hello& hello, const link::CurveKey& key,
                                              std::int64_t now_s);

  // A later certificate for the key, name and role of `peer`, which has shown one. FAILED_PRECONDITION before
  // half of the life of that one has passed. Within the first half of the life of the later one, asking again
  // gives it again: an answer that was lost shuts nobody out, and who asks often writes nothing. Nodes ask
  // when two thirds have passed, so a clock may be ahead by a sixth of the life. The errors of
  // IssuedStore::add.
  [[nodiscard]] Result<v1::Certificate> renew(const link::PeerInfo& peer, std::int64_t now_s);
  [[nodiscard]] std::chrono::seconds life() const noexcept { return life_; }

 private:
  // Writes down and signs a certificate from now on.
  [[nodiscard]] Result<v1::Certificate> make(const std::string& name, v1::Role role,
                                             const link::CurveKey& key, std::int64_t now_s,
                                             std::int64_t known_until_s = 0);

  const link::ClusterSecret& secret_;
  TokenStore& tokens_;
  IssuedStore& issued_;
  Random& random_;
  const HolderOf holder_of_;
  const std::chrono::seconds life_;
};

}  // namespace cobus::broker
