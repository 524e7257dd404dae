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
  if (const auto allowed = tokens_.check(hello.token(), now_s); !allowed) return fail(allowed.error());
  if (const auto holder = holder_of_(hello.name()); holder && *holder != key)
    return fail(name_is_held(hello.name(), *holder, key));
  const auto role = tokens_.redeem(hello.token(), now_s);
  if (!role) return fail(role.error());
  v1::CertificateBody body;
  body.set_name(hello.name());
  body.set_role(*role);
  body.set_curve_key(key.bytes.data(), key.bytes.size());
  body.set_serial(random_.next());
  body.set_not_before(now_s - certificate_backdate.count());
  body.set_not_after(now_s + certificate_life.count());
  return secret_.sign(body);
}

}  // namespace cobus::broker
