// SPDX-License-Identifier: Apache-2.0
//
// Enrolment: a newcomer with a token gets a certificate for its key, signed by the cluster. That a name is
// held by another key already is for the directory to say. One thread, the token store's.
#pragma once

#include <chrono>
#include <cstdint>

#include "broker/tokens.hpp"
#include "node/link/keys.hpp"
#include "node/runtime/random.hpp"

namespace cobus::broker {

// A certificate is valid from a little earlier than now, so that clocks need not agree to the second.
inline constexpr std::chrono::seconds certificate_backdate = std::chrono::minutes(5);
inline constexpr std::chrono::seconds certificate_life = std::chrono::hours(24 * 365);

class Enrolment {
 public:
  // All must outlive the object.
  Enrolment(const link::ClusterSecret& secret, TokenStore& tokens, Random& random) noexcept
      : secret_(secret), tokens_(tokens), random_(random) {}

  // Trades the token in `hello` for a certificate of the name in it and of `key`, which the transport has
  // proved to be the speaker's. INVALID_ARGUMENT for a bad name, UNAUTHENTICATED without a token or key, and
  // everything TokenStore::redeem answers. The token is used only when a certificate is issued.
  [[nodiscard]] Result<v1::Certificate> issue(const v1::Hello& hello, const link::CurveKey& key,
                                              std::int64_t now_s);

 private:
  const link::ClusterSecret& secret_;
  TokenStore& tokens_;
  Random& random_;
};

}  // namespace cobus::broker
