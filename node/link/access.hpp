// SPDX-License-Identifier: Apache-2.0
//
// Access: whom the door lets in, asked by libzmq (ZAP) once for each connection. A proven CURVE
// key is admitted and becomes the User-Id of everything that comes along the connection; who that is, the
// certificate in the first frame says. Revoked keys, other mechanisms and floods are refused.
// It decides and counts; zmq_door.hpp reads the questions. Used under the link loop's lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "node/link/keys.hpp"
#include "node/link/refusal_log.hpp"
#include "node/runtime/clock.hpp"

namespace cobus::link {

// New connections that one address may make. Loopback is one's own host, where tests and bursts of
// clients come from.
struct AccessLimits {
  double per_second = 50;
  double burst = 200;
  double loopback_per_second = 2'000;
  double loopback_burst = 4'000;
};

struct AccessRequest {
  std::string_view address;     // numeric, without a port
  std::string_view mechanism;   // "CURVE"
  std::string_view credential;  // 32 bytes
};

struct AccessDecision {
  int status;             // ZAP: 200 welcome, 300 try again later, 400 no
  std::string_view text;  // for the peer and the log
  std::string user_id;    // lower-case hexadecimal of the key; only with 200
};

struct AccessCounts {
  std::uint64_t admitted = 0;
  std::uint64_t revoked = 0;
  std::uint64_t not_curve = 0;
  std::uint64_t too_many = 0;
};

// 127.0.0.0/8 and ::1, also as libzmq writes IPv4 on a socket for both.
[[nodiscard]] bool is_loopback(std::string_view address) noexcept;

class Access {
 public:
  Access(const AccessLimits& limits, const Clock& clock) : limits_(limits), clock_(clock), log_(clock) {}

  [[nodiscard]] AccessDecision decide(const AccessRequest& request);

  // From now on `key` is refused, until `until_s` (Unix seconds). Connections it has are for the transport to
  // end.
  void revoke(const CurveKey& key, std::int64_t until_s);
  [[nodiscard]] bool is_revoked(const CurveKey& key) const {
    return !revoked_.empty() && is_revoked(user_id_of(key));
  }
  // The key with which a start tests its own door: refused like a revoked one, without a word or count.
  void expect_stranger(const CurveKey& key) { stranger_ = user_id_of(key); }
  [[nodiscard]] const AccessCounts& counts() const noexcept { return counts_; }

  // The User-Id of a key, and back; false for anything else than 64 hexadecimal digits.
  [[nodiscard]] static std::string user_id_of(const CurveKey& key);
  [[nodiscard]] static bool key_of(std::string_view user_id, CurveKey& key) noexcept;

 private:
  struct Bucket {
    double tokens;
    TimePoint filled_at;
  };

  [[nodiscard]] bool take_token(std::string_view address);
  void forget_full_buckets(TimePoint now);
  [[nodiscard]] bool is_revoked(const std::string& user_id) const;
  void log_refusal(const AccessRequest& request, std::string_view reason);

  AccessLimits limits_;
  const Clock& clock_;
  RefusalLog log_;
  std::unordered_map<std::string, std::int64_t> revoked_;  // by User-Id: until when
  std::unordered_map<std::string, Bucket> buckets_;
  std::string stranger_;
  AccessCounts counts_;
};

}  // namespace cobus::link
