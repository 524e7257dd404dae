// SPDX-License-Identifier: Apache-2.0
#include "node/link/hello.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "proto/limits.hpp"
#include "proto/utf8.hpp"
#include "proto/version.hpp"

namespace cobus::link {
namespace {

// Repaired it may be three times as long, and the rest of the Hello needs room too.
constexpr std::size_t refusal_text_bytes_max = 1024;
static_assert(refusal_text_bytes_max * 3 + 512 <= limits::hello_bytes_max);
constexpr std::size_t build_bytes_max = 64;

std::unexpected<Status> not_a_hello(std::string_view what) {
  return fail(Code::invalid_argument, fmt::format("not a Hello: {}", what));
}

}  // namespace

v1::Hello make_hello(const LinkOptions& options, const Identity& identity, const SessionTerms& terms) {
  v1::Hello hello;
  hello.set_protocol_min(limits::protocol_min);
  hello.set_protocol_max(limits::protocol_max);
  hello.set_features(limits::features);
  hello.set_node(static_cast<std::uint64_t>(options.node));
  hello.set_incarnation(options.incarnation);
  hello.set_session(terms.session);
  hello.set_resume(terms.resume);
  hello.set_last_received(terms.last_received);
  hello.set_build(std::string(version()));
  if (identity.certificate) {
    *hello.mutable_certificate() = *identity.certificate;
  } else {
    hello.set_name(options.name);
    hello.set_token(options.token);
  }
  return hello;
}

v1::Hello make_refusal(const Status& reason, std::uint64_t session) {
  v1::Hello hello;
  hello.set_protocol_min(limits::protocol_min);
  hello.set_protocol_max(limits::protocol_max);
  hello.set_session(session);
  hello.mutable_refused()->set_code(static_cast<std::int32_t>(reason.code()));
  hello.mutable_refused()->set_message(utf8_repaired(reason.message().substr(0, refusal_text_bytes_max)));
  return hello;
}

Status refusal_of(const v1::Hello& hello) {
  v1::Status wire;
  wire.set_code(hello.refused().code());
  wire.set_message(hello.refused().message());
  Status status = from_proto(wire);
  if (status.ok()) status = Status(Code::unknown, status.message());
  return status;
}

std::string hello_frame(const v1::Hello& hello) {
  const std::string bytes = hello.SerializeAsString();
  std::string frame;
  append_frame_header(frame, {.session = hello.session(), .hello = bytes});
  return frame;
}

Result<v1::Hello> read_hello(std::string_view frame) {
  if (frame.size() > limits::hello_bytes_max) return not_a_hello("too large");
  bool envelopes = false;
  const auto header = read_frame(frame, [&envelopes](const EnvelopeView&) { envelopes = true; });
  if (!header) return not_a_hello(header.error().message());
  if (envelopes || header->sequence != 0) return not_a_hello("it carries more than that");
  if (!header->has_hello()) return not_a_hello("there is none in the first frame");
  v1::Hello hello;
  if (!hello.ParseFromArray(header->hello.data(), static_cast<int>(header->hello.size()))) {
    return not_a_hello("malformed");
  }
  if (hello.session() == 0 || hello.session() != header->session)
    return not_a_hello("its session is not the frame's");
  if (hello.name().size() > limits::name_bytes_max) return not_a_hello("the name is too long");
  return hello;
}

Status check_hello(const v1::Hello& hello, NodeId own) {
  if (hello.protocol_min() > limits::protocol_max || hello.protocol_max() < limits::protocol_min) {
    return {Code::failed_precondition,
            fmt::format(
                "no common protocol version: this node speaks {} to {}, the other one {} to {}; upgrade the "
                "older one",
                limits::protocol_min, limits::protocol_max, hello.protocol_min(), hello.protocol_max())};
  }
  if (hello.node() == 0) return {Code::invalid_argument, "the Hello names no node id"};
  if (NodeId{hello.node()} == own) {
    return {Code::failed_precondition,
            "node " + to_string(own) + " was dialled by itself; check its endpoints"};
  }
  return {};
}

Result<PeerInfo> identify(const v1::Hello& hello, const v1::Certificate& certificate,
                          const ClusterKey& cluster, const CurveKey& key, std::int64_t now_s) {
  auto body = check_certificate(certificate, cluster, key, now_s);
  if (!body) return std::unexpected(std::move(body.error()));
  PeerInfo peer;
  peer.node = NodeId{hello.node()};
  peer.incarnation = hello.incarnation();
  peer.name = body->name();
  peer.role = body->role();
  peer.key = key;
  peer.protocol = std::min(hello.protocol_max(), limits::protocol_max);
  peer.features = hello.features() & limits::features;
  peer.build = hello.build().substr(0, build_bytes_max);
  peer.issued_s = body->not_before();
  peer.expires_s = body->not_after();
  // Renewals are at two thirds of the time, so by now there is a later one.
  peer.show_again_s = body->not_after() - (body->not_after() - body->not_before()) / 10;
  return peer;
}

}  // namespace cobus::link
