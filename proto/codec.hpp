// SPDX-License-Identifier: Apache-2.0
//
// Codec: frames and envelopes as bytes, written and read in place. The bytes are ordinary
// Protocol Buffers (cobus/v1/envelope.proto); a test proves that this and the generated code
// agree. It never throws and never trusts its input: anything malformed is INVALID_ARGUMENT.
// Pure functions and a buffer; no thread of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include <cobus/v1/envelope.pb.h>
#include "proto/status.hpp"

namespace cobus {

// Envelope without its payload. The views point into the decoded frame, or into whatever the
// sender of an envelope keeps alive while it is written.
struct EnvelopeHeader {
  std::uint64_t to = 0;
  std::uint64_t from = 0;
  v1::Kind kind = v1::KIND_UNSPECIFIED;
  std::uint64_t type = 0;
  std::uint64_t call = 0;
  std::uint64_t time_left_us = 0;
  std::string_view to_name;
  std::uint32_t credit = 0;
  std::uint32_t flags = 0;
  std::uint64_t trace_high = 0;
  std::uint64_t trace_low = 0;
  std::uint64_t trace_span = 0;
  std::uint32_t trace_flags = 0;
  std::string_view status;   // serialised v1::Status; empty = ok
  std::string_view headers;  // the raw map entries, tags included, exactly as they stand on the wire
};

struct EnvelopeView {
  EnvelopeHeader header;
  std::string_view payload;
};

struct FrameHeader {
  std::uint64_t session = 0;
  std::uint64_t sequence = 0;
  std::uint64_t acknowledged = 0;
  std::string_view hello;  // serialised v1::Hello; empty = none
};

// Appends one envelope (as a field of Frame) to `frame`; `write_payload` is called once with exactly
// `payload_size` bytes to fill. Exceptions of `write_payload` pass through with `frame` unchanged.
void append_envelope(std::string& frame, const EnvelopeHeader& header, std::size_t payload_size,
                     const std::function<void(std::uint8_t*)>& write_payload);
// The same for a payload that is already bytes.
void append_envelope(std::string& frame, const EnvelopeHeader& header, std::string_view payload);

// Bytes that append_envelope will add.
[[nodiscard]] std::size_t envelope_size(const EnvelopeHeader& header, std::size_t payload_size) noexcept;

// Writes a frame header; envelopes appended behind it complete the frame.
void append_frame_header(std::string& frame, const FrameHeader& header);

// Reads a whole frame: the header is returned, `each` is called for every envelope in order.
// The views live as long as `frame`. INVALID_ARGUMENT with the offset when the bytes are malformed;
// envelopes before the malformed place have then been handed out already.
[[nodiscard]] Result<FrameHeader> read_frame(std::string_view frame,
                                             const std::function<void(const EnvelopeView&)>& each);

// Only the header, without looking at the envelopes.
[[nodiscard]] Result<FrameHeader> read_frame_header(std::string_view frame);

// Status to and from the wire.
[[nodiscard]] std::string encode_status(const Status& status);
[[nodiscard]] Status decode_status(std::string_view bytes);  // INTERNAL when malformed
void to_proto(const Status& status, v1::Status& out);
[[nodiscard]] Status from_proto(const v1::Status& status);

}  // namespace cobus
