// SPDX-License-Identifier: Apache-2.0
//
// AdminClient: what token, keys, revoke and doctor share: the brokers to ask, and how tokens and certificates
// look. Used by one verb at a time.
#pragma once

#include <cobus/v1/admin.pb.h>

#include <string>
#include <utility>
#include <vector>

#include "client/cli/command.hpp"
#include "client/cli/json.hpp"
#include "client/cli/output.hpp"
#include "client/session.hpp"
#include "node/worker/call.hpp"

namespace cobus::client {

// Those that answer, in the order of the join string; says on stderr which do not, and what that means.
[[nodiscard]] std::vector<Session::Broker> reachable_brokers(Context& context, Session& session,
                                                             const std::string& meaning);
// Hidden from taps; answered within seconds.
[[nodiscard]] CallOptions admin_options();

// {"id","role","note","uses","used","created_at","expires_at","usable","broker"}; null for "never" and "any".
[[nodiscard]] Json token_json(const v1::Token& token, const std::string& broker);
[[nodiscard]] std::vector<OutputColumn> token_columns();

// {"name","role","fingerprint","serial","state","valid_from","valid_until","revoked_at","reason"} with the
// state valid, expired or revoked at `now_s`.
[[nodiscard]] Json certificate_json(const v1::IssuedCertificate& certificate, std::int64_t now_s);
[[nodiscard]] std::vector<OutputColumn> certificate_columns();

// "2026-03-01T08:15:30Z" of Unix seconds; null for 0.
[[nodiscard]] Json time_json(std::int64_t unix_s);

}  // namespace cobus::client
