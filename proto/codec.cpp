// SPDX-License-Identifier: Apache-2.0
#include "proto/codec.hpp"

#include <string>

#include "proto/utf8.hpp"
#include "proto/wire.hpp"

namespace cobus {
namespace {

using wire::tag;
using wire::Type;

// The fields of cobus/v1/envelope.proto, as their tags.
namespace frame_tag {
constexpr std::uint32_t session = tag(1, Type::fixed64);
constexpr std::uint32_t sequence = tag(2, Type::varint);
constexpr std::uint32_t acknowledged = tag(3, Type::varint);
constexpr std::uint32_t hello = tag(4, Type::bytes);
constexpr std::uint32_t envelope = tag(5, Type::bytes);
constexpr std::uint32_t end = tag(6, Type::bytes);
constexpr std::uint32_t sent = tag(7, Type::varint);
}  // namespace frame_tag

namespace envelope_tag {
constexpr std::uint32_t to = tag(1, Type::fixed64);
constexpr std::uint32_t from = tag(2, Type::fixed64);
constexpr std::uint32_t kind = tag(3, Type::varint);
constexpr std::uint32_t type = tag(4, Type::fixed64);
constexpr std::uint32_t payload = tag(5, Type::bytes);
constexpr std::uint32_t call = tag(6, Type::varint);
constexpr std::uint32_t time_left_us = tag(7, Type::varint);
constexpr std::uint32_t to_name = tag(8, Type::bytes);
constexpr std::uint32_t credit = tag(9, Type::varint);
constexpr std::uint32_t flags = tag(10, Type::varint);
constexpr std::uint32_t trace = tag(11, Type::bytes);
constexpr std::uint32_t status = tag(12, Type::bytes);
constexpr std::uint32_t headers = tag(16, Type::bytes);
}  // namespace envelope_tag

namespace trace_tag {
constexpr std::uint32_t high = tag(1, Type::fixed64);
constexpr std::uint32_t low = tag(2, Type::fixed64);
constexpr std::uint32_t span = tag(3, Type::fixed64);
constexpr std::uint32_t flags = tag(4, Type::varint);
}  // namespace trace_tag

// Every tag written here is below 0x80, so it takes one byte; zero is not written at all.
constexpr std::size_t size_of_fixed64(std::uint64_t value) noexcept { return value != 0 ? 9 : 0; }
constexpr std::size_t size_of_varint(std::uint64_t value) noexcept {
  return value != 0 ? 1 + wire::varint_size(value) : 0;
}
constexpr std::size_t size_of_bytes(std::size_t size) noexcept {
  return size != 0 ? 1 + wire::varint_size(size) + size : 0;
}

char* write_tag(char* out, std::uint32_t tag) noexcept {
  *out = static_cast<char>(tag);
  return out + 1;
}
char* put_fixed64(char* out, std::uint32_t tag, std::uint64_t value) noexcept {
  return value != 0 ? wire::write_fixed64(write_tag(out, tag), value) : out;
}
char* put_varint(char* out, std::uint32_t tag, std::uint64_t value) noexcept {
  return value != 0 ? wire::write_varint(write_tag(out, tag), value) : out;
}
char* put_bytes(char* out, std::uint32_t tag, std::string_view bytes) noexcept {
  return bytes.empty() ? out : wire::write_raw(wire::write_varint(write_tag(out, tag), bytes.size()), bytes);
}

// An enum is an int32, and a negative one travels as 64 bits.
std::uint64_t wide(v1::Kind kind) noexcept {
  return static_cast<std::uint64_t>(static_cast<std::int64_t>(static_cast<std::int32_t>(kind)));
}

std::size_t trace_size(const EnvelopeHeader& header) noexcept {
  return size_of_fixed64(header.trace_high) + size_of_fixed64(header.trace_low) +
         size_of_fixed64(header.trace_span) + size_of_varint(header.trace_flags);
}

std::size_t body_size(const EnvelopeHeader& header, std::size_t payload_size) noexcept {
  return size_of_fixed64(header.to) + size_of_fixed64(header.from) + size_of_varint(wide(header.kind)) +
         size_of_fixed64(header.type) + size_of_bytes(payload_size) + size_of_varint(header.call) +
         size_of_varint(header.time_left_us) + size_of_bytes(header.to_name.size()) +
         size_of_varint(header.credit) + size_of_varint(header.flags) + size_of_bytes(trace_size(header)) +
         size_of_bytes(header.status.size()) + header.headers.size();
}

// Writes the body in the order of the field numbers and leaves a gap for the payload, whose place
// is returned in `payload`.
char* write_body(char* out, const EnvelopeHeader& header, std::size_t payload_size, char*& payload) noexcept {
  out = put_fixed64(out, envelope_tag::to, header.to);
  out = put_fixed64(out, envelope_tag::from, header.from);
  out = put_varint(out, envelope_tag::kind, wide(header.kind));
  out = put_fixed64(out, envelope_tag::type, header.type);
  if (payload_size != 0) out = wire::write_varint(write_tag(out, envelope_tag::payload), payload_size);
  payload = out;
  out += payload_size;
  out = put_varint(out, envelope_tag::call, header.call);
  out = put_varint(out, envelope_tag::time_left_us, header.time_left_us);
  out = put_bytes(out, envelope_tag::to_name, header.to_name);
  out = put_varint(out, envelope_tag::credit, header.credit);
  out = put_varint(out, envelope_tag::flags, header.flags);
  if (const std::size_t size = trace_size(header); size != 0) {
    out = wire::write_varint(write_tag(out, envelope_tag::trace), size);
    out = put_fixed64(out, trace_tag::high, header.trace_high);
    out = put_fixed64(out, trace_tag::low, header.trace_low);
    out = put_fixed64(out, trace_tag::span, header.trace_span);
    out = put_varint(out, trace_tag::flags, header.trace_flags);
  }
  out = put_bytes(out, envelope_tag::status, header.status);
  return wire::write_raw(out, header.headers);
}

// `at` stands behind `tag`; null when the value is malformed. A repeated Trace merges into the first.
const char* read_trace_field(const char* at, const char* end, std::uint32_t tag,
                             EnvelopeHeader& header) noexcept {
  switch (tag) {
    case trace_tag::high:
      return wire::read_fixed64(at, end, header.trace_high);
    case trace_tag::low:
      return wire::read_fixed64(at, end, header.trace_low);
    case trace_tag::span:
      return wire::read_fixed64(at, end, header.trace_span);
    case trace_tag::flags:
      return wire::read_varint(at, end, header.trace_flags);
    default:
      return wire::skip_value(at, end, tag);
  }
}

const char* read_trace(const char* at, const char* end, EnvelopeHeader& header) noexcept {
  std::string_view bytes;
  const char* const after = wire::read_bytes(at, end, bytes);
  if (after == nullptr) return nullptr;
  for (at = bytes.data(); at != after;) {
    std::uint32_t tag = 0;
    at = wire::read_tag(at, after, tag);
    if (at != nullptr) at = read_trace_field(at, after, tag, header);
    if (at == nullptr) return nullptr;
  }
  return after;
}

// A map entry that starts at `entry`, its value at `at`; extends the run of entries, or starts it.
const char* read_header_entry(const char* entry, const char* at, const char* end,
                              std::string_view& run) noexcept {
  std::string_view bytes;
  const char* const after = wire::read_bytes(at, end, bytes);
  if (after == nullptr) return nullptr;
  if (run.empty()) {
    run = std::string_view(entry, after);
  } else if (run.end() == entry) {
    run = std::string_view(run.begin(), after);
  }
  return after;
}

const char* read_field(const char* field, const char* at, const char* end, std::uint32_t tag,
                       EnvelopeView& envelope) noexcept {
  EnvelopeHeader& header = envelope.header;
  switch (tag) {
    case envelope_tag::to:
      return wire::read_fixed64(at, end, header.to);
    case envelope_tag::from:
      return wire::read_fixed64(at, end, header.from);
    case envelope_tag::kind: {
      std::uint32_t number = 0;
      at = wire::read_varint(at, end, number);
      header.kind = static_cast<v1::Kind>(static_cast<std::int32_t>(number));
      return at;
    }
    case envelope_tag::type:
      return wire::read_fixed64(at, end, header.type);
    case envelope_tag::payload:
      return wire::read_bytes(at, end, envelope.payload);
    case envelope_tag::call:
      return wire::read_varint(at, end, header.call);
    case envelope_tag::time_left_us:
      return wire::read_varint(at, end, header.time_left_us);
    case envelope_tag::to_name:
      return wire::read_bytes(at, end, header.to_name);
    case envelope_tag::credit:
      return wire::read_varint(at, end, header.credit);
    case envelope_tag::flags:
      return wire::read_varint(at, end, header.flags);
    case envelope_tag::trace:
      return read_trace(at, end, header);
    case envelope_tag::status:
      return wire::read_bytes(at, end, header.status);
    case envelope_tag::headers:
      return read_header_entry(field, at, end, header.headers);
    default:
      return wire::skip_value(at, end, tag);
  }
}

// Whether it is nothing but a payload, or not even that.
bool read_payload_alone(std::string_view bytes, std::string_view& payload) noexcept {
  payload = {};
  const char* const end = bytes.data() + bytes.size();
  return bytes.empty() || (static_cast<unsigned char>(bytes.front()) == envelope_tag::payload &&
                           wire::read_bytes(bytes.data() + 1, end, payload) == end);
}

// Null, or where it is malformed. What `envelope` was before is the header of one that has none itself.
const char* read_fields(std::string_view bytes, EnvelopeView& envelope) noexcept {
  if (may_be_repeated(envelope.header) && read_payload_alone(bytes, envelope.payload)) return nullptr;
  envelope = EnvelopeView{};
  const char* const end = bytes.data() + bytes.size();
  for (const char* field = bytes.data(); field != end;) {
    std::uint32_t tag = 0;
    const char* const at = wire::read_tag(field, end, tag);
    const char* const after = at == nullptr ? nullptr : read_field(field, at, end, tag, envelope);
    if (after == nullptr) return field;
    field = after;
  }
  return nullptr;
}

}  // namespace

std::size_t envelope_size(const EnvelopeHeader& header, std::size_t payload_size) noexcept {
  const std::size_t body = body_size(header, payload_size);
  return 1 + wire::varint_size(body) + body;  // also an empty envelope is an envelope
}

namespace {

std::uint8_t* write_around(char* out, const EnvelopeHeader& header, std::size_t payload_size,
                           std::size_t body) noexcept {
  char* payload = nullptr;
  write_body(wire::write_varint(write_tag(out, frame_tag::envelope), body), header, payload_size, payload);
  return reinterpret_cast<std::uint8_t*>(payload);
}

}  // namespace

std::uint8_t* write_envelope_around(char* out, const EnvelopeHeader& header,
                                    std::size_t payload_size) noexcept {
  return write_around(out, header, payload_size, body_size(header, payload_size));
}

std::uint8_t* detail::append_envelope_around(std::string& frame, const EnvelopeHeader& header,
                                             std::size_t payload_size) {
  const std::size_t body = body_size(header, payload_size);
  const std::size_t before = frame.size();
  const std::size_t total = before + 1 + wire::varint_size(body) + body;
  std::uint8_t* payload = nullptr;
  frame.resize_and_overwrite(total, [&](char* buffer, std::size_t /*may be the capacity*/) noexcept {
    payload = write_around(buffer + before, header, payload_size, body);
    return total;
  });
  return payload;
}

std::uint8_t* detail::append_repeat_around(std::string& frame, std::size_t payload_size) {
  const std::size_t body = size_of_bytes(payload_size);
  const std::size_t before = frame.size();
  const std::size_t total = before + 1 + wire::varint_size(body) + body;
  frame.resize_and_overwrite(total, [&](char* buffer, std::size_t /*may be the capacity*/) noexcept {
    char* const out = wire::write_varint(write_tag(buffer + before, frame_tag::envelope), body);
    if (payload_size != 0) wire::write_varint(write_tag(out, envelope_tag::payload), payload_size);
    return total;
  });
  return reinterpret_cast<std::uint8_t*>(frame.data() + total - payload_size);
}

void append_envelope(std::string& frame, const EnvelopeHeader& header, std::string_view payload) {
  std::uint8_t* const place = detail::append_envelope_around(frame, header, payload.size());
  wire::write_raw(reinterpret_cast<char*>(place), payload);
}

void append_frame_header(std::string& frame, const FrameHeader& header) {
  const std::size_t total = frame.size() + size_of_fixed64(header.session) + size_of_varint(header.sequence) +
                            size_of_varint(header.acknowledged) + size_of_bytes(header.hello.size()) +
                            size_of_bytes(header.end.size()) + size_of_varint(header.sent);
  const std::size_t before = frame.size();
  frame.resize_and_overwrite(total, [&](char* buffer, std::size_t /*may be the capacity*/) noexcept {
    char* out = put_fixed64(buffer + before, frame_tag::session, header.session);
    out = put_varint(out, frame_tag::sequence, header.sequence);
    out = put_varint(out, frame_tag::acknowledged, header.acknowledged);
    out = put_bytes(out, frame_tag::hello, header.hello);
    out = put_bytes(out, frame_tag::end, header.end);
    put_varint(out, frame_tag::sent, header.sent);
    return total;
  });
}

bool FrameReader::malformed(const char* at, const char* what) noexcept {
  at_ = at;
  what_ = what;
  return false;
}

bool FrameReader::next_bytes() noexcept {
  if (what_ != nullptr) return false;
  while (at_ != end_) {
    std::uint32_t tag = 0;
    const char* at = wire::read_tag(at_, end_, tag);
    if (at == nullptr) return malformed(at_, "no field starts");
    switch (tag) {
      case frame_tag::session:
        at = wire::read_fixed64(at, end_, header_.session);
        break;
      case frame_tag::sequence:
        at = wire::read_varint(at, end_, header_.sequence);
        break;
      case frame_tag::acknowledged:
        at = wire::read_varint(at, end_, header_.acknowledged);
        break;
      case frame_tag::hello:
        at = wire::read_bytes(at, end_, header_.hello);
        break;
      case frame_tag::end:
        at = wire::read_bytes(at, end_, header_.end);
        break;
      case frame_tag::sent:
        at = wire::read_varint(at, end_, header_.sent);
        break;
      case frame_tag::envelope:
        at = wire::read_bytes(at, end_, envelope_);
        break;
      default:
        at = wire::skip_value(at, end_, tag);
        break;
    }
    if (at == nullptr) return malformed(at_, "the field is cut short or malformed");
    at_ = at;
    if (tag == frame_tag::envelope) return true;
  }
  return false;
}

bool FrameReader::read(EnvelopeView& envelope) noexcept {
  const char* const at = read_fields(envelope_, envelope);
  return at == nullptr || malformed(at, "a field of an envelope is cut short or malformed");
}

Result<FrameHeader> FrameReader::finish() const {
  if (what_ == nullptr) return header_;
  return fail(Code::invalid_argument, "malformed frame: " + std::string(what_) + " at byte " +
                                          std::to_string(at_ - begin_) + " of " +
                                          std::to_string(end_ - begin_));
}

Result<FrameHeader> read_frame_header(std::string_view frame, std::vector<std::string_view>* envelopes) {
  FrameReader reader(frame);
  for (std::string_view envelope; reader.skip(envelope);) {
    if (envelopes != nullptr) envelopes->push_back(envelope);
  }
  return reader.finish();
}

bool read_envelope(std::string_view bytes, EnvelopeView& envelope) noexcept {
  return read_fields(bytes, envelope) == nullptr;
}

void to_proto(const Status& status, v1::Status& out) {
  out.Clear();
  out.set_code(static_cast<std::int32_t>(status.code()));
  out.set_message(utf8_repaired(status.message()));
  for (const Status::Detail& detail : status.details()) {
    v1::Status::Detail& added = *out.add_details();
    added.set_key(utf8_repaired(detail.key));
    added.set_value(utf8_repaired(detail.value));
  }
}

Status from_proto(const v1::Status& status) {
  const bool known = status.code() >= 0 && status.code() <= static_cast<std::int32_t>(Code::unauthenticated);
  Status result(known ? static_cast<Code>(status.code()) : Code::unknown, status.message());
  for (const v1::Status::Detail& detail : status.details()) result.with(detail.key(), detail.value());
  return result;
}

std::string encode_status(const Status& status) {
  v1::Status message;
  to_proto(status, message);
  return message.SerializeAsString();
}

Status decode_status(std::string_view bytes) {
  v1::Status message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return Status(Code::internal, "the peer sent a status of " + std::to_string(bytes.size()) +
                                      " bytes that cannot be read; do both run the same release?");
  }
  return from_proto(message);
}

}  // namespace cobus
