// SPDX-License-Identifier: Apache-2.0
//
// Worker: one little black box: a coroutine with a mailbox. This is its control block; authors see
// it through Self. Made and ended by the Home of its shard and used on that shard only. Control block and
// coroutine frame share one allocation, once the size of the frames of its kind is known.
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <source_location>

#include "node/runtime/shard.hpp"
#include "node/runtime/task.hpp"
#include "node/worker/bonds.hpp"
#include "node/worker/envelope.hpp"
#include "node/worker/mailbox.hpp"

namespace cobus {

class Home;

// A call handler's side of a call: what CREDIT, CANCEL and the items of the caller act on.
class HandledCall {
 public:
  // Ignored when it is not the caller of this call who says so.
  virtual void credited(const Address& from, std::uint64_t call, std::uint32_t more) noexcept = 0;
  // ITEM or END of the items that a caller streams; a dead letter when it is not of this call.
  virtual void streamed(EnvelopePtr envelope) noexcept = 0;
  // An item that it sent could not leave this node.
  virtual void not_sent(std::uint64_t call, const Status& reason) noexcept = 0;
  // It goes on until the consumer leaves, so a stop does not wait for it.
  [[nodiscard]] virtual bool streaming() const noexcept = 0;

 protected:
  ~HandledCall() = default;
};

class Worker final : public Strand {
 public:
  using Wants = bool (*)(const Envelope&) noexcept;

  // With room for a frame of `frame_bytes` behind it. Throws std::bad_alloc.
  [[nodiscard]] static Worker* make(Home& home, WorkerId id, const char* kind, std::uint32_t frame_bytes);
  // Destroys its coroutine, wherever it is suspended.
  void destroy_body() noexcept;
  // The same if that was not done yet, and frees it.
  void destroy() noexcept;
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  [[nodiscard]] Home& home() const noexcept;
  [[nodiscard]] void* room_for_frame(std::size_t bytes) noexcept;
  // Made on first use.
  [[nodiscard]] Bonds& bonded() {
    if (bonds == nullptr) bonds = std::make_unique<Bonds>();
    return *bonds;
  }

  // The await that its innermost task stands at; line 0 before its first.
  [[nodiscard]] std::source_location where() const noexcept;
  // Somebody waits for it, or there is room in the mailbox.
  [[nodiscard]] bool takes(Envelope& envelope) const noexcept {
    return (wants != nullptr && wants(envelope)) || mailbox.has_room_for(envelope);
  }
  // The first message that `its_wants` accepts, out of the mailbox.
  [[nodiscard]] EnvelopePtr take(Wants its_wants) noexcept {
    EnvelopePtr taken = mailbox.take_first(its_wants);
    if (senders_wait && taken != nullptr) [[unlikely]]
      let_senders_in();
    return taken;
  }
  // The receive() that waits gets `envelope`.
  void hand_over(EnvelopePtr envelope) noexcept {
    wants = nullptr;
    handed = std::move(envelope);
    on_stop.unlink();
    shard->ready(wakeup);
  }
  // The receive() that waits ends with nothing: time or stop.
  void wake_empty() noexcept {
    if (wants == nullptr) return;
    wants = nullptr;
    on_stop.unlink();
    shard->ready(wakeup);
  }

  Mailbox mailbox;
  Wants wants = nullptr;  // of the receive() that waits, if any
  EnvelopePtr handed;     // what it was given
  Task<>::Handle body;
  Wakeup wakeup;                   // starts it, and wakes its receive()
  HandledCall* handled = nullptr;  // set while it handles a call
  std::unique_ptr<Bonds> bonds;    // null: it has none
  bool handles_call = false;       // and is registered under it
  bool senders_wait = false;       // for room in the mailbox
  std::uint64_t received = 0;      // messages and requests that reached it
  struct OnStop : StopCallback {
    explicit OnStop(Worker& of) noexcept
        : StopCallback([](StopCallback& stop) { static_cast<OnStop&>(stop).worker.wake_empty(); }),
          worker(of) {}
    Worker& worker;
  } on_stop{*this};

 private:
  void let_senders_in() noexcept;
  Worker(WorkerId its_id, Shard& its_shard, const char* its_kind, std::uint32_t frame_bytes) noexcept;
  ~Worker();

  const std::uint32_t frame_bytes_;
  bool frame_inside_ = false;
};

}  // namespace cobus
