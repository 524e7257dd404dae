// SPDX-License-Identifier: Apache-2.0
#include "node/worker/envelope.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "node/link/frame_in.hpp"
#include "node/worker/home.hpp"

namespace cobus {

using std::chrono::duration_cast;
using std::chrono::microseconds;

namespace {

// What the pool keeps blocks for.
constexpr std::size_t behind_most = 1024;
constexpr std::size_t shared_min = 4096;
static_assert(shared_min > link::FrameIn::share_min);

}  // namespace

EnvelopeExtra& Envelope::extra() {
  if (extra_ == nullptr) extra_ = std::make_unique<EnvelopeExtra>();
  return *extra_;
}

const EnvelopeExtra& Envelope::extra() const noexcept {
  static const EnvelopeExtra none;
  return extra_ != nullptr ? *extra_ : none;
}

std::uint64_t Envelope::extra_bytes() const noexcept {
  return has_extra() ? sizeof(EnvelopeExtra) + extra_->to_name.size() + extra_->status.message().size() : 0;
}

void SignalEnvelope::charge(PeerAccount& account) noexcept {
  charge_.begin(account, sizeof(SignalEnvelope) + extra_bytes());
}

void Envelope::deliver(Shard& shard) noexcept { Home::of(shard).receive_posted(EnvelopePtr(this)); }

// Behind the envelope.
EncodedEnvelope::EncodedEnvelope(TypeId of, std::string_view payload, Behind behind) noexcept
    : bytes_(reinterpret_cast<const char*>(this + 1), payload.size()),
      memory_(payload.size()),
      behind_(static_cast<std::uint32_t>(behind.bytes)) {
  type = of;
  held_bytes_ = behind_;
  if (!payload.empty()) std::memcpy(static_cast<void*>(this + 1), payload.data(), payload.size());
}

std::unique_ptr<EncodedEnvelope> EncodedEnvelope::copy_of(TypeId type, std::string_view payload) {
  if (payload.size() > behind_most) return std::make_unique<EncodedEnvelope>(type, std::string(payload));
  const EncodedEnvelope::Behind behind{payload.size()};
  return std::unique_ptr<EncodedEnvelope>(new (behind) EncodedEnvelope(type, payload, behind));
}

void EncodedEnvelope::write_payload(std::uint8_t* into) const {
  if (!bytes_.empty()) std::memcpy(into, bytes_.data(), bytes_.size());
}

void EncodedEnvelope::charge(PeerAccount& account) noexcept {
  charge_.begin(account, sizeof(EncodedEnvelope) + memory_ + extra_bytes());
}

void EncodedEnvelope::charge_extra() noexcept {
  charge_.more(sizeof(EnvelopeExtra) + extra().status.message().size());
}

void EncodedEnvelope::drop_payload() noexcept {
  charge_.less(memory_);
  bytes_ = {};
  kept_.reset();
  held_bytes_ = 0;
}

namespace {

// What a frame has room for of a status that is too long.
Status shortened(const Status& status) {
  std::string text = status.message().substr(0, limits::status_bytes_max / 2);
  while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xc0) == 0x80) text.pop_back();
  if (!text.empty() && static_cast<unsigned char>(text.back()) >= 0xc0) text.pop_back();
  return {status.code(), text + " ... (" + std::to_string(status.message().size()) + " bytes)"};
}

}  // namespace

EnvelopeHeader wire_header(const Envelope& envelope, TimePoint now, std::string& status) {
  EnvelopeHeader header;
  header.to = envelope.to.value;
  header.from = envelope.from.worker.value;
  header.kind = envelope.kind;
  header.type = static_cast<std::uint64_t>(envelope.type);
  header.call = envelope.call;
  if (envelope.deadline != never) {
    // At least 1: 0 would mean no deadline.
    header.time_left_us = static_cast<std::uint64_t>(
        std::max<std::int64_t>(duration_cast<microseconds>(envelope.deadline - now).count(), 1));
  }
  header.flags = envelope.flags;
  const EnvelopeExtra& extra = envelope.extra();
  header.to_name = extra.to_name;
  header.credit = extra.credit;
  header.trace_high = extra.trace.high;
  header.trace_low = extra.trace.low;
  header.trace_span = extra.trace.span;
  header.trace_flags = extra.trace.flags;
  if (!extra.status.ok()) {
    status = encode_status(extra.status);
    if (status.size() > limits::status_bytes_max) status = encode_status(shortened(extra.status));
    header.status = status;
  }
  return header;
}

LargeBytes write_whole(const Envelope& envelope, std::size_t size, TimePoint now) {
  std::string status;
  const EnvelopeHeader header = wire_header(envelope, now, status);
  LargeBytes bytes;
  envelope.write_payload(write_envelope_around(bytes.make(envelope_size(header, size)), header, size));
  return bytes;
}

std::unique_ptr<Envelope> WrittenEnvelope::of(const Envelope& message) {
  if (!message.to) return nullptr;
  const std::size_t size = message.payload_size();
  if (size <= limits::payload_bytes_max || size > limits::message_bytes_max) return nullptr;
  return std::make_unique<WrittenEnvelope>(message, size);
}

WrittenEnvelope::WrittenEnvelope(const Envelope& message, std::size_t size)
    : bytes_(write_whole(message, size, never)), type_name_(message.type_name()) {
  kind = message.kind;
  flags = message.flags;
  from = message.from;
  to = message.to;
  type = message.type;
  static_cast<void>(read_frame(bytes_.view(), [this](const EnvelopeView& view) { payload_ = view.payload; }));
}

void WrittenEnvelope::write_payload(std::uint8_t* into) const {
  std::memcpy(into, payload_.data(), payload_.size());
}

LargeBytes WrittenEnvelope::take_written() noexcept {
  payload_ = {};
  return std::move(bytes_);
}

EnvelopePtr from_wire(const EnvelopeView& view, NodeId from_node, TimePoint now, const link::FrameIn* frame) {
  const EnvelopeHeader& header = view.header;
  EnvelopePtr envelope;
  if (header.type == 0 && view.payload.empty() && !is_charged(header.kind)) {
    envelope = std::make_unique<SignalEnvelope>();
  } else {
    // Little of the frame is kept in vain with it: at most half.
    const bool worth_it = frame != nullptr && view.payload.size() >= shared_min &&
                          2 * view.payload.size() >= frame->bytes().size();
    if (worth_it) {
      envelope = std::make_unique<EncodedEnvelope>(TypeId{header.type}, view.payload, frame->share(),
                                                   frame->bytes().size());
    } else {
      envelope = EncodedEnvelope::copy_of(TypeId{header.type}, view.payload);
    }
  }
  envelope->kind = header.kind;
  envelope->flags = header.flags;
  envelope->from = Address{from_node, WorkerId{header.from}};
  envelope->to = WorkerId{header.to};
  envelope->call = header.call;
  if (header.time_left_us != 0) {
    constexpr std::uint64_t year_us = 31'557'600'000'000;
    envelope->deadline =
        now + microseconds(static_cast<std::int64_t>(std::min(header.time_left_us, year_us)));
  }
  if (!header.to_name.empty()) envelope->extra().to_name = header.to_name;
  if (!header.status.empty() && !is_charged(header.kind))
    envelope->extra().status = decode_status(header.status);
  if (header.credit != 0) envelope->extra().credit = header.credit;
  if ((header.trace_high | header.trace_low) != 0) {
    envelope->extra().trace =
        TraceContext{header.trace_high, header.trace_low, header.trace_span, header.trace_flags};
  }
  return envelope;
}

}  // namespace cobus
