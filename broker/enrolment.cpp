// SPDX-License-Identifier: Apache-2.0
#include "broker/enrolment.hpp"

#include <fmt/format.h>

#include "broker/node_name.hpp"

namespace cobus::broker {
namespace {

std::int64_t half_of(std::int64_t from_s, std::int64_t to_s) { return from_s + (to_s - from_s) / 2; }

v1::CertificateBody body_of(const Issued& issued) {
  v1::CertificateBody body;
  body.set_name(issued.name);
  body.set_role(issued.role);
  body.set_curve_key(issued.key.bytes.data(), issued.key.bytes.size());
  body.set_serial(issued.serial);
  body.set_not_before(issued.not_before_s);
  body.set_not_after(issued.not_after_s);
  return body;
}

}  // namespace

Result<v1::Certificate> Enrolment::issue(const v1::Hello& hello, const link::CurveKey& key,
                                         std::int64_t now_s) {
  if (key.empty()) return fail(Code::unauthenticated, "no key was proved, so no certificate can be issued");
  if (Status status = check_node_name(hello.name()); !status.ok()) return fail(std::move(status));
  if (hello.token().empty()) {
    return fail(Code::unauthenticated,
                "neither a certificate nor a token: join with a join string that has one: the broker's host "
                "has them in STATE/join/ROLE");
  }
  // Who has no token learns nothing about names.
  const auto role = tokens_.check(hello.token(), now_s);
  if (!role) return fail(role.error());
  if (const auto holder = holder_of_(hello.name()); holder && *holder != key)
    return fail(name_is_held(hello.name(), *holder, key));
  Result<v1::Certificate> certificate = make(hello.name(), *role, key, now_s);
  if (!certificate) return certificate;
  if (const auto used = tokens_.redeem(hello.token(), now_s); !used) return fail(used.error());
  return certificate;
}

Result<v1::Certificate> Enrolment::renew(const link::PeerInfo& peer, std::int64_t now_s) {
  if (const std::int64_t due_s = half_of(peer.issued_s, peer.expires_s); now_s < due_s) {
    return fail(Code::failed_precondition,
                fmt::format("less than half of the life of this certificate has passed: ask again in {} s",
                            due_s - now_s));
  }
  const auto recorded = issued_.find(peer.key, peer.name, peer.role);
  if (!recorded) return fail(recorded.error());
  // It was given one already and does not show it, as when the answer was lost: the same one again.
  if (*recorded && now_s < half_of((*recorded)->not_before_s, (*recorded)->not_after_s))
    return secret_.sign(body_of(**recorded));
  return make(peer.name, peer.role, peer.key, now_s, peer.expires_s);
}

Result<v1::Certificate> Enrolment::make(const std::string& name, v1::Role role, const link::CurveKey& key,
                                        std::int64_t now_s, std::int64_t known_until_s) {
  v1::CertificateBody body;
  body.set_name(name);
  body.set_role(role);
  body.set_curve_key(key.bytes.data(), key.bytes.size());
  while (body.serial() == 0) body.set_serial(random_.next());
  body.set_not_before(now_s - certificate_backdate.count());
  body.set_not_after(now_s + life_.count());
  if (Status written = issued_.add(body, now_s, known_until_s); !written.ok())
    return fail(std::move(written));
  return secret_.sign(body);
}

}  // namespace cobus::broker
