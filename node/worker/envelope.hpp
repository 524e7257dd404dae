// SPDX-License-Identifier: Apache-2.0
//
// Envelope: one message or signal inside a node. A typed one carries the message object itself and is
// moved, never encoded, between workers of one node; one from another node carries the bytes and is
// decoded by whoever takes it. One allocation each. Owned by exactly one place at a time: the sender,
// an inbox, a mailbox, the receiver.
#pragma once

#include <cobus/v1/envelope.pb.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "node/runtime/clock.hpp"
#include "node/runtime/pool.hpp"
#include "node/runtime/shard.hpp"
#include "node/worker/large_bytes.hpp"
#include "node/worker/peer_account.hpp"
#include "proto/address.hpp"
#include "proto/codec.hpp"
#include "proto/limits.hpp"
#include "proto/status.hpp"
#include "proto/type_id.hpp"

namespace cobus {

namespace link {
class FrameIn;
}

struct TraceContext {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  std::uint64_t span = 0;
  std::uint32_t flags = 0;
};

// Who sent a request, as its certificate says; for requests within a node the node itself. The role is
// proven; the name is what the broker admitted.
struct Caller {
  std::string name;
  v1::Role role = v1::NODE;
};

// What most envelopes do not have.
struct EnvelopeExtra {
  std::string to_name;
  Status status;
  std::uint32_t credit = 0;
  TraceContext trace;
  Caller caller;
};

class Envelope : public InboxItem {
 public:
  v1::Kind kind = v1::MESSAGE;
  std::uint32_t flags = 0;  // v1::EnvelopeFlag
  Address from;
  WorkerId to;
  TypeId type = TypeId::none;
  std::uint64_t call = 0;
  TimePoint deadline = never;
  std::uint32_t arrival = 0;  // at its worker, counted there
  bool of_runtime = false;    // no mailbox refuses or drops it
  bool crowds = false;        // much is held of the node that it came from, which is to send less

  Envelope() = default;
  Envelope(const Envelope&) = delete;
  Envelope& operator=(const Envelope&) = delete;

  // Made on first use; the constant view is all defaults when there is none.
  [[nodiscard]] EnvelopeExtra& extra();
  [[nodiscard]] const EnvelopeExtra& extra() const noexcept;
  [[nodiscard]] bool has_extra() const noexcept { return extra_ != nullptr; }

  // Bytes of the encoded payload, and the encoding itself into exactly that many bytes.
  [[nodiscard]] virtual std::size_t payload_size() const { return 0; }
  virtual void write_payload(std::uint8_t* /*into*/) const {}
  // The encoded payload when that is how it is held; else empty.
  [[nodiscard]] virtual std::string_view encoded() const noexcept { return {}; }
  // The full name of its type when it holds the object; else empty.
  [[nodiscard]] virtual std::string_view type_name() const noexcept { return {}; }
  // Its wire form, as in a frame, when that is how it is held, which it then gives away; else nothing.
  [[nodiscard]] virtual LargeBytes take_written() noexcept { return {}; }
  // Whether it is the TypedEnvelope of its type.
  [[nodiscard]] bool typed() const noexcept { return typed_; }
  // What its payload takes in a mailbox: counted when it is first queued, since one that is handed over at
  // once needs no count.
  [[nodiscard]] std::uint32_t weigh() noexcept {
    if (held_bytes_ == 0)
      held_bytes_ = static_cast<std::uint32_t>(std::min<std::size_t>(payload_size(), 0x7fffffff));
    return held_bytes_;
  }
  [[nodiscard]] std::uint32_t held_bytes() const noexcept { return held_bytes_; }
  // What it takes in the inbox of a shard.
  [[nodiscard]] std::uint64_t inbox_cost() noexcept {
    const std::uint64_t bytes = weigh();
    // A large one from another node is on the account of that; here it would keep all others out by itself.
    return sizeof(Envelope) + (typed() ? bytes : std::min<std::uint64_t>(bytes, limits::frame_bytes_max));
  }

  // Frees the payload; what it was is not known afterwards.
  virtual void drop_payload() noexcept {}
  // Of one that came from another node: what it takes is on the account of that, once, until it goes.
  virtual void charge(PeerAccount& /*account*/) noexcept {}
  [[nodiscard]] virtual PeerAccount* charged_to() const noexcept { return nullptr; }

  void deliver(Shard& shard) noexcept final;

 protected:
  // What extra() takes.
  [[nodiscard]] std::uint64_t extra_bytes() const noexcept;
  bool typed_ = false;
  std::uint32_t held_bytes_ = 0;

