// SPDX-License-Identifier: Apache-2.0
//
// Codec: frames and envelopes as bytes, written and read in place. The bytes are ordinary
// Protocol Buffers (cobus/v1/envelope.proto); a test proves that this and the generated code
// agree. It never throws and never trusts its input: anything malformed is INVALID_ARGUMENT.
// What it hands out as views (names, status, headers, hello) is bounded but not looked into: not
// checked for UTF-8, say. Groups, which nothing here has, count as malformed.
// Pure functions and a buffer; no thread of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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
  std::string_view to_name = {};
  std::uint32_t credit = 0;
  std::uint32_t flags = 0;
  std::uint64_t trace_high = 0;
  std::uint64_t trace_low = 0;
  std::uint64_t trace_span = 0;
  std::uint32_t trace_flags = 0;
  std::string_view status = {};  // serialised v1::Status; empty = ok
  // The raw map entries, tags included, exactly as they stand on the wire; when a foreign encoder
  // strewed them between other fields, the first run of them.
  std::string_view headers = {};
};

struct EnvelopeView {
  EnvelopeHeader header;
  std::string_view payload = {};
};

struct FrameHeader {
  std::uint64_t session = 0;
  std::uint64_t sequence = 0;
  std::uint64_t acknowledged = 0;
  std::string_view hello = {};  // serialised v1::Hello; none is written when it is empty
  std::string_view end = {};    // serialised v1::Status; the same
  std::uint64_t sent = 0;       // of a frame that is not numbered: the last number that went before it

  // Of a frame that was read: whether it has one, which may be empty.
  [[nodiscard]] bool has_hello() const noexcept { return hello.data() != nullptr; }
  [[nodiscard]] bool has_end() const noexcept { return end.data() != nullptr; }
};

// Appends one envelope (as a field of Frame) to `frame`; `write_payload(std::uint8_t*)` is called once
// with exactly `payload_size` bytes to fill. Exceptions of `write_payload` pass through with `frame`
// unchanged.
template <class WritePayload>
  requires requires(WritePayload write, std::uint8_t* out) { write(out); }
void append_envelope(std::string& frame, const EnvelopeHeader& header, std::size_t payload_size,
                     WritePayload&& write_payload);
// The same for a payload that is already bytes.
void append_envelope(std::string& frame, const EnvelopeHeader& header, std::string_view payload);

// The same with the header of the envelope before in the frame, which may_be_repeated() and is not said
// again.
template <class WritePayload>
void append_repeat(std::string& frame, std::size_t payload_size, WritePayload&& write_payload);
[[nodiscard]] constexpr bool may_be_repeated(v1::Kind kind) noexcept {
  return kind == v1::MESSAGE || kind == v1::ITEM;
}
// One of those that says no more than addresses, type, call and flags: a repeat takes two bytes, and costs
// whoever reads it what the header holds.
[[nodiscard]] constexpr bool may_be_repeated(const EnvelopeHeader& header) noexcept {
  return may_be_repeated(header.kind) && header.to_name.empty() && header.status.empty() &&
         header.headers.empty() &&
         (header.time_left_us | header.credit | header.trace_high | header.trace_low | header.trace_span |
          header.trace_flags) == 0;
}

// Bytes that append_envelope will add.
[[nodiscard]] std::size_t envelope_size(const EnvelopeHeader& header, std::size_t payload_size) noexcept;
// The same envelope into memory for that many bytes, with its payload still to be filled in: where that goes.
[[nodiscard]] std::uint8_t* write_envelope_around(char* out, const EnvelopeHeader& header,
                                                  std::size_t payload_size) noexcept;

// Writes a frame header; envelopes appended behind it complete the frame.
void append_frame_header(std::string& frame, const FrameHeader& header);

// Reads a whole frame: the header is returned, `each(const EnvelopeView&)` is called for every envelope
// in order. The views live as long as `frame`. INVALID_ARGUMENT with the offset when the bytes are
// malformed; envelopes before the malformed place have then been handed out already.
template <class Each>
[[nodiscard]] Result<FrameHeader> read_frame(std::string_view frame, Each&& each);

