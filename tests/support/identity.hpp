// SPDX-License-Identifier: Apache-2.0
//
// An identity that a real clock lets in: a key pair with a certificate that is valid now.
#pragma once

#include <string>

#include "node/link/identity.hpp"
#include "node/runtime/clock.hpp"

namespace cobus::link {

// Of a node called `name` in `cluster`, for an hour.
inline Identity identity_now(const ClusterSecret& cluster, const std::string& name) {
  Identity identity{make_curve_pair(), cluster.key(), {}};
  const std::int64_t now_s = system_clock().unix_us() / 1'000'000;
  v1::CertificateBody body;
  body.set_name(name);
  body.set_role(v1::NODE);
  body.set_curve_key(identity.pair.key.bytes.data(), identity.pair.key.bytes.size());
  body.set_serial(1);
  body.set_not_before(now_s - 60);
  body.set_not_after(now_s + 3600);
  identity.certificate = cluster.sign(body);
  return identity;
}

}  // namespace cobus::link
