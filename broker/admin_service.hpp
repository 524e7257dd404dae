// SPDX-License-Identifier: Apache-2.0
//
// AdminService and CertificatesService: trust on the bus: tokens, certificates and revocations for
// administrators, and later certificates for everybody who has one. Thin: Trust decides. The broker's shard.
#pragma once

#include <cobus/v1/admin.cobus.h>

#include <string>

#include "broker/directory_service.hpp"
#include "broker/key_rate_limit.hpp"
#include "broker/trust.hpp"

namespace cobus::broker {

class AdminService final : public v1::AdminService {
 public:
  // All must outlive it. `address` is HOST:PORT, as join strings say it.
  AdminService(Node& node, DirectoryService& directory, Trust& trust, std::string address)
      : node_(node), directory_(directory), trust_(trust), address_(std::move(address)) {}

  Task<Result<v1::CreateTokenReply>> CreateToken(Call call, v1::CreateTokenRequest request) override;
  Task<Result<v1::ListTokensReply>> ListTokens(Call call, v1::ListTokensRequest request) override;
  Task<Result<v1::DeleteTokenReply>> DeleteToken(Call call, v1::DeleteTokenRequest request) override;
  Stream<v1::IssuedCertificate> ListCertificates(Call call, v1::ListCertificatesRequest request) override;
  Task<Result<v1::RevokeReply>> Revoke(Call call, v1::RevokeRequest request) override;
  Task<Result<v1::LostReply>> Lost(Call call, v1::LostRequest request) override;

 private:
  [[nodiscard]] std::int64_t unix_s() const { return node_.clock().unix_us() / 1'000'000; }
  static Task<> revoke_later(Self self, DirectoryService* directory, std::vector<link::Revoked> revoked);
  [[nodiscard]] std::string who(const Call& call) const;

  Node& node_;
  DirectoryService& directory_;
  Trust& trust_;
  const std::string address_;
};

// Renewals that one key may ask for in a window. A node asks about once in a certificate's life, but programs
// that share a key may start together, and an answer may be lost.
inline constexpr unsigned renewals_per_window = 30;
inline constexpr std::int64_t renewal_window_s = 60;

class CertificatesService final : public v1::CertificatesService {
 public:
  CertificatesService(Node& node, Trust& trust) : node_(node), trust_(trust) {}
  Task<Result<v1::RenewCertificateReply>> Renew(Call call, v1::RenewCertificateRequest request) override;

 private:
  Node& node_;
  Trust& trust_;
  KeyRateLimit renewals_{renewals_per_window, renewal_window_s};
};

}  // namespace cobus::broker