// Only the header, without looking into the envelopes. Their bytes are appended to `envelopes`, for
// read_envelope(), also those before a malformed place.
[[nodiscard]] Result<FrameHeader> read_frame_header(std::string_view frame,
                                                    std::vector<std::string_view>* envelopes = nullptr);
// One of them. `envelope` is the one before in the frame, whose header it may have; before the first a fresh
// one. False when it is malformed; `envelope` is then half read.
[[nodiscard]] bool read_envelope(std::string_view bytes, EnvelopeView& envelope) noexcept;

// Status to and from the wire. Text that is not UTF-8 is repaired on the way out; a code that this
// release does not know becomes UNKNOWN.
[[nodiscard]] std::string encode_status(const Status& status);
[[nodiscard]] Status decode_status(std::string_view bytes);  // INTERNAL when malformed
void to_proto(const Status& status, v1::Status& out);
[[nodiscard]] Status from_proto(const v1::Status& status);

// What read_frame walks with; for those who cannot give a callback.
class FrameReader {
 public:
  explicit FrameReader(std::string_view frame) noexcept
      : begin_(frame.data()), at_(begin_), end_(begin_ + frame.size()) {}

  // True with `envelope`, which is to be the one before or a fresh one, set to the next one; false at the end
  // and at malformed bytes.
  [[nodiscard]] bool next(EnvelopeView& envelope) noexcept { return next_bytes() && read(envelope); }
  // The same without looking into the envelope, whose bytes `envelope` becomes.
  [[nodiscard]] bool skip(std::string_view& envelope) noexcept {
    const bool there = next_bytes();
    envelope = envelope_;
    return there;
  }
  // After next() or skip() said false: the header, or what is malformed.
  [[nodiscard]] Result<FrameHeader> finish() const;

 private:
  bool next_bytes() noexcept;
  bool read(EnvelopeView& envelope) noexcept;
  bool malformed(const char* at, const char* what) noexcept;

  const char* begin_;
  const char* at_;
  const char* end_;
  FrameHeader header_;
  std::string_view envelope_;   // the bytes of the one found last
  const char* what_ = nullptr;  // is malformed, at at_
};

namespace detail {
// Appends the envelope with its payload still to be filled in, and returns where that goes.
[[nodiscard]] std::uint8_t* append_envelope_around(std::string& frame, const EnvelopeHeader& header,
                                                   std::size_t payload_size);
[[nodiscard]] std::uint8_t* append_repeat_around(std::string& frame, std::size_t payload_size);

template <class WritePayload>
void fill_in(std::string& frame, std::size_t size_before, std::uint8_t* payload,
             WritePayload&& write_payload) {
  try {
    std::forward<WritePayload>(write_payload)(payload);
  } catch (...) {
    frame.resize(size_before);
    throw;
  }
}
}  // namespace detail

template <class WritePayload>
  requires requires(WritePayload write, std::uint8_t* out) { write(out); }
void append_envelope(std::string& frame, const EnvelopeHeader& header, std::size_t payload_size,
                     WritePayload&& write_payload) {
  const std::size_t size_before = frame.size();
  std::uint8_t* const payload = detail::append_envelope_around(frame, header, payload_size);
  detail::fill_in(frame, size_before, payload, std::forward<WritePayload>(write_payload));
}

template <class WritePayload>
void append_repeat(std::string& frame, std::size_t payload_size, WritePayload&& write_payload) {
  const std::size_t size_before = frame.size();
  std::uint8_t* const payload = detail::append_repeat_around(frame, payload_size);
  detail::fill_in(frame, size_before, payload, std::forward<WritePayload>(write_payload));
}

template <class Each>
Result<FrameHeader> read_frame(std::string_view frame, Each&& each) {
  FrameReader reader(frame);
  EnvelopeView envelope;
  while (reader.next(envelope)) each(std::as_const(envelope));
  return reader.finish();
}

}  // namespace cobus
