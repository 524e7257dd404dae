// SPDX-License-Identifier: Apache-2.0
//
// Tokens: the secrets in join strings, each good for a role, a time and a number of enrolments. The file
// holds only their hashes, so a copy of it lets nobody in; it is private and replaced atomically.
// One owner, one thread. Every change writes and syncs the file: milliseconds, and rare.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <cobus/v1/session.pb.h>
#include "broker/record_file.hpp"
#include "proto/status.hpp"

namespace cobus::broker {

// Uses of a token that may be used without end.
inline constexpr std::uint32_t uses_unlimited = 0;
// A token with this life time does not expire.
inline constexpr std::chrono::seconds ttl_unlimited{0};

// What may be told of a token.
struct TokenInfo {
  std::string id;  // the beginning of the hash
  v1::Role role = v1::ROLE_UNSPECIFIED;
  std::int64_t created_s = 0;  // Unix seconds; 0 = not known
  std::int64_t expires_s = 0;  // 0 = never
  std::uint32_t uses = uses_unlimited;
  std::uint32_t used = 0;
  std::string note;
  bool usable = false;
};

class TokenStore {
 public:
  // Reads `file`; an absent one is an empty store. PERMISSION_DENIED when others can read it,
  // FAILED_PRECONDITION when it is damaged; UNAVAILABLE for I/O errors.
  [[nodiscard]] static Result<TokenStore> open(std::filesystem::path file);

  // Makes a token and gives its secret, which is kept nowhere: 160 random bits in lower-case base32.
  // INVALID_ARGUMENT for a role that no token may have; RESOURCE_EXHAUSTED when there are too many tokens.
  // `note` is for people, without control characters.
  [[nodiscard]] Result<std::string> create(v1::Role role, std::chrono::seconds ttl, std::uint32_t uses,
                                           std::int64_t now_s, std::string note = {});
  // The id of the token with this secret.
  [[nodiscard]] static std::string id_of(std::string_view secret);

  // The newest first, with those that can no longer be used and are remembered.
  [[nodiscard]] std::vector<TokenInfo> list(std::int64_t now_s) const;
  // Forgets the token whose id, or the only one whose id begins so; it lets nobody in any more. NOT_FOUND,
  // INVALID_ARGUMENT for several, UNAVAILABLE when that cannot be written down.
  [[nodiscard]] Result<TokenInfo> remove(std::string_view id, std::int64_t now_s);

  // What redeem() would say, without a use.
  [[nodiscard]] Result<v1::Role> check(std::string_view secret, std::int64_t now_s) const;

  // Uses the token once; gives its role. UNAUTHENTICATED for one that is not known, PERMISSION_DENIED for
  // one that has expired or is used up; UNAVAILABLE when the use cannot be written down: it does not count.
  [[nodiscard]] Result<v1::Role> redeem(std::string_view secret, std::int64_t now_s);

  // Tokens that can still be used at `now_s`.
  [[nodiscard]] std::size_t usable(std::int64_t now_s) const;

 private:
  struct Token {
    v1::Role role = v1::ROLE_UNSPECIFIED;
    std::int64_t expires_s = 0;  // Unix seconds; 0 = never
    std::uint32_t uses = uses_unlimited;
    std::uint32_t used = 0;
    std::int64_t created_s = 0;
    std::string note;
  };
  using Tokens = std::map<std::string, Token, std::less<>>;  // by hash, in base32

  explicit TokenStore(std::filesystem::path file);
  [[nodiscard]] static bool is_usable(const Token& token, std::int64_t now_s);
  [[nodiscard]] static TokenInfo info_of(const std::string& hash, const Token& token, std::int64_t now_s);
  // False for a damaged one.
  [[nodiscard]] bool take(const std::string& record);
  // Writes `tokens`, and takes them over only when that worked.
  [[nodiscard]] Status keep(Tokens tokens);

  RecordFile file_;
  Tokens tokens_;
};

}  // namespace cobus::broker
