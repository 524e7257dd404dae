// SPDX-License-Identifier: Apache-2.0
#include "broker/admin_service.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "node/runtime/offload.hpp"

namespace cobus::broker {

Task<Result<v1::LostReply>> AdminService::Lost(Call /*call*/, v1::LostRequest /*request*/) {
  co_return directory_.lost();
}

// Whoever did something that is worth a line of the log.
std::string AdminService::who(const Call& call) const {
  const auto peer = node_.peer(call.caller_address().node);
  return peer ? fmt::format("{} (key {})", peer->name, link::short_fingerprint(peer->key)) : "somebody";
}

Task<Result<v1::CreateTokenReply>> AdminService::CreateToken(Call call, v1::CreateTokenRequest request) {
  auto reply =
      co_await offload([this, request, now_s = unix_s()] { return trust_.create_token(request, now_s); });
  if (!reply) co_return reply;
  reply->set_address(address_);
  const v1::Token& token = reply->token();
  spdlog::info("{} made token {} for the role {}, {} uses, {} s", who(call), token.id(),
               link::role_name(token.role()), token.uses(), request.ttl_s());
  co_return reply;
}

Task<Result<v1::ListTokensReply>> AdminService::ListTokens(Call /*call*/, v1::ListTokensRequest /*request*/) {
  v1::ListTokensReply reply;
  std::size_t bytes = 0;
  auto tokens = co_await offload([this, now_s = unix_s()] { return trust_.tokens(now_s); });
  if (!tokens) co_return fail(std::move(tokens).error());
  for (v1::Token& token : *tokens) {
    bytes += token.ByteSizeLong() + 8;
    if (bytes > limits::payload_bytes_max) break;  // the oldest are left out
    *reply.add_tokens() = std::move(token);
  }
  co_return reply;
}

Task<Result<v1::DeleteTokenReply>> AdminService::DeleteToken(Call call, v1::DeleteTokenRequest request) {
  auto removed = co_await offload(
      [this, id = request.id(), now_s = unix_s()] { return trust_.delete_token(id, now_s); });
  if (!removed) co_return fail(std::move(removed).error());
  spdlog::info("{} deleted token {}", who(call), removed->id());
  v1::DeleteTokenReply reply;
  *reply.mutable_token() = std::move(*removed);
  co_return reply;
}

Stream<v1::IssuedCertificate> AdminService::ListCertificates(Call /*call*/,
                                                             v1::ListCertificatesRequest /*request*/) {
  Trust::Page page;
  while (!page.is_last) {
    auto read = co_await offload(
        [this, after = page.next, now_s = unix_s()] { return trust_.certificates(after, now_s); });
    if (!read) {
      co_yield fail(std::move(read).error());
      co_return;
    }
    page = std::move(*read);
    for (v1::IssuedCertificate& certificate : page.certificates) co_yield std::move(certificate);
  }
}

namespace {

// The error for a revocation that this broker could not write to its disk.
Status unwritten(const std::string& who, const Status& why) {
  return {
      Code::failed_precondition,
      fmt::format("{} is refused from now on, but this broker could not write that down and forgets it when "
                  "it is restarted: {}; it tries again by itself: mend that, and revoke {} once more to be "
                  "told when it is kept",
                  who, why.message(), who)};
}

}  // namespace

Task<Result<v1::RevokeReply>> AdminService::Revoke(Call call, v1::RevokeRequest request) {
  const auto caller = node_.peer(call.caller_address().node);
  if (!caller) co_return fail(Code::unavailable, "the connection ended");
  std::vector<Issued> seen;
  for (const v1::CertificateBody& body : directory_.certificates()) seen.push_back(issued_of(body));
  const auto keys = co_await offload([this, who = request.who(), seen = std::move(seen), now_s = unix_s()] {
    return trust_.find(who, seen, now_s);
  });
  if (!keys) co_return fail(keys.error());
  v1::RevokeReply reply;
  for (const Issued& issued : *keys) *reply.add_keys() = to_proto(issued);
  if (request.preview()) co_return reply;
  if (!request.own() && std::ranges::find(*keys, caller->key, &Issued::key) != keys->end()) {
    co_return fail(Code::failed_precondition,
                   fmt::format("{} is your own key: revoking it shuts you out", request.who()));
  }
  const std::string by = who(call);
  const auto revoked = trust_.revoke(*keys, request.reason(), unix_s());
  if (!revoked) co_return fail(revoked.error());
  spdlog::warn("{} revokes {}", by, request.who());
  for (const link::Revoked& each : *revoked) *reply.add_revoked() = each.proof;
  // The others do not wait for the disk; the caller is told first when it is about its own key.
  if (!request.own()) directory_.revoke(*revoked);
  const Status written = co_await directory_.write_revocations();
  if (request.own()) node_.spawn("cobus.revoke", &AdminService::revoke_later, &directory_, *revoked);
  if (!written.ok()) co_return fail(unwritten(request.who(), written));
  co_return reply;
}

// The caller hears the answer before it is shut out.
Task<> AdminService::revoke_later(Self /*self*/, DirectoryService* directory,
                                  std::vector<link::Revoked> revoked) {
  static_cast<void>(co_await sleep(std::chrono::milliseconds(100)));
  directory->revoke(revoked);
}

Task<Result<v1::RenewCertificateReply>> CertificatesService::Renew(Call call,
                                                                   v1::RenewCertificateRequest /*request*/) {
  const auto peer = node_.peer(call.caller_address().node);
  if (!peer) co_return fail(Code::unavailable, "the connection ended");
  const std::int64_t now_s = node_.clock().unix_us() / 1'000'000;
  if (!renewals_.admit(peer->key, now_s)) {
    co_return fail(
        Code::resource_exhausted,
        fmt::format("this key asked for a later certificate more than {} times within {} s: ask less often",
                    renewals_per_window, renewal_window_s));
  }
  auto certificate = co_await offload([this, peer = *peer, now_s] { return trust_.renew(peer, now_s); });
  if (!certificate) co_return fail(std::move(certificate).error());
  v1::RenewCertificateReply reply;
  *reply.mutable_certificate() = std::move(*certificate);
  co_return reply;
}

}  // namespace cobus::broker
