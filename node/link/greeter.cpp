// SPDX-License-Identifier: Apache-2.0
#include "node/link/greeter.hpp"

#include <algorithm>
#include <utility>

namespace cobus::link {

std::string Greeter::introduction(const SessionTerms& terms) const {
  return hello_frame(make_hello(options_, identity_, terms));
}

std::string Greeter::answer(const SessionTerms& terms, const std::optional<v1::Certificate>& issued) const {
  v1::Hello hello = make_hello(options_, identity_, terms);
  if (issued) *hello.mutable_issued() = *issued;
  return hello_frame(hello);
}

bool Greeter::use(const v1::Certificate& certificate, std::int64_t now_s) {
  const auto later = check_certificate(certificate, identity_.cluster, identity_.pair.key, now_s);
  v1::CertificateBody body;
  if (!later) return false;
  if (identity_.certificate && body.ParseFromString(identity_.certificate->body()) &&
      later->not_after() <= body.not_after()) {
    return false;
  }
  take(certificate);
  return true;
}

void Greeter::take(const v1::Certificate& own) {
  identity_.certificate = own;
  wipe(options_.token);  // it has served its purpose
}

void Greeter::revoke(const CurveKey& key, std::int64_t until_s) {
  std::int64_t& until = revoked_[key];
  until = std::max(until, until_s);
}

Status Greeter::check_revoked(const CurveKey& key, std::int64_t now_s) const {
  const auto found = revoked_.find(key);
  if (found == revoked_.end() || found->second <= now_s) return {};
  return {Code::permission_denied, "key " + short_fingerprint(key) +
                                       " was revoked: remove the folder that it is kept in and join again, "
                                       "with a new token"};
}

Status Greeter::check_newcomer(const v1::Hello& hello, const CurveKey& key, std::int64_t now_s) const {
  if (Status status = check_hello(hello, options_.node); !status.ok()) return status;
  if (Status status = check_revoked(key, now_s); !status.ok()) return status;
  if (!identity_.certificate)
    return {Code::unavailable, "this node has no certificate of its own yet; try again later"};
  return {};
}

Result<Newcomer> Greeter::welcome(const v1::Hello& hello, const CurveKey& key, std::int64_t now_s) const {
  if (Status status = check_newcomer(hello, key, now_s); !status.ok()) return fail(std::move(status));
  if (!hello.has_certificate()) {
    return fail(
        Code::unauthenticated,
        "no certificate was shown, and no token that counts here; join with a join string that has one: "
        "the broker's host has them in STATE/join/ROLE");
  }
  auto peer = identify(hello, hello.certificate(), identity_.cluster, key, now_s);
  if (!peer) return fail(std::move(peer.error()));
  return Newcomer{std::move(*peer), std::nullopt};
}

bool Greeter::enrols(const v1::Hello& hello) const noexcept {
  return !hello.has_certificate() && !hello.token().empty() && options_.enroller != nullptr;
}

void Greeter::enrol(const v1::Hello& hello, const CurveKey& key, ConnectionId connection) const {
  options_.enroller(hello, key, connection);
}

Result<Newcomer> Greeter::admit(const v1::Hello& hello, const v1::Certificate& issued, const CurveKey& key,
                                std::int64_t now_s) const {
  // It may have been revoked meanwhile.
  if (Status status = check_revoked(key, now_s); !status.ok()) return fail(std::move(status));
  auto peer = identify(hello, issued, identity_.cluster, key, now_s);
  if (!peer) return fail(std::move(peer.error()));
  return Newcomer{std::move(*peer), issued};
}

Result<Host> Greeter::meet(const v1::Hello& hello, const CurveKey& key, const SessionTerms& asked,
                           std::int64_t now_s) {
  if (hello.session() != asked.session && (asked.resume == 0 || hello.session() != asked.resume))
    return fail(Code::internal, "it answered with another session");
  if (hello.has_refused()) return fail(refusal_of(hello));
  if (Status status = check_hello(hello, options_.node); !status.ok()) return fail(std::move(status));
  if (!hello.has_certificate()) return fail(Code::unauthenticated, "it showed no certificate");
  if (Status status = check_revoked(key, now_s); !status.ok()) return fail(std::move(status));
  auto peer = identify(hello, hello.certificate(), identity_.cluster, key, now_s);
  if (!peer) return fail(std::move(peer.error()));
  Host host{std::move(*peer), std::nullopt};
  if (!identity_.certificate) {
    if (!hello.has_issued())
      return fail(Code::unauthenticated, "it neither issued a certificate nor refused to");
    auto own = check_certificate(hello.issued(), identity_.cluster, identity_.pair.key, now_s);
    if (!own) return fail(Code::permission_denied, "it issued a bad certificate: " + own.error().message());
    take(hello.issued());
    host.issued = hello.issued();
  }
  return host;
}

}  // namespace cobus::link
