// SPDX-License-Identifier: Apache-2.0
//
// Worker: one little black box: a coroutine with a mailbox. This is its control block; authors see
// it through Self. Made and ended by the Home of its shard and used on that shard only.
#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>

#include "node/runtime/shard.hpp"
#include "node/runtime/task.hpp"
#include "node/worker/envelope.hpp"
#include "proto/limits.hpp"

namespace cobus {

class Home;

// Messages that wait for a worker, in order of arrival, bounded in count and bytes.
class Mailbox {
 public:
  Mailbox() noexcept = default;
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;
  ~Mailbox();

  // False, leaving `envelope` to the caller, when there is no room.
  [[nodiscard]] bool push(EnvelopePtr& envelope) noexcept;
  // Takes out the first envelope of one of `types`, or of any type when `count` is 0; null when none.
  [[nodiscard]] EnvelopePtr take_first(const TypeId* types, std::size_t count) noexcept;
  [[nodiscard]] std::size_t size() const noexcept { return count_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

 private:
  static std::size_t cost(const Envelope& envelope) noexcept {
    return sizeof(Envelope) + envelope.encoded().size();
  }

  Envelope* first_ = nullptr;
  Envelope* last_ = nullptr;
  std::uint32_t count_ = 0;
  std::size_t bytes_ = 0;
};

// A receive() that waits. Tells whether it wants an envelope; woken when one came.
class Receiver {
 public:
  virtual void arrived(Envelope& envelope) noexcept = 0;

 protected:
  ~Receiver() = default;
};

// A call handler's side of a call: what CREDIT and CANCEL from the caller act on.
class HandledCall {
 public:
  virtual void credited(std::uint32_t more) noexcept = 0;
  // It goes on until the consumer leaves, so a stop does not wait for it.
  [[nodiscard]] virtual bool streaming() const noexcept = 0;

 protected:
  ~HandledCall() = default;
};

class Worker final : public Strand, public ListHook {
 public:
  Worker(Home& of, WorkerId its_id, const char* of_kind) noexcept;
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  Home& home;
  const WorkerId id;
  Mailbox mailbox;
  Receiver* receiver = nullptr;    // the receive() that waits, if any
  HandledCall* handled = nullptr;  // set while it handles a call
  Task<>::Handle body;
  Wakeup start;

  static void* operator new(std::size_t size) { return pool_allocate(size); }
  static void operator delete(void* block, std::size_t size) noexcept { pool_free(block, size); }
};

}  // namespace cobus
