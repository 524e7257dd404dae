// SPDX-License-Identifier: Apache-2.0
//
// Keys and certificates: who somebody is. A CURVE (X25519) key pair is an identity; the cluster's
// Ed25519 key signs certificates that bind a name and a role to such a key. Cryptography comes
// from libsodium. Secrets are wiped when their holder goes. Plain values; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include <cobus/v1/session.pb.h>
#include "proto/status.hpp"

namespace cobus::link {

// A CURVE public key: the identity of a participant.
struct CurveKey {
  std::array<std::uint8_t, 32> bytes{};
  [[nodiscard]] bool empty() const noexcept { return *this == CurveKey{}; }
  friend auto operator<=>(const CurveKey&, const CurveKey&) = default;
};

// 32 secret bytes, wiped on destruction and when moved from. Not copyable, never logged.
class SecretKey {
 public:
  SecretKey() noexcept = default;
  explicit SecretKey(const std::array<std::uint8_t, 32>& bytes) noexcept : bytes_(bytes) {}
  SecretKey(SecretKey&& other) noexcept;
  SecretKey& operator=(SecretKey&& other) noexcept;
  SecretKey(const SecretKey&) = delete;
  SecretKey& operator=(const SecretKey&) = delete;
  ~SecretKey();
  [[nodiscard]] SecretKey clone() const noexcept { return SecretKey(bytes_); }
  [[nodiscard]] const std::array<std::uint8_t, 32>& bytes() const noexcept { return bytes_; }

 private:
  std::array<std::uint8_t, 32> bytes_{};
};

struct CurvePair {
  CurveKey key;
  SecretKey secret;
};
[[nodiscard]] CurvePair make_curve_pair();

// The public half of the cluster key (Ed25519). Written in lower-case base32 (RFC 4648, no padding,
// 52 characters) it is the cluster's fingerprint: whoever has it can check every certificate.
struct ClusterKey {
  std::array<std::uint8_t, 32> bytes{};
  friend auto operator<=>(const ClusterKey&, const ClusterKey&) = default;
};
[[nodiscard]] std::string fingerprint(const ClusterKey& key);
[[nodiscard]] Result<ClusterKey> parse_fingerprint(std::string_view text);
[[nodiscard]] std::string fingerprint(const CurveKey& key);
// The first 12 characters, for people.
[[nodiscard]] std::string short_fingerprint(const ClusterKey& key);
[[nodiscard]] std::string short_fingerprint(const CurveKey& key);

// The X25519 form of the cluster key. Brokers hold the cluster's secret and use it as their CURVE
// key, so a fingerprint alone is enough to dial one without trust on first use
// (proto/docs/decisions/0001-broker-key.md).
[[nodiscard]] CurveKey broker_curve_key(const ClusterKey& key);

// The cluster key pair. Held by brokers only.
class ClusterSecret {
 public:
  [[nodiscard]] static ClusterSecret make();
  [[nodiscard]] static ClusterSecret from_seed(SecretKey seed);
  [[nodiscard]] const ClusterKey& key() const noexcept { return key_; }
  [[nodiscard]] const SecretKey& seed() const noexcept { return seed_; }
  // The pair that brokers use for CURVE.
  [[nodiscard]] CurvePair broker_pair() const;
  // Signs `body`.
  [[nodiscard]] v1::Certificate sign(const v1::CertificateBody& body) const;
  [[nodiscard]] v1::Revocation sign(const v1::RevocationBody& body) const;

 private:
  ClusterSecret() = default;
  ClusterKey key_;
  SecretKey seed_;
};

// Checks signature, validity at `now_s` (Unix seconds) and that the certificate is for `key`.
// PERMISSION_DENIED with the reason otherwise.
[[nodiscard]] Result<v1::CertificateBody> check_certificate(const v1::Certificate& certificate,
                                                            const ClusterKey& cluster, const CurveKey& key,
                                                            std::int64_t now_s);

// Checks the signature. PERMISSION_DENIED with the reason otherwise.
[[nodiscard]] Result<v1::RevocationBody> check_revocation(const v1::Revocation& revocation,
                                                          const ClusterKey& cluster);

// Of a certificate or revocation; an empty key for anything that has not 32 bytes.
[[nodiscard]] CurveKey curve_key_of(std::string_view bytes) noexcept;

// "node", "submit" ...; ROLE_UNSPECIFIED gives "none".
[[nodiscard]] std::string_view role_name(v1::Role role) noexcept;
[[nodiscard]] Result<v1::Role> parse_role(std::string_view name);

// Overwrites a secret that is of no more use.
void wipe(std::string& secret) noexcept;

[[nodiscard]] std::string base32(std::string_view bytes);
[[nodiscard]] Result<std::string> parse_base32(std::string_view text);

}  // namespace cobus::link
