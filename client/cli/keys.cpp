// SPDX-License-Identifier: Apache-2.0
//
// cobus keys: the certificates that the brokers issued; cobus keys show: who this program is in the cluster.
#include <cobus/v1/admin.cobus.h>
#include <fmt/format.h>

#include <set>

#include "client/cli/admin_client.hpp"
#include "client/cli/options.hpp"
#include "client/cli/run.hpp"
#include "client/own_identity.hpp"

namespace cobus::client {
namespace {

std::int64_t unix_s() { return system_clock().unix_us() / 1'000'000; }

// Lives in run()'s frame, longer than the session.
struct KeysVerb {
  explicit KeysVerb(Context& with) : context(with) {}
  Context& context;
  std::vector<Session::Broker> brokers;
};

Task<int> list(Self self, KeysVerb* verb) {
  ListOutput output(verb->context.console, format_of(verb->context), certificate_columns(), "fingerprint");
  std::set<std::string> seen;  // what several brokers tell
  for (const Session::Broker& broker : verb->brokers) {
    auto certificates = v1::AdminStub(self, broker.node).ListCertificates({}, admin_options());
    while (const auto certificate = co_await certificates.next()) {
      const std::string id =
          certificate->serial() == 0 ? certificate->curve_key() : std::to_string(certificate->serial());
      if (seen.insert(id).second) output.add(certificate_json(*certificate, unix_s()));
    }
    if (!certificates.status().ok()) co_return fail_call(verb->context, "keys", certificates.status());
  }
  output.finish();
  co_return 0;
}

// Of files alone: it works without a broker.
int show(Context& context) {
  SessionOptions options;
  options.state = context.globals.text("state");
  options.join = context.globals.text("join");
  auto join = Session::find_join(options);
  if (!join) return fail_setup(context, join.error());
  const std::filesystem::path folder = link::state_folder(options.state) / "client";
  const auto identity = own_identity(folder, *join);
  link::wipe(join->token);
  if (!identity) return fail_setup(context, identity.error());
  v1::CertificateBody body;
  const bool certified = identity->certificate && body.ParseFromString(identity->certificate->body());
  const Json object = {{"fingerprint", link::fingerprint(identity->pair.key)},
                       {"cluster", link::fingerprint(identity->cluster)},
                       {"name", certified ? Json(body.name()) : Json()},
                       {"role", certified ? Json(link::role_name(body.role())) : Json()},
                       {"serial", certified ? Json(std::to_string(body.serial())) : Json()},
                       {"valid_until", certified ? time_json(body.not_after()) : Json()},
                       {"file", (folder / "curve.key").string()}};
  std::vector<std::pair<std::string, std::string>> fields;
  for (const auto& [name, value] : object.items()) {
    std::string label = name;
    std::ranges::replace(label, '_', ' ');
    fields.emplace_back(label, plain(value));
  }
  print_object(context.console, format_of(context), object, "fingerprint", fields);
  if (!certified)
    context.console.note("no certificate yet: the first command that reaches a broker gets one");
  return 0;
}

int run(Context& context) {
  const std::string& action = context.arguments.text("ACTION");
  if (action == "show") return show(context);
  if (!action.empty() && action != "list") {
    return fail_setup(context,
                      {Code::invalid_argument,
                       fmt::format("cobus keys has no action '{}'; there are list and show", action)});
  }
  KeysVerb verb(context);
  auto session = connect(context);
  if (!session) return session.error();
  verb.brokers = reachable_brokers(context, **session, "what it issued is not listed");
  const int code = run_verb(context, **session, {}, &list, &verb);
  session->reset();  // ends the coroutine before what it refers to
  return code;
}

}  // namespace

Command keys_command() {
  return {
      "keys",
      "list the certificates that the brokers issued, or show one's own identity",
      "list, which is for the role admin, gives what has not expired, and the keys that were revoked. show\n"
      "reads files of this user only: its key, role, and how long its certificate is valid.",
      {{"ACTION", "list (if left out) or show", false}},
      {},
      {{"cobus keys", "who may be here, and until when"},
       {"cobus keys show", "who am I"},
       {"cobus keys -o json", "with whole fingerprints, for cobus revoke"}},
      &run};
}

}  // namespace cobus::client