 private:
  friend class Mailbox;
  Envelope* next_in_mailbox_ = nullptr;
  std::unique_ptr<EnvelopeExtra> extra_;
};
using EnvelopePtr = std::unique_ptr<Envelope>;

// Whether it is of the items that a caller streams to its callee, in either direction.
[[nodiscard]] constexpr bool goes_upstream(v1::Kind kind, std::uint32_t flags) noexcept {
  return (flags & v1::UPSTREAM) != 0 &&
         (kind == v1::ITEM || kind == v1::END || kind == v1::CREDIT || kind == v1::CANCEL);
}
[[nodiscard]] inline bool goes_upstream(const Envelope& envelope) noexcept {
  return goes_upstream(envelope.kind, envelope.flags);
}

// Without a payload: cancel, credit, end, error.
class SignalEnvelope final : public Envelope {
 public:
  void charge(PeerAccount& account) noexcept override;
  [[nodiscard]] PeerAccount* charged_to() const noexcept override { return charge_.account(); }
  static void* operator new(std::size_t size) { return pool_allocate(size); }
  static void operator delete(void* block, std::size_t size) noexcept { pool_free(block, size); }

 private:
  Charge charge_;
};

// With the message object itself.
template <class Message>
class TypedEnvelope final : public Envelope {
 public:
  TypedEnvelope() {
    type = type_id_of<Message>();
    typed_ = true;
  }
  explicit TypedEnvelope(const Message& message) : TypedEnvelope() { body = message; }
  explicit TypedEnvelope(Message&& message) : body(std::move(message)) {
    type = type_id_of<Message>();
    typed_ = true;
  }
  [[nodiscard]] std::size_t payload_size() const override { return body.ByteSizeLong(); }
  [[nodiscard]] std::string_view type_name() const noexcept override {
    return Message::descriptor()->full_name();
  }
  // Called right after payload_size() on the same thread, whose cached sizes it uses.
  void write_payload(std::uint8_t* into) const override { body.SerializeWithCachedSizesToArray(into); }
  static void* operator new(std::size_t size) { return pool_allocate(size); }
  static void operator delete(void* block, std::size_t size) noexcept { pool_free(block, size); }
  Message body;
};

// With a message object that somebody else has, for as long as it takes to write it out. On the stack.
template <class Message>
class BorrowedEnvelope final : public Envelope {
 public:
  explicit BorrowedEnvelope(const Message& message) noexcept : body_(message) {
    type = type_id_of<Message>();
  }
  [[nodiscard]] std::size_t payload_size() const override { return body_.ByteSizeLong(); }
  [[nodiscard]] std::string_view type_name() const noexcept override {
    return Message::descriptor()->full_name();
  }
  void write_payload(std::uint8_t* into) const override { body_.SerializeWithCachedSizesToArray(into); }

 private:
  const Message& body_;
};

// With the wire form of a message to another node that is too large for a frame, while it waits for room: to
// copy the object, and write it out later, would take longer.
class WrittenEnvelope final : public Envelope {
 public:
  // Null when `message` is not of a size that goes in parts, or is for nobody.
  [[nodiscard]] static std::unique_ptr<Envelope> of(const Envelope& message);
  WrittenEnvelope(const Envelope& message, std::size_t size);
  [[nodiscard]] std::size_t payload_size() const override { return payload_.size(); }
  [[nodiscard]] std::string_view type_name() const noexcept override { return type_name_; }
  void write_payload(std::uint8_t* into) const override;
  [[nodiscard]] LargeBytes take_written() noexcept override;

