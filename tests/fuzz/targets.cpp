// SPDX-License-Identifier: Apache-2.0
#include "tests/fuzz/targets.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "node/link/hello.hpp"
#include "node/link/join_string.hpp"
#include "node/link/keys.hpp"
#include "node/link/session.hpp"
#include "node/observe/tap_filter.hpp"
#include "node/runtime/check.hpp"
#include "node/runtime/options.hpp"
#include "node/worker/envelope.hpp"
#include "proto/codec.hpp"
#include "proto/limits.hpp"
#include "proto/wire.hpp"

namespace cobus::fuzz {
namespace {

constexpr std::int64_t now_s = 1'700'000'000;

bool lies_in(std::string_view part, std::string_view whole) {
  return part.empty() ||
         (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void check_parts(const EnvelopeView& view, std::string_view whole) {
  for (const std::string_view part :
       {view.payload, view.header.to_name, view.header.status, view.header.headers})
    COBUS_CHECK(lies_in(part, whole));
}

const link::ClusterKey& some_cluster() {
  static const link::ClusterSecret secret = link::ClusterSecret::make();
  static const link::ClusterKey key = secret.key();
  return key;
}

// Writes what was read, and reads the same again.
void check_writing(const EnvelopeView& view) {
  std::string again;
  append_envelope(again, view.header, view.payload);
  COBUS_CHECK(again.size() == envelope_size(view.header, view.payload.size()));
  int count = 0;
  const auto read = read_frame(again, [&](const EnvelopeView& second) {
    ++count;
    COBUS_CHECK(second.header.to == view.header.to && second.header.from == view.header.from);
    COBUS_CHECK(second.header.kind == view.header.kind && second.header.type == view.header.type);
    COBUS_CHECK(second.header.call == view.header.call && second.header.credit == view.header.credit);
    COBUS_CHECK(second.header.to_name == view.header.to_name && second.header.status == view.header.status);
    COBUS_CHECK(second.header.headers == view.header.headers && second.payload == view.payload);
  });
  COBUS_CHECK(read.has_value() && count == 1);
}

}  // namespace

void frame(std::string_view bytes) {
  std::size_t count = 0;
  const auto header = read_frame(bytes, [&](const EnvelopeView& view) {
    ++count;
    check_parts(view, bytes);
  });
  const auto alone = read_frame_header(bytes);
  if (!header) {
    COBUS_CHECK(header.error().code() == Code::invalid_argument);
    return;
  }
  COBUS_CHECK(alone.has_value() && alone->sequence == header->sequence && alone->session == header->session);
  COBUS_CHECK(lies_in(header->hello, bytes) && lies_in(header->end, bytes));
  if (!header->end.empty()) static_cast<void>(decode_status(header->end));
  link::Session session(header->session);
  for (int i = 0; i < 3; ++i) {
    const std::uint64_t before = session.received();
    const auto verdict = session.receive(*header);
    COBUS_CHECK(session.received() - before ==
                (verdict && *verdict == link::Session::Verdict::fresh ? 1 : 0));
  }
}

void envelope(std::string_view bytes) {
  std::array<char, 10> length{};
  char* const end = wire::write_varint(length.data(), bytes.size());
  std::string whole(1, static_cast<char>(wire::tag(5, wire::Type::bytes)));
  whole.append(length.data(), end).append(bytes);
  static_cast<void>(read_frame(whole, [&](const EnvelopeView& view) {
    check_parts(view, whole);
    check_writing(view);
    if (view.payload.size() > limits::payload_bytes_max) return;
    const EnvelopePtr made = from_wire(view, NodeId{1}, TimePoint{});
    std::vector<std::uint8_t> payload(made->payload_size());
    made->write_payload(payload.data());
    COBUS_CHECK(std::ranges::equal(payload, view.payload, {}, {},
                                   [](char c) { return static_cast<std::uint8_t>(c); }));
  }));
}

void hello(std::string_view bytes) {
  const auto read = link::read_hello(bytes);
  if (!read) return;
  COBUS_CHECK(bytes.size() <= limits::hello_bytes_max && read->session() != 0);
  static_cast<void>(link::refusal_of(*read));
  static_cast<void>(link::check_hello(*read, NodeId{7}));
  const auto peer = link::identify(*read, read->certificate(), some_cluster(), link::CurveKey{}, now_s);
  COBUS_CHECK(!peer.has_value());  // nobody signed it
  COBUS_CHECK(link::read_hello(link::hello_frame(*read)).has_value() ||
              link::hello_frame(*read).size() > limits::hello_bytes_max);
}

void certificate(std::string_view bytes) {
  v1::Certificate certificate;
  if (!certificate.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
  COBUS_CHECK(!link::check_certificate(certificate, some_cluster(), link::CurveKey{}, now_s).has_value());
  v1::CertificateBody body;
  static_cast<void>(body.ParseFromString(certificate.body()));
}

void join_string(std::string_view bytes) {
  const auto parsed = link::parse_join_string(bytes);
  if (!parsed) {
    COBUS_CHECK(parsed.error().code() == Code::invalid_argument);
    return;
  }
  COBUS_CHECK(!parsed->brokers.empty());
  const auto again = link::parse_join_string(parsed->to_string());
  COBUS_CHECK(again.has_value() && again->brokers == parsed->brokers && again->token == parsed->token);
}

void tap_filter(std::string_view bytes) {
  v1::TapRequest filter;
  if (!filter.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
  v1::TapRecord record;
  record.set_from(filter.from());
  record.set_to(filter.to() + "/1");
  record.set_method(filter.method());
  record.set_type(filter.type());
  record.set_kind(v1::ERROR);
  record.set_code(13);
  record.set_latency_us(filter.slow_us());
  COBUS_CHECK(wanted(filter, record));
  record.set_from("somebody else");
  COBUS_CHECK(wanted(filter, record) == (filter.from().empty() || filter.from() == "somebody else"));
}

void configuration(std::string_view bytes) {
  using Kind = OptionSpec::Kind;
  static const std::vector<OptionSpec> table = {
      {"name", Kind::text, "", "A text", 0, 0, {}},
      {"shards", Kind::number, "0", "A number", 0, 255, {}},
      {"service", Kind::list, "", "A list", 0, 0, {}},
      {"quiet", Kind::flag, "", "A flag", 0, 0, {}},
      {"ledger", Kind::text, "sqlite", "A choice", 0, 0, {"sqlite", "none"}},
  };
  static const int file = ::memfd_create("configuration", MFD_CLOEXEC);
  COBUS_CHECK(::ftruncate(file, 0) == 0);
  COBUS_CHECK(::pwrite(file, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  const auto values = read_options(table, {"/proc/self/fd/" + std::to_string(file)});
  if (!values) {
    COBUS_CHECK(!values.error().message().empty());
    return;
  }
  COBUS_CHECK(values->number("shards") >= 0 && values->number("shards") <= 255);
  COBUS_CHECK(values->text("ledger") == "sqlite" || values->text("ledger") == "none");
  static_cast<void>(values->to_toml(table));
}

}  // namespace cobus::fuzz
