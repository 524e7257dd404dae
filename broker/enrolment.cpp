// SPDX-License-Identifier: Apache-2.0
#include "broker/enrolment.hpp"

#include "broker/node_name.hpp"

namespace cobus::broker {

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
  Result<v1::Certificate> certificate = renew(hello.name(), *role, key, now_s);
  if (!certificate) return certificate;
  if (const auto used = tokens_.redeem(hello.token(), now_s); !used) return fail(used.error());
  return certificate;
}

Result<v1::Certificate> Enrolment::renew(const std::string& name, v1::Role role, const link::CurveKey& key,
                                         std::int64_t now_s) {
  v1::CertificateBody body;
  body.set_name(name);
  body.set_role(role);
  body.set_curve_key(key.bytes.data(), key.bytes.size());
  while (body.serial() == 0) body.set_serial(random_.next());
  body.set_not_before(now_s - certificate_backdate.count());
  body.set_not_after(now_s + life_.count());
  if (Status written = issued_.add(body, now_s); !written.ok()) return fail(std::move(written));
  return secret_.sign(body);
}

}  // namespace cobus::broker