 private:
  LargeBytes bytes_;
  std::string_view payload_;  // in them
  std::string_view type_name_;
};

// With the payload as bytes, as it came from another node or from a program that has no classes for it.
class EncodedEnvelope final : public Envelope {
 public:
  EncodedEnvelope(TypeId of, std::string payload)
      : EncodedEnvelope(of, std::make_shared<const std::string>(std::move(payload))) {}
  // With `payload` where it is, for as long as `kept` keeps it there, which takes `kept_bytes` of memory.
  EncodedEnvelope(TypeId of, std::string_view payload, std::shared_ptr<const void> kept,
                  std::size_t kept_bytes) noexcept
      : bytes_(payload), kept_(std::move(kept)), memory_(kept_bytes) {
    type = of;
    held_bytes_ = static_cast<std::uint32_t>(bytes_.size());
  }
  // With a copy of `payload`: a small one in the same allocation.
  [[nodiscard]] static std::unique_ptr<EncodedEnvelope> copy_of(TypeId type, std::string_view payload);
  struct Behind {
    std::size_t bytes;  // that the same allocation has room for
  };
  static void* operator new(std::size_t size) { return pool_allocate(size); }
  static void* operator new(std::size_t size, Behind behind) { return pool_allocate(size + behind.bytes); }
  static void operator delete(void* block, Behind behind) noexcept {
    pool_free(block, sizeof(EncodedEnvelope) + behind.bytes);
  }
  static void operator delete(EncodedEnvelope* envelope, std::destroying_delete_t /*tag*/) noexcept {
    const std::size_t size = sizeof(EncodedEnvelope) + envelope->behind_;
    envelope->~EncodedEnvelope();
    pool_free(envelope, size);
  }
  void charge(PeerAccount& account) noexcept override;
  [[nodiscard]] PeerAccount* charged_to() const noexcept override { return charge_.account(); }
  // Besides, what extra() has taken since.
  void charge_extra() noexcept;
  [[nodiscard]] std::size_t payload_size() const override { return bytes_.size(); }
  void write_payload(std::uint8_t* into) const override;
  [[nodiscard]] std::string_view encoded() const noexcept override { return bytes_; }
  void drop_payload() noexcept override;

 private:
  EncodedEnvelope(TypeId of, std::shared_ptr<const std::string> payload)
      : EncodedEnvelope(of, std::string_view(*payload), payload, payload->size()) {}
  EncodedEnvelope(TypeId of, std::string_view payload, Behind behind) noexcept;

  std::string_view bytes_;
  std::shared_ptr<const void> kept_;  // what they lie in, unless that is behind this object
  std::size_t memory_;                // that they take
  std::uint32_t behind_ = 0;          // so many lie there
  Charge charge_;
};

// The message in `envelope`, moved out or decoded. INVALID_ARGUMENT when it is of another type or its
// bytes are malformed; the envelope is then unchanged.
template <class Message>
[[nodiscard]] Result<Message> take(Envelope& envelope) {
  if (envelope.type != type_id_of<Message>()) {
    return fail(Code::invalid_argument,
                "expected a " + Message::descriptor()->full_name() + ", got another type");
  }
  if (envelope.typed()) return std::move(static_cast<TypedEnvelope<Message>&>(envelope).body);
  const std::string_view bytes = envelope.encoded();
  Message message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return fail(Code::invalid_argument, "the bytes are not a " + Message::descriptor()->full_name());
  }
  return message;
}

// Makes `envelope`, which is of this type, hold the object itself. INVALID_ARGUMENT when its bytes are
// malformed.
template <class Message>
[[nodiscard]] Status unpack(EnvelopePtr& envelope) {
  if (envelope->typed()) return {};
  auto typed = std::make_unique<TypedEnvelope<Message>>();
  const std::string_view bytes = envelope->encoded();
  if (!typed->body.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return {Code::invalid_argument, "the bytes are not a " + Message::descriptor()->full_name()};
  }
  typed->kind = envelope->kind;
  typed->flags = envelope->flags;
  typed->from = envelope->from;
  typed->to = envelope->to;
  typed->call = envelope->call;
  typed->deadline = envelope->deadline;
  envelope = std::move(typed);
  return {};
}

// The wire form of `envelope`'s header as it stands at `now`. The views point into it and `status`.
[[nodiscard]] EnvelopeHeader wire_header(const Envelope& envelope, TimePoint now, std::string& status);

// All of it as it then stands in a frame; `size` is what payload_size() has just said.
[[nodiscard]] LargeBytes write_whole(const Envelope& envelope, std::size_t size, TimePoint now);

// Whether what another node sends of this kind is refused when much of it is held: what its own workers
// decide how much of there is. Not so answers, which were asked for, and signals: they are on an account of
// their own.
[[nodiscard]] constexpr bool is_charged(v1::Kind kind) noexcept {
  return kind == v1::MESSAGE || kind == v1::REQUEST || kind == v1::ITEM;
}

// The opposite: an envelope with the payload copied, or, when it is most of a frame that is given and worth
// it, with a share of that. `from_node` sent it. An EncodedEnvelope if it is of a kind that is charged.
[[nodiscard]] EnvelopePtr from_wire(const EnvelopeView& view, NodeId from_node, TimePoint now,
                                    const link::FrameIn* frame = nullptr);

}  // namespace cobus
