// SPDX-License-Identifier: Apache-2.0
#include "broker/trust.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "node/link/identity.hpp"
#include "node/link/links.hpp"
#include "proto/utf8.hpp"

namespace cobus::broker {
namespace {

v1::Token to_proto(const TokenInfo& info) {
  v1::Token token;
  token.set_id(info.id);
  token.set_role(info.role);
  token.set_created(info.created_s);
  token.set_expires(info.expires_s);
  token.set_uses(info.uses);
  token.set_used(info.used);
  token.set_note(info.note);
  token.set_usable(info.usable);
  return token;
}

// One line that drives no terminal.
std::string one_line(std::string text) {
  std::ranges::replace_if(text, [](unsigned char c) { return c < ' ' || c == 0x7f; }, ' ');
  return utf8_repaired(text);
}

Status check_bounds(const v1::CreateTokenRequest& request) {
  if (request.ttl_s() < 1 || request.ttl_s() > token_ttl_s_max) {
    return {Code::invalid_argument,
            fmt::format("a token lives from one second to {} days; {} s is none of that",
                        token_ttl_s_max / 86'400, request.ttl_s())};
  }
  if (request.uses() < 1 || request.uses() > token_uses_max) {
    return {Code::invalid_argument, fmt::format("a token is for 1 to {} enrolments; {} is none of that",
                                                token_uses_max, request.uses())};
  }
  if (request.note().size() > note_bytes_max)
    return {Code::invalid_argument, fmt::format("the note is longer than {} bytes", note_bytes_max)};
  return {};
}

bool means_broker(const std::string& who, const link::ClusterSecret& secret) {
  if (who == "broker") return true;
  return who.size() >= fingerprint_length_min &&
         (link::fingerprint(secret.broker_pair().key).starts_with(who) ||
          link::fingerprint(secret.key()).starts_with(who));
}

}  // namespace

v1::IssuedCertificate to_proto(const Issued& issued) {
  v1::IssuedCertificate certificate;
  certificate.set_name(issued.name);
  certificate.set_role(issued.role);
  certificate.set_curve_key(issued.key.bytes.data(), issued.key.bytes.size());
  certificate.set_serial(issued.serial);
  certificate.set_not_before(issued.not_before_s);
  certificate.set_not_after(issued.not_after_s);
  return certificate;
}

Result<std::unique_ptr<Trust>> Trust::open(const std::filesystem::path& folder, std::chrono::seconds life,
                                           Random& random, std::int64_t now_s, std::size_t certificates_max) {
  Result<link::ClusterSecret> secret = link::load_cluster_secret(folder);
  if (!secret) return fail(std::move(secret).error());
  return open(folder, std::move(*secret), life, random, now_s, certificates_max);
}

Result<std::unique_ptr<Trust>> Trust::open(const std::filesystem::path& folder, link::ClusterSecret secret,
                                           std::chrono::seconds life, Random& random, std::int64_t now_s,
                                           std::size_t certificates_max) {
  Result<TokenStore> tokens = TokenStore::open(folder / "tokens");
  if (!tokens) return fail(std::move(tokens).error());
  Result<IssuedStore> issued = IssuedStore::open(folder / "certificates", certificates_max);
  if (!issued) return fail(std::move(issued).error());
  std::unique_ptr<Trust> trust(
      new Trust(std::move(secret), std::move(*tokens), std::move(*issued), folder, life, random));
  if (Status loaded = trust->revocations_.load(now_s); !loaded.ok()) return fail(std::move(loaded));
  return trust;
}

Trust::Trust(link::ClusterSecret secret, TokenStore tokens, IssuedStore issued,
             const std::filesystem::path& folder, std::chrono::seconds life, Random& random)
    : secret_(std::move(secret)),
      random_(random),
      revocations_(secret_.key(), folder / "revoked"),
      tokens_(std::move(tokens)),
      issued_(std::move(issued)),
      enrolment_(
          secret_, tokens_, issued_, random,
          [this](std::string_view name) {
            return holder_of_ ? holder_of_(name) : std::optional<link::CurveKey>();
          },
          life) {}

v1::Certificate Trust::own_certificate(const std::string& name, std::int64_t now_s) {
  const link::CurveKey key = secret_.broker_pair().key;
  v1::CertificateBody body;
  body.set_name(name);
  body.set_role(v1::BROKER);
  body.set_curve_key(key.bytes.data(), key.bytes.size());
  body.set_serial(random_.next());
  body.set_not_before(now_s - certificate_backdate.count());
  body.set_not_after(now_s + enrolment_.life().count());
  return secret_.sign(body);
}

Result<v1::Certificate> Trust::enrol(const v1::Hello& hello, const link::CurveKey& key, std::int64_t now_s) {
  const std::scoped_lock lock(mutex_);
  return enrolment_.issue(hello, key, now_s);
}

Result<v1::Certificate> Trust::renew(const link::PeerInfo& peer, std::int64_t now_s) {
  if (const auto revoked = revocations_.find(peer.key, now_s)) {
    return fail(
        Code::permission_denied,
        fmt::format("key {} was revoked: {}", link::short_fingerprint(peer.key), revoked->body.reason()));
  }
  const std::scoped_lock lock(mutex_);
  return enrolment_.renew(peer, now_s);
}

Result<std::string> Trust::join_token(v1::Role role, const std::string& before, std::int64_t now_s) {
  const std::scoped_lock lock(mutex_);
  if (!before.empty() && tokens_.check(before, now_s) == role) return before;
  return tokens_.create(role, ttl_unlimited, uses_unlimited, now_s,
                        "STATE/join/" + std::string(link::role_name(role)));
}

Result<v1::CreateTokenReply> Trust::create_token(const v1::CreateTokenRequest& request, std::int64_t now_s) {
  if (Status checked = check_bounds(request); !checked.ok()) return fail(std::move(checked));
  const std::scoped_lock lock(mutex_);
  auto secret = tokens_.create(request.role(), std::chrono::seconds(request.ttl_s()), request.uses(), now_s,
                               one_line(request.note()));
  if (!secret) return fail(std::move(secret).error());
  v1::CreateTokenReply reply;
  const std::string id = TokenStore::id_of(*secret);
  for (const TokenInfo& info : tokens_.list(now_s)) {
    if (info.id == id) *reply.mutable_token() = to_proto(info);
  }
  reply.set_secret(*secret);
  link::wipe(*secret);
  return reply;
}

std::vector<v1::Token> Trust::tokens(std::int64_t now_s) {
  std::vector<v1::Token> all;
  const std::scoped_lock lock(mutex_);
  for (const TokenInfo& info : tokens_.list(now_s)) all.push_back(to_proto(info));
  return all;
}

Result<v1::Token> Trust::delete_token(const std::string& id, std::int64_t now_s) {
  const std::scoped_lock lock(mutex_);
  const auto removed = tokens_.remove(id, now_s);
  if (!removed) return fail(removed.error());
  return to_proto(*removed);
}

Result<Trust::Page> Trust::certificates(std::int64_t after, std::int64_t now_s) {
  const std::scoped_lock lock(mutex_);
  const auto issued = issued_.after(after, now_s, certificates_at_once);
  if (!issued) return fail(issued.error());
  Page page;
  page.next = after;
  for (const Issued& each : *issued) {
    v1::IssuedCertificate& certificate = page.certificates.emplace_back(to_proto(each));
    page.next = each.sequence;
    const auto revoked = revocations_.find(each.key, now_s);
    if (!revoked) continue;
    certificate.set_revoked_at(revoked->body.revoked_at());
    certificate.set_reason(revoked->body.reason());
  }
  page.is_last = issued->size() < certificates_at_once;
  if (!page.is_last) return page;
  auto rest = revoked_elsewhere(now_s);
  if (!rest) return fail(std::move(rest).error());
  std::ranges::move(*rest, std::back_inserter(page.certificates));
  return page;
}

Result<std::vector<v1::IssuedCertificate>> Trust::revoked_elsewhere(std::int64_t now_s) {
  std::vector<v1::IssuedCertificate> all;
  for (const link::Revoked& each : revocations_.all(now_s)) {
    const auto known = issued_.of_key(each.key, now_s);
    if (!known) return fail(known.error());
    if (!known->empty()) continue;
    v1::IssuedCertificate& certificate = all.emplace_back();
    certificate.set_name(each.body.name());
    certificate.set_role(each.body.role());
    certificate.set_curve_key(each.body.curve_key());
    certificate.set_not_after(each.body.until());
    certificate.set_revoked_at(each.body.revoked_at());
    certificate.set_reason(each.body.reason());
  }
  return all;
}

Result<Trust::ByKey> Trust::search(const std::string& who, std::span<const Issued> seen, std::int64_t now_s) {
  auto recorded = issued_.search(who, now_s, link::revocations_max);
  if (!recorded) return fail(std::move(recorded).error());
  ByKey named;
  ByKey others;
  for (const Issued& issued : *recorded) (issued.name == who ? named : others).emplace(issued.key, issued);
  for (const Issued& issued : seen) {
    if (issued.name == who) named.emplace(issued.key, issued);
    if (who.size() >= fingerprint_length_min && link::fingerprint(issued.key).starts_with(who))
      others.emplace(issued.key, issued);
  }
  return named.empty() ? others : named;
}

Result<Issued> Trust::latest(Issued issued, std::span<const Issued> seen, std::int64_t now_s) {
  auto known = issued_.of_key(issued.key, now_s);
  if (!known) return fail(std::move(known).error());
  std::ranges::copy_if(seen, std::back_inserter(*known),
                       [&issued](const Issued& each) { return each.key == issued.key; });
  for (Issued& each : *known) {
    if (each.valid_until_s > issued.valid_until_s) issued = std::move(each);
  }
  return issued;
}

Result<std::vector<Issued>> Trust::find(const std::string& who, std::span<const Issued> seen,
                                        std::int64_t now_s) {
  if (means_broker(who, secret_)) {
    return fail(Code::failed_precondition,
                "a broker cannot be revoked: all brokers of a cluster hold its key, and whoever has that can "
                "make itself anybody. If it was stolen, begin a new cluster: start the brokers with a new "
                "--state, and let everybody join again");
  }
  const std::scoped_lock lock(mutex_);
  auto found = search(who, seen, now_s);
  if (!found) return fail(std::move(found).error());
  if (found->empty()) {
    const auto raw = link::parse_base32(who);
    if (!raw || raw->size() != link::CurveKey().bytes.size()) {
      return fail(
          Code::not_found,
          fmt::format("this broker knows no certificate with the name, serial or fingerprint '{}'; see: "
                      "cobus keys",
                      one_line(who.substr(0, 80))));
    }
    const link::CurveKey key = link::curve_key_of(*raw);
    found->emplace(key, Issued{.name = {}, .key = key});
  }
  if (found->size() > 1 && found->begin()->second.name != who) {
    return fail(Code::invalid_argument,
                fmt::format("{} keys begin with '{}'; write more of it", found->size(), who));
  }
  std::vector<Issued> keys;
  for (const auto& [key, issued] : *found) {
    auto last = latest(issued, seen, now_s);
    if (!last) return fail(std::move(last).error());
    keys.push_back(std::move(*last));
  }
  return keys;
}

Result<std::vector<link::Revoked>> Trust::revoke(std::span<const Issued> keys, const std::string& reason,
                                                 std::int64_t now_s) {
  if (reason.size() > note_bytes_max)
    return fail(Code::invalid_argument, fmt::format("the reason is longer than {} bytes", note_bytes_max));
  if (revocations_.all(now_s).size() + keys.size() > link::revocations_max) {
    return fail(Code::resource_exhausted,
                fmt::format("{} keys are revoked already, and no more can be: begin a new cluster",
                            link::revocations_max));
  }
  google::protobuf::RepeatedPtrField<v1::Revocation> signed_ones;
  for (const Issued& issued : keys) {
    v1::RevocationBody body;
    body.set_curve_key(issued.key.bytes.data(), issued.key.bytes.size());
    // Another broker may have renewed it a moment ago.
    body.set_until(std::max({issued.not_after_s, issued.valid_until_s, now_s + enrolment_.life().count()}) +
                   1);
    body.set_name(issued.name);
    body.set_role(issued.role);
    body.set_serial(issued.serial);
    body.set_revoked_at(now_s);
    body.set_reason(one_line(reason));
    *signed_ones.Add() = secret_.sign(body);
  }
  static_cast<void>(revocations_.merge(signed_ones, now_s));
  std::vector<link::Revoked> revoked;
  for (const Issued& issued : keys) {
    if (auto found = revocations_.find(issued.key, now_s)) revoked.push_back(std::move(*found));
  }
  return revoked;
}

}  // namespace cobus::broker
