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
#include <string_view>

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
  // For whoever looks inside. What is viewed lives as long as the call.
  struct Shown {
    std::string_view method;
    Address caller;
    std::string_view caller_name;
    TimePoint deadline = never;
  };
  [[nodiscard]] virtual Shown shown() const noexcept { return {}; }
  // Ignored when it is not the caller of this call who says so.
  virtual void credited(const Address& from, std::uint64_t call, std::uint32_t more) noexcept = 0;
  // ITEM or END of the items that a caller streams; a dead letter when it is not of this call.
  virtual void streamed(EnvelopePtr envelope) noexcept = 0;
  // An item that it sent could not leave this node.
  virtual void not_sent(std::uint64_t call, const Status& reason) noexcept = 0;
  // It goes on until the consumer leaves, so a stop does not wait for it.
  [[nodiscard]] virtual bool streaming() const noexcept = 0;
  // When its caller gives up; whatever the handler asks of others need not take longer.
  [[nodiscard]] virtual TimePoint caller_gives_up() const noexcept = 0;

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

  [[nodiscard]] inline Home& home() const noexcept;  // home.hpp
  [[nodiscard]] void* room_for_frame(std::size_t bytes) noexcept;
  // Made on first use.
  [[nodiscard]] Bonds& bonded() {
    if (bonds == nullptr) bonds = std::make_unique<Bonds>();
    return *bonds;
  }

  // The bytes of its control block and, where that is known, of its first frame.
  [[nodiscard]] std::size_t own_bytes() const noexcept;
  // The await that its innermost task stands at; line 0 before its first.
  [[nodiscard]] std::source_location where() const noexcept;
  [[nodiscard]] bool waits_for(const Envelope& envelope) const noexcept {
    return wants != nullptr && wants(envelope);
  }
  // The first message that `its_wants` accepts, out of the mailbox.
  [[nodiscard]] EnvelopePtr take(Wants its_wants) noexcept {
    if (owes_answers) [[unlikely]]
      answer_abandoned();
    EnvelopePtr taken = mailbox.take_first(its_wants);
    if (senders_wait || (taken != nullptr && taken->kind == v1::REQUEST)) [[unlikely]]
      return taken_with_care(std::move(taken), its_wants);
    return taken;
  }
  // A request that it received was destroyed without an answer.
  void unanswered(EnvelopePtr request) noexcept;
  // A message that it received is not what it says it is: a dead letter.
  void malformed(const Envelope& message) noexcept;
  // The receive() that waits gets `envelope`.
  [[gnu::always_inline]] void hand_over(EnvelopePtr envelope) noexcept {
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

  // First, in the bytes behind the stop flag of the strand:
  bool handles_call : 1 = false;  // it is registered under the call that it handles
  bool senders_wait : 1 = false;  // for room in the mailbox
  bool ending : 1 = false;        // with bonds->end_reason, whatever it returns with
  bool owes_answers : 1 = false;  // to requests that an exception took along
  bool stops_last : 1 = false;    // it knows when its node drains: what it does may end first

 private:
  bool frame_inside_ = false;
  const std::uint32_t frame_bytes_;

 public:
  Mailbox mailbox;
  Wants wants = nullptr;  // of the receive() that waits, if any
  EnvelopePtr handed;     // what it was given
  Task<>::Handle body;
  Wakeup wakeup;                   // starts it, and wakes its receive()
  HandledCall* handled = nullptr;  // set while it handles a call
  std::unique_ptr<Bonds> bonds;    // null: it has none
  std::uint64_t received = 0;      // messages and requests that reached it
  WorkerId parent;                 // who spawned it, at this node; none: another node or nobody
  struct OnStop : StopCallback {
    explicit OnStop(Worker& of) noexcept
        : StopCallback([](StopCallback& stop) { static_cast<OnStop&>(stop).worker.wake_empty(); }),
          worker(of) {}
    Worker& worker;
  } on_stop{*this};

 private:
  // Lets senders in, and passes over requests whose callers have given up.
  [[nodiscard]] EnvelopePtr taken_with_care(EnvelopePtr taken, Wants its_wants) noexcept;
  void answer_abandoned() noexcept;
  Worker(WorkerId its_id, Shard& its_shard, const char* its_kind, std::uint32_t frame_bytes) noexcept;
  ~Worker();
};

}  // namespace cobus
