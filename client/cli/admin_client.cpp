// SPDX-License-Identifier: Apache-2.0
#include "client/cli/admin_client.hpp"

#include <fmt/format.h>

#include "client/cli/terminal.hpp"
#include "client/cli/units.hpp"
#include "node/link/keys.hpp"

namespace cobus::client {
namespace {

constexpr Duration patience = std::chrono::seconds(2);  // with brokers that are slow to answer

auto text(const char* key) {
  return [key](const Json& object) { return plain(field(object, key)); };
}

}  // namespace

std::vector<Session::Broker> reachable_brokers(Context& context, Session& session,
                                               const std::string& meaning) {
  std::vector<Session::Broker> all = session.brokers(patience);
  for (const Session::Broker& broker : all) {
    if (broker.node != NodeId::none) continue;
    context.console.note(fmt::format("broker {} does not answer ({}); {}", broker.address,
                                     printable(broker.trouble.message()), meaning));
  }
  std::erase_if(all, [](const Session::Broker& broker) { return broker.node == NodeId::none; });
  return all;
}

CallOptions admin_options() {
  CallOptions options;
  options.timeout = std::chrono::seconds(10);
  options.flags = v1::HIDDEN;
  return options;
}

Json time_json(std::int64_t unix_s) {
  if (unix_s == 0) return nullptr;
  std::string iso = iso_time(unix_s * 1'000'000);
  return iso.substr(0, iso.find('.')) + "Z";
}

Json token_json(const v1::Token& token, const std::string& broker) {
  return {{"id", token.id()},
          {"role", link::role_name(token.role())},
          {"note", token.note()},
          {"uses", token.uses() == 0 ? Json() : Json(token.uses())},
          {"used", token.uses() == 0 ? Json() : Json(token.used())},
          {"created_at", time_json(token.created())},
          {"expires_at", time_json(token.expires())},
          {"usable", token.usable()},
          {"broker", broker}};
}

std::vector<OutputColumn> token_columns() {
  return {
      {"ID", text("id")},
      {"ROLE", text("role")},
      {"USED",
       [](const Json& token) {
         const std::string uses = plain(field(token, "uses"));
         return uses.empty() ? "any number" : plain(field(token, "used")) + " of " + uses;
       }},
      {"EXPIRES",
       [](const Json& token) {
         const std::string at = plain(field(token, "expires_at"));
         return at.empty() ? "never" : at;
       }},
      {"STATE", [](const Json& token) { return token.value("usable", false) ? "good" : "over"; }},
      {"NOTE", text("note"), false, true},
      {"BROKER", text("broker"), false, false, true},
      {"CREATED", text("created_at"), false, false, true},
  };
}

Json certificate_json(const v1::IssuedCertificate& certificate, std::int64_t now_s) {
  const bool revoked = certificate.revoked_at() != 0;
  return {{"name", certificate.name()},
          {"role", link::role_name(certificate.role())},
          {"fingerprint", link::base32(certificate.curve_key())},
          {"serial", certificate.serial() == 0 ? Json() : Json(std::to_string(certificate.serial()))},
          {"state", revoked                            ? "revoked"
                    : certificate.not_after() <= now_s ? "expired"
                                                       : "valid"},
          {"valid_from", time_json(certificate.not_before())},
          {"valid_until", time_json(certificate.not_after())},
          {"revoked_at", time_json(certificate.revoked_at())},
          {"reason", revoked ? Json(certificate.reason()) : Json()}};
}

std::vector<OutputColumn> certificate_columns() {
  return {
      {"NAME", text("name")},
      {"ROLE", text("role")},
      {"FINGERPRINT", [](const Json& key) { return plain(field(key, "fingerprint")).substr(0, 12); }},
      {"SERIAL", text("serial"), true},
      {"STATE", text("state")},
      {"VALID UNTIL", text("valid_until")},
      {"REASON", text("reason"), false, true},
      {"VALID FROM", text("valid_from"), false, false, true},
      {"REVOKED", text("revoked_at"), false, false, true},
  };
}

}  // namespace cobus::client
