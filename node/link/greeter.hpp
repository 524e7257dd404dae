// SPDX-License-Identifier: Apache-2.0
//
// Greeter: who we are, and whom we accept. It holds our identity, introduces us, enrols newcomers who
// bring a token (brokers only) and judges the Hello of others, whoever dialled. Decisions only: no
// connection, no clock. Used under the link's lock.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "node/link/hello.hpp"
#include "node/link/links.hpp"

namespace cobus::link {

// Somebody who dialled us and may come in.
struct Newcomer {
  PeerInfo peer;
  std::optional<v1::Certificate> issued;  // enrolled just now: to be sent along with our answer
};

// Somebody whom we dialled.
struct Host {
  PeerInfo peer;
  std::optional<v1::Certificate> issued;  // to us: it is in our identity now
};

class Greeter {
 public:
  Greeter(Identity identity, LinkOptions options)
      : identity_(std::move(identity)), options_(std::move(options)) {}

  Greeter(Greeter&&) = delete;
  ~Greeter() { wipe(options_.token); }

  [[nodiscard]] NodeId own() const noexcept { return options_.node; }
  [[nodiscard]] const std::optional<v1::Certificate>& certificate() const noexcept {
    return identity_.certificate;
  }
  // One for the same key that a broker issued later. False, and nothing changes, when it is not good or ends
  // earlier.
  [[nodiscard]] bool use(const v1::Certificate& certificate, std::int64_t now_s);
  // From now on, until `until_s`, nobody with this key is accepted.
  void revoke(const CurveKey& key, std::int64_t until_s);
  // PERMISSION_DENIED when that holds now.
  [[nodiscard]] Status check_revoked(const CurveKey& key, std::int64_t now_s) const;
  // The first frame of a connection that we dialled.
  [[nodiscard]] std::string introduction(const SessionTerms& terms) const;
  // Our answer to a Hello that was welcome.
  [[nodiscard]] std::string answer(const SessionTerms& terms,
                                   const std::optional<v1::Certificate>& issued) const;

  // Judges the Hello of a newcomer who dialled us and proved `key`. The error is what to tell the newcomer:
  // FAILED_PRECONDITION (no common version), UNAUTHENTICATED (no certificate), PERMISSION_DENIED (a bad one),
  // UNAVAILABLE (we are not enrolled ourselves).
  [[nodiscard]] Result<Newcomer> welcome(const v1::Hello& hello, const CurveKey& key,
                                         std::int64_t now_s) const;
  // Whether the newcomer shows a token instead of a certificate, and tokens count here. Then, in this order:
  // check_newcomer() says what welcome() would say of everything else; enrol() has the enroller begin;
  // admit() judges as welcome() does once the enroller has given a certificate.
  [[nodiscard]] bool enrols(const v1::Hello& hello) const noexcept;
  [[nodiscard]] Status check_newcomer(const v1::Hello& hello, const CurveKey& key, std::int64_t now_s) const;
  void enrol(const v1::Hello& hello, const CurveKey& key, ConnectionId connection) const;
  [[nodiscard]] Result<Newcomer> admit(const v1::Hello& hello, const v1::Certificate& issued,
                                       const CurveKey& key, std::int64_t now_s) const;

  // Judges the answer to introduction(asked) and takes a certificate that was issued to us into use. The
  // error is why we do not stay; when the other side refused us, in its own words.
  [[nodiscard]] Result<Host> meet(const v1::Hello& hello, const CurveKey& key, const SessionTerms& asked,
                                  std::int64_t now_s);

 private:
  void take(const v1::Certificate& own);

  Identity identity_;
  LinkOptions options_;
  std::map<CurveKey, std::int64_t> revoked_;  // until when
};

}  // namespace cobus::link
