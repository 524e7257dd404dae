// SPDX-License-Identifier: Apache-2.0
#include "node/worker/worker.hpp"

#include <algorithm>

#include "node/worker/home.hpp"

namespace cobus {

Mailbox::~Mailbox() {
  while (take_first(nullptr, 0) != nullptr) {
  }
}

bool Mailbox::push(EnvelopePtr& envelope) noexcept {
  const std::size_t bytes = cost(*envelope);
  if (count_ >= limits::mailbox_messages_max || bytes_ + bytes > limits::mailbox_bytes_max) return false;
  Envelope* const added = envelope.release();
  added->next_in_mailbox_ = nullptr;
  (last_ == nullptr ? first_ : last_->next_in_mailbox_) = added;
  last_ = added;
  ++count_;
  bytes_ += bytes;
  return true;
}

EnvelopePtr Mailbox::take_first(const TypeId* types, std::size_t count) noexcept {
  Envelope* before = nullptr;
  for (Envelope* at = first_; at != nullptr; before = at, at = at->next_in_mailbox_) {
    if (count != 0 && std::find(types, types + count, at->type) == types + count) continue;
    (before == nullptr ? first_ : before->next_in_mailbox_) = at->next_in_mailbox_;
    if (last_ == at) last_ = before;
    --count_;
    bytes_ -= cost(*at);
    return EnvelopePtr(at);
  }
  return nullptr;
}

Worker::Worker(Home& of, WorkerId its_id, const char* of_kind) noexcept : home(of), id(its_id) {
  shard = &of.shard();
  kind = of_kind;
}

Worker::~Worker() {
  if (body) body.destroy();
}

}  // namespace cobus
