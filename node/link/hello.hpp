// SPDX-License-Identifier: Apache-2.0
//
// Hello: the first frame of a connection, each way: making it, reading it, judging it. It comes from
// somebody who proved a key and nothing else, so everything in it is doubted. Pure functions; what
// follows from a good or a bad Hello is for LinkMachine to do.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "node/link/links.hpp"

namespace cobus::link {

// What a Hello says of sessions.
struct SessionTerms {
  std::uint64_t session = 0;        // who dials: a new one; the answer: the one that is up
  std::uint64_t resume = 0;         // who dials: the one that is to go on; 0: none
  std::uint64_t last_received = 0;  // of the one that goes on
};

// Our own: with the certificate, or while there is none with the name and token to get one.
[[nodiscard]] v1::Hello make_hello(const LinkOptions& options, const Identity& identity,
                                   const SessionTerms& terms);

// Says no, and why.
[[nodiscard]] v1::Hello make_refusal(const Status& reason, std::uint64_t session);
[[nodiscard]] Status refusal_of(const v1::Hello& hello);

// A frame with nothing but `hello`.
[[nodiscard]] std::string hello_frame(const v1::Hello& hello);
// INVALID_ARGUMENT for anything else than such a frame of at most limits::hello_bytes_max.
[[nodiscard]] Result<v1::Hello> read_hello(std::string_view frame);

// Whether both speak a common version and the ids make sense. FAILED_PRECONDITION naming both ranges,
// or INVALID_ARGUMENT.
[[nodiscard]] Status check_hello(const v1::Hello& hello, NodeId own);

// Who is it, according to `certificate`? PERMISSION_DENIED when it is not a good one for `key`.
[[nodiscard]] Result<PeerInfo> identify(const v1::Hello& hello, const v1::Certificate& certificate,
                                        const ClusterKey& cluster, const CurveKey& key, std::int64_t now_s);

}  // namespace cobus::link
