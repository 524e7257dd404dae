// SPDX-License-Identifier: Apache-2.0
//
// cobus token create|list|delete: secrets that let newcomers in. A token is known to the broker that made it,
// and its join string names that one; each broker is asked for those that it knows.
#include <cobus/v1/admin.cobus.h>
#include <fmt/format.h>

#include <algorithm>

#include "client/cli/admin_client.hpp"
#include "client/cli/options.hpp"
#include "client/cli/run.hpp"
#include "client/cli/units.hpp"
#include "node/link/join_string.hpp"

namespace cobus::client {
namespace {

constexpr Duration ttl_default = std::chrono::hours(1);
constexpr Duration ttl_max = std::chrono::hours(24 * 366);
constexpr std::int64_t uses_max = 1'000'000;
constexpr const char* makes = "create";
constexpr const char* lists = "list";
constexpr const char* removes = "delete";

// Lives in run()'s frame, longer than the session.
struct TokenVerb {
  explicit TokenVerb(Context& with) : context(with) {}
  Context& context;
  std::vector<Session::Broker> brokers;
  link::JoinString join;
  v1::CreateTokenRequest request;
  std::string id;
};

Task<int> create(Self self, TokenVerb* verb) {
  Console& console = verb->context.console;
  auto reply =
      co_await v1::AdminStub(self, verb->brokers.front().node).CreateToken(verb->request, admin_options());
  if (!reply) co_return fail_call(verb->context, "token create", reply.error());
  verb->join.brokers = {reply->address()};
  verb->join.token = std::move(*reply->mutable_secret());
  std::string line = verb->join.to_string();
  const v1::Token& token = reply->token();
  const Json expires = time_json(token.expires());
  if (format_of(verb->context) == Format::json || asked_format(verb->context) == Format::jsonl) {
    Json object = token_json(token, reply->address());
    object["join"] = line;
    print_value(console, format_of(verb->context), object);
  } else {
    console.print(line);
  }
  link::wipe(line);
  link::wipe(verb->join.token);
  console.note(
      fmt::format("token {}: role {}, {} use{}, until {}; the line is a secret: keep it in a file "
                  "that only you can read, then {} --join @FILE",
                  token.id(), link::role_name(token.role()), token.uses(), token.uses() == 1 ? "" : "s",
                  plain(expires), token.role() == v1::NODE ? "cobus-node" : "cobus nodes"));
  if (verb->brokers.size() > 1)
    console.note(fmt::format("it is known to the broker at {} only, which the line names", reply->address()));
  co_return 0;
}

Task<int> list(Self self, TokenVerb* verb) {
  ListOutput output(verb->context.console, format_of(verb->context), token_columns(), "id");
  for (const Session::Broker& broker : verb->brokers) {
    auto reply = co_await v1::AdminStub(self, broker.node).ListTokens({}, admin_options());
    if (!reply) co_return fail_call(verb->context, "token list", reply.error());
    for (const v1::Token& token : reply->tokens()) output.add(token_json(token, broker.address));
  }
  output.finish();
  co_return 0;
}

Task<int> remove(Self self, TokenVerb* verb) {
  Status unknown;
  for (const Session::Broker& broker : verb->brokers) {
    v1::DeleteTokenRequest request;
    request.set_id(verb->id);
    auto reply = co_await v1::AdminStub(self, broker.node).DeleteToken(std::move(request), admin_options());
    if (reply) {
      verb->context.console.note(
          fmt::format("token {} lets nobody in any more; who came with it stays", reply->token().id()));
      co_return 0;
    }
    if (reply.error().code() != Code::not_found) {
      if (reply.error().code() == Code::invalid_argument) co_return fail_setup(verb->context, reply.error());
      co_return fail_call(verb->context, "token delete", reply.error());
    }
    unknown = reply.error();
  }
  co_return fail_name(verb->context, unknown);
}

// What goes with which action.
Status check_words(const Arguments& arguments) {
  const std::string& action = arguments.text("ACTION");
  if (action != makes && action != lists && action != removes) {
    return {Code::invalid_argument,
            fmt::format("cobus token has no action '{}'; there are create, list and delete", action)};
  }
  if (arguments.has("ID") != (action == removes)) {
    return {Code::invalid_argument, action == removes ? "cobus token delete needs ID; see: cobus token list"
                                                      : fmt::format("cobus token {} takes no ID", action)};
  }
  for (const char* flag : {"role", "ttl", "uses", "note"}) {
    if (arguments.has(flag) && action != makes)
      return {Code::invalid_argument, fmt::format("--{} is for cobus token create", flag)};
  }
  if (arguments.duration("ttl").value_or(ttl_default) > ttl_max)
    return {Code::invalid_argument, "--ttl: at most a year (366d)"};
  if (arguments.duration("ttl").value_or(ttl_default) < std::chrono::seconds(1))
    return {Code::invalid_argument, "--ttl: at least 1s"};
  if (arguments.text("note").size() > 200) return {Code::invalid_argument, "--note: at most 200 bytes"};
  return {};
}

int run(Context& context) {
  const Arguments& arguments = context.arguments;
  if (Status checked = check_words(arguments); !checked.ok()) return fail_setup(context, checked);
  TokenVerb verb(context);
  const std::string& action = arguments.text("ACTION");
  const Duration ttl = arguments.duration("ttl").value_or(ttl_default);
  verb.request.set_role(*link::parse_role(arguments.optional_text("role").value_or("node")));
  verb.request.set_ttl_s(static_cast<std::uint64_t>(std::chrono::ceil<std::chrono::seconds>(ttl).count()));
  verb.request.set_uses(static_cast<std::uint32_t>(arguments.number("uses").value_or(1)));
  verb.request.set_note(arguments.text("note"));
  verb.id = arguments.text("ID");
  auto session = connect(context);
  if (!session) return session.error();
  verb.join = (*session)->join();
  verb.brokers = reachable_brokers(
      context, **session, action == makes ? "the token is made at another" : "its tokens are not seen");
  const auto function = action == makes ? &create : action == lists ? &list : &remove;
  const int code = run_verb(context, **session, {}, function, &verb);
  session->reset();  // ends the coroutine before what it refers to
  return code;
}

}  // namespace

Command token_command() {
  using Kind = Flag::Kind;
  return {
      "token",
      "make, list and delete the tokens that let newcomers in",
      "create prints one line, a join string with a new token, and nothing else on stdout. It is a secret:\n"
      "whoever has it joins with that role, as often and as long as it says. A token is known to the broker\n"
      "that made it, which its join string names; list and delete ask every broker. What is listed says\n"
      "nothing about the secret. All of it is for the role admin.",
      {{"ACTION", "create, list or delete"}, {"ID", "of the token to delete, or its beginning", false}},
      {{"role", "", Kind::choice, "node|submit|observe|admin", "what newcomers may do (node)"},
       {"ttl", "", Kind::duration, "DURATION", "how long it is good (1h)", 1},
       {"uses", "", Kind::number, "N", "how many may join with it (1)", 1, uses_max},
       {"note", "", Kind::text, "TEXT", "what it is for, shown by list"}},
      {{"cobus token create > node.join", "for one node, within the hour"},
       {"cobus token create --role submit --ttl 7d --uses 20 --note course", "for twenty people"},
       {"cobus token list", "which there are, and how often they were used"},
       {"cobus token delete 7fkq2m", "nobody joins with it any more"}},
      &run};
}

}  // namespace cobus::client
