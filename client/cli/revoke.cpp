// SPDX-License-Identifier: Apache-2.0
//
// cobus revoke WHO: takes back the trust in a key. The brokers that know it sign that; the others are handed
// what was signed, and the nodes hear it from any of them.
#include <cobus/v1/admin.cobus.h>
#include <cobus/v1/directory.cobus.h>
#include <fmt/format.h>
#include <unistd.h>

#include <iostream>
#include <map>
#include <set>

#include "client/cli/admin_client.hpp"
#include "client/cli/options.hpp"
#include "client/cli/run.hpp"

namespace cobus::client {
namespace {

std::int64_t unix_s() { return system_clock().unix_us() / 1'000'000; }

// Lives in run()'s frame, longer than the session.
struct RevokeVerb {
  explicit RevokeVerb(Context& with) : context(with) {}
  Context& context;
  std::vector<Session::Broker> brokers;
  std::vector<Session::Broker> knowing;
  v1::RevokeRequest request;
  std::map<std::string, v1::IssuedCertificate> keys;  // by key
  v1::ShareRequest revoked;                           // what brokers signed and wrote down
  std::set<std::string> kept;                         // keys of which a broker said so
  std::set<NodeId> failed;                            // brokers that did not
  std::vector<std::string> notes;                     // about those
  Status failure;                                     // of one of them
};

// Whom it would be, and which brokers know that.
Task<int> find(Self self, RevokeVerb* verb) {
  Status unknown(Code::unavailable, "no broker answers");
  for (const Session::Broker& broker : verb->brokers) {
    v1::RevokeRequest request = verb->request;
    request.set_preview(true);
    auto reply = co_await v1::AdminStub(self, broker.node).Revoke(std::move(request), admin_options());
    if (reply) {
      verb->knowing.push_back(broker);
      for (const v1::IssuedCertificate& key : reply->keys()) verb->keys.emplace(key.curve_key(), key);
    } else if (reply.error().code() == Code::not_found) {
      unknown = reply.error();
    } else if (reply.error().code() == Code::invalid_argument ||
               reply.error().code() == Code::failed_precondition) {
      co_return fail_setup(verb->context, reply.error());
    } else {
      co_return fail_call(verb->context, "revoke", reply.error());
    }
  }
  co_return verb->knowing.empty() ? fail_name(verb->context, unknown) : 0;
}

// Has `broker` revoke what `request` means. An answer says that this is on that broker's disk.
Task<> revoke_at(Self self, RevokeVerb* verb, Session::Broker broker, v1::RevokeRequest request) {
  auto reply = co_await v1::AdminStub(self, broker.node).Revoke(std::move(request), admin_options());
  if (reply) {
    for (const v1::IssuedCertificate& key : reply->keys()) verb->kept.insert(key.curve_key());
    verb->revoked.mutable_revoked()->MergeFrom(reply->revoked());
    co_return;
  }
  // That it is not kept says more than that somebody was not reached.
  if (verb->failure.ok() || reply.error().code() == Code::failed_precondition) verb->failure = reply.error();
  if (!verb->failed.insert(broker.node).second) co_return;
  verb->notes.push_back(
      fmt::format("broker {} does not keep it: {}", broker.address, printable(reply.error().message())));
}

// True once each key is on the disk of a broker; one that did not know the name is given the key.
Task<bool> revoke_somewhere(Self self, RevokeVerb* verb) {
  for (const Session::Broker& broker : verb->knowing) co_await revoke_at(self, verb, broker, verb->request);
  for (const auto& [key, certificate] : verb->keys) {
    for (const Session::Broker& broker : verb->brokers) {
      if (verb->kept.contains(key)) break;
      if (verb->failed.contains(broker.node)) continue;
      v1::RevokeRequest request = verb->request;
      request.set_who(link::base32(key));
      co_await revoke_at(self, verb, broker, std::move(request));
    }
    if (!verb->kept.contains(key)) co_return false;
  }
  co_return true;
}

Task<int> revoke(Self self, RevokeVerb* verb) {
  if (!co_await revoke_somewhere(self, verb)) co_return fail_call(verb->context, "revoke", verb->failure);
  for (const std::string& note : verb->notes) verb->context.console.note(note);
  for (const Session::Broker& broker : verb->brokers) {
    const auto reply = co_await v1::DirectoryStub(self, broker.node).Share(verb->revoked, admin_options());
    if (!reply && !verb->request.own()) {
      verb->context.console.note(fmt::format("broker {} was not told ({}); it hears it from the nodes",
                                             broker.address, printable(reply.error().message())));
    } else if (reply && !reply->unwritten().empty() && !verb->failed.contains(broker.node)) {
      verb->context.console.note(
          fmt::format("broker {} could not write it down yet, and tries again by itself: {}", broker.address,
                      printable(reply->unwritten())));
    }
  }
  ListOutput output(verb->context.console, format_of(verb->context), certificate_columns(), "fingerprint");
  for (const auto& [key, certificate] : verb->keys) {
    v1::IssuedCertificate shown = certificate;
    shown.set_revoked_at(unix_s());
    shown.set_reason(verb->request.reason());
    output.add(certificate_json(shown, unix_s()));
  }
  output.finish();
  verb->context.console.note(
      "whoever knows a token that is still good can join again, with another key: cobus token list");
  co_return 0;
}

bool asked(Console& console, const std::string& question) {
  console.note(question + " [y/N]");
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

// Nothing: go on; else the exit code.
std::optional<int> confirm(RevokeVerb& verb, bool own) {
  Context& context = verb.context;
  if (context.arguments.has("yes")) return std::nullopt;
  const bool person = ::isatty(STDIN_FILENO) == 1 && context.console.err().terminal;
  if (!person && !own) return std::nullopt;
  if (!person) {
    return fail_setup(context,
                      {Code::invalid_argument,
                       fmt::format("{} is your own key: revoking it shuts you out; if that is what you "
                                   "want, add --yes",
                                   verb.request.who())});
  }
  for (const auto& [key, certificate] : verb.keys) {
    context.console.note(fmt::format("{} {}, key {}", link::role_name(certificate.role()),
                                     printable(certificate.name()), link::base32(key).substr(0, 12)));
  }
  const bool sure = asked(context.console, "Revoke this? It cannot be taken back.") &&
                    (!own || asked(context.console, "This is your own key: you will be shut out. Really?"));
  if (sure) return std::nullopt;
  context.console.error("nothing was revoked");
  return 3;
}

int run(Context& context) {
  RevokeVerb verb(context);
  verb.request.set_who(context.arguments.text("WHO"));
  verb.request.set_reason(context.arguments.text("reason"));
  if (verb.request.reason().size() > 200)
    return fail_setup(context, {Code::invalid_argument, "--reason: at most 200 bytes"});
  auto session = connect(context);
  if (!session) return session.error();
  verb.brokers = reachable_brokers(context, **session, "it hears what is revoked from the nodes");
  int code = run_verb(context, **session, {}, &find, &verb);
  if (code == 0) {
    const link::CurveKey& key = (*session)->node().links().key();
    const bool own =
        verb.keys.contains(std::string(reinterpret_cast<const char*>(key.bytes.data()), key.bytes.size()));
    verb.request.set_own(own);
    const auto refused = confirm(verb, own);
    code = refused ? *refused : run_verb(context, **session, {}, &revoke, &verb);
  }
  session->reset();  // ends the coroutine before what it refers to
  return code;
}

}  // namespace

Command revoke_command() {
  using Kind = Flag::Kind;
  return {
      "revoke",
      "take back the trust in a key: its sessions end, and nobody lets it in again",
      "Within a second of this, every node and broker refuses the key, whatever certificate it shows, and "
      "ends\n"
      "its sessions, calls and taps. Those that are away hear it when they are back. When no broker could "
      "write\n"
      "it down, a restart of the brokers may forget it: then the exit code is 1 and the error says why.\n"
      "A name means every key with a certificate for it. On a terminal it asks first. For the role admin.\n"
      "Tokens stay good: whoever knows one joins again with another key, so look at: cobus token list. The "
      "child\n"
      "processes of a node (--isolate) have names and keys of their own. A broker cannot be revoked: all "
      "brokers\n"
      "hold the key of the cluster, so that a stolen one means a new cluster.",
      {{"WHO", "a name, a serial, or a fingerprint (8 characters or more); see: cobus keys"}},
      {{"reason", "", Kind::text, "TEXT", "why, for the logs and cobus keys"},
       {"yes", "", Kind::toggle, "", "do not ask, not even about one's own key"}},
      {{"cobus revoke gamma --reason 'host was stolen'", "a node, by its name"},
       {"cobus revoke k3v7qzp2d5ma --yes", "a key, by the beginning of its fingerprint"}},
      &run};
}

}  // namespace cobus::client
