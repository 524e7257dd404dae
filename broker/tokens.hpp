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

#include <cobus/v1/session.pb.h>
#include "proto/status.hpp"

namespace cobus::broker {

// Uses of a token that may be used without end.
inline constexpr std::uint32_t uses_unlimited = 0;
// A token with this life time does not expire.
inline constexpr std::chrono::seconds ttl_unlimited{0};

class TokenStore {
 public:
  // Reads `file`; an absent one is an empty store. PERMISSION_DENIED when others can read it,
  // FAILED_PRECONDITION when it is damaged; UNAVAILABLE for I/O errors.
  [[nodiscard]] static Result<TokenStore> open(std::filesystem::path file);

  // Makes a token and gives its secret, which is kept nowhere: 160 random bits in lower-case base32.
  // INVALID_ARGUMENT for a role that no token may have; RESOURCE_EXHAUSTED when there are too many tokens.
  [[nodiscard]] Result<std::string> create(v1::Role role, std::chrono::seconds ttl, std::uint32_t uses,
                                           std::int64_t now_s);

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
  };
  using Tokens = std::map<std::string, Token, std::less<>>;  // by hash, in base32

  explicit TokenStore(std::filesystem::path file) : file_(std::move(file)) {}
  [[nodiscard]] static bool is_usable(const Token& token, std::int64_t now_s);
  [[nodiscard]] Status parse(std::string_view text);
  // Writes `tokens`, and takes them over only when that worked.
  [[nodiscard]] Status keep(Tokens tokens);

  std::filesystem::path file_;
  Tokens tokens_;
};

}  // namespace cobus::broker
