// SPDX-License-Identifier: Apache-2.0
#include "broker/tokens.hpp"

#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>
#include <array>
#include <sstream>

#include "node/link/keys.hpp"

namespace cobus::broker {
namespace {

constexpr std::size_t secret_bytes = 20;
constexpr std::size_t tokens_max = 10'000;
// An expired token is remembered this long, so that whoever comes late is told why.
constexpr std::int64_t remembered_s = std::int64_t{30} * 24 * 3600;
constexpr std::string_view header = "cobus tokens v1";
constexpr std::string_view mend = ", which makes new join strings";
constexpr std::size_t id_length = 12;

// Secrets are found by their hash, so how long a look-up takes says nothing about any secret.
std::string hash_of(std::string_view secret) {
  std::string lower(secret);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  std::array<unsigned char, crypto_generichash_BYTES> hash{};
  crypto_generichash(hash.data(), hash.size(), reinterpret_cast<const unsigned char*>(lower.data()),
                     lower.size(), nullptr, 0);
  sodium_memzero(lower.data(), lower.size());
  return link::base32({reinterpret_cast<const char*>(hash.data()), hash.size()});
}

constexpr std::string_view take_another =
    "take the one that stands in STATE/join/ROLE at the broker's host now, or make one: cobus token create";

bool may_be_granted(v1::Role role) {
  return role == v1::NODE || role == v1::SUBMIT || role == v1::OBSERVE || role == v1::ADMIN;
}

}  // namespace

TokenStore::TokenStore(std::filesystem::path file) : file_(std::move(file), header, mend) {}

Result<TokenStore> TokenStore::open(std::filesystem::path file) {
  TokenStore store(std::move(file));
  const auto records = store.file_.read();
  if (!records) return fail(records.error());
  for (const std::string& record : *records) {
    if (!store.take(record)) return fail(store.file_.damaged());
  }
  return store;
}

// HASH ROLE EXPIRES USES USED CREATED NOTE; the last two may be missing.
bool TokenStore::take(const std::string& record) {
  std::istringstream fields(record);
  std::string hash;
  std::string role;
  Token token;
  fields >> hash >> role >> token.expires_s >> token.uses >> token.used;
  const auto parsed = link::parse_role(role);
  if (fields.fail() || !parsed || !may_be_granted(*parsed)) return false;
  token.role = *parsed;
  if (fields >> token.created_s) std::getline(fields >> std::ws, token.note);
  tokens_.insert_or_assign(hash, std::move(token));
  return true;
}

Status TokenStore::keep(Tokens tokens) {
  std::vector<std::string> records;
  for (const auto& [hash, token] : tokens) {
    records.push_back(fmt::format("{} {} {} {} {} {} {}", hash, link::role_name(token.role), token.expires_s,
                                  token.uses, token.used, token.created_s, token.note));
  }
  Status status = file_.write(records);
  if (status.ok()) tokens_ = std::move(tokens);
  return status;
}

Result<std::string> TokenStore::create(v1::Role role, std::chrono::seconds ttl, std::uint32_t uses,
                                       std::int64_t now_s, std::string note) {
  if (!may_be_granted(role)) {
    return fail(Code::invalid_argument,
                fmt::format("a token cannot be for the role {}: only node, submit, observe "
                            "or admin",
                            link::role_name(role)));
  }
  if (ttl.count() < 0) return fail(Code::invalid_argument, "the life time of a token cannot be negative");
  Tokens tokens = tokens_;
  std::erase_if(tokens, [now_s](const auto& each) {
    return each.second.expires_s != 0 && each.second.expires_s + remembered_s < now_s;
  });
  if (tokens.size() >= tokens_max) {
    return fail(Code::resource_exhausted,
                fmt::format("{} tokens exist already: use one of them, or delete some (cobus token list, "
                            "cobus token delete)",
                            tokens.size()));
  }
  std::array<char, secret_bytes> bytes{};
  randombytes_buf(bytes.data(), bytes.size());
  std::string secret = link::base32({bytes.data(), bytes.size()});
  sodium_memzero(bytes.data(), bytes.size());
  Token token{
      .role = role, .expires_s = 0, .uses = uses, .used = 0, .created_s = now_s, .note = std::move(note)};
  if (ttl != ttl_unlimited) token.expires_s = now_s + ttl.count();
  tokens.emplace(hash_of(secret), std::move(token));
  if (Status status = keep(std::move(tokens)); !status.ok()) return fail(std::move(status));
  return secret;
}

Result<v1::Role> TokenStore::check(std::string_view secret, std::int64_t now_s) const {
  const auto found = tokens_.find(hash_of(secret));
  if (found == tokens_.end()) {
    return fail(Code::unauthenticated,
                fmt::format("this cluster does not know the token of the join string: {}", take_another));
  }
  const Token& token = found->second;
  if (token.uses != uses_unlimited && token.used >= token.uses) {
    return fail(Code::permission_denied,
                fmt::format("the token of the join string was for {} enrolment{} and is used up: {}",
                            token.uses, token.uses == 1 ? "" : "s", take_another));
  }
  if (!is_usable(token, now_s)) {
    return fail(Code::permission_denied, fmt::format("the token of the join string expired {} s ago: {}",
                                                     now_s - token.expires_s, take_another));
  }
  return token.role;
}

Result<v1::Role> TokenStore::redeem(std::string_view secret, std::int64_t now_s) {
  Result<v1::Role> role = check(secret, now_s);
  if (!role) return role;
  const std::string hash = hash_of(secret);
  if (tokens_.at(hash).uses == uses_unlimited) return role;
  Tokens tokens = tokens_;
  Token& spent = tokens.at(hash);
  // From then on it is only remembered, like one that expired.
  if (++spent.used >= spent.uses) spent.expires_s = now_s;
  if (Status status = keep(std::move(tokens)); !status.ok()) return fail(std::move(status));
  return role;
}

bool TokenStore::is_usable(const Token& token, std::int64_t now_s) {
  return (token.uses == uses_unlimited || token.used < token.uses) &&
         (token.expires_s == 0 || now_s < token.expires_s);
}

std::string TokenStore::id_of(std::string_view secret) { return hash_of(secret).substr(0, id_length); }

TokenInfo TokenStore::info_of(const std::string& hash, const Token& token, std::int64_t now_s) {
  return {.id = hash.substr(0, id_length),
          .role = token.role,
          .created_s = token.created_s,
          .expires_s = token.expires_s,
          .uses = token.uses,
          .used = token.used,
          .note = token.note,
          .usable = is_usable(token, now_s)};
}

std::vector<TokenInfo> TokenStore::list(std::int64_t now_s) const {
  std::vector<TokenInfo> all;
  for (const auto& [hash, token] : tokens_) all.push_back(info_of(hash, token, now_s));
  std::ranges::stable_sort(all, std::ranges::greater(), &TokenInfo::created_s);
  return all;
}

Result<TokenInfo> TokenStore::remove(std::string_view id, std::int64_t now_s) {
  const auto fits = [id](const auto& each) { return each.first.starts_with(id); };
  const auto found = std::ranges::find_if(tokens_, fits);
  if (id.empty() || found == tokens_.end())
    return fail(Code::not_found, fmt::format("there is no token '{}'; see: cobus token list", id));
  if (const auto count = std::ranges::count_if(tokens_, fits); count > 1)
    return fail(Code::invalid_argument,
                fmt::format("{} tokens begin with '{}'; write more of it", count, id));
  TokenInfo removed = info_of(found->first, found->second, now_s);
  Tokens tokens = tokens_;
  tokens.erase(found->first);
  if (Status status = keep(std::move(tokens)); !status.ok()) return fail(std::move(status));
  return removed;
}

std::size_t TokenStore::usable(std::int64_t now_s) const {
  return static_cast<std::size_t>(
      std::ranges::count_if(tokens_, [now_s](const auto& each) { return is_usable(each.second, now_s); }));
}

}  // namespace cobus::broker
