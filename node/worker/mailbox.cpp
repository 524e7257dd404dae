// SPDX-License-Identifier: Apache-2.0
#include "node/worker/mailbox.hpp"

namespace cobus {

Mailbox::~Mailbox() {
  while (take_any() != nullptr) {
  }
}

void Mailbox::push(EnvelopePtr envelope) noexcept {
  Envelope* const added = envelope.release();
  added->next_in_mailbox_ = nullptr;
  (last_ == nullptr ? first_ : last_->next_in_mailbox_) = added;
  last_ = added;
  ++count_;
  bytes_ += cost(*added);
}

void Mailbox::push_front(EnvelopePtr envelope) noexcept {
  Envelope* const added = envelope.release();
  added->next_in_mailbox_ = first_;
  first_ = added;
  if (last_ == nullptr) last_ = added;
  ++count_;
  bytes_ += cost(*added);
}

}  // namespace cobus
