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

void Mailbox::put_back(EnvelopePtr envelope) noexcept {
  static_cast<void>(envelope->weigh());
  Envelope* const added = envelope.release();
  Envelope* before = nullptr;
  Envelope* at = first_;
  for (; at != nullptr && static_cast<std::int32_t>(at->arrival - added->arrival) < 0;
       at = at->next_in_mailbox_)
    before = at;
  added->next_in_mailbox_ = at;
  (before == nullptr ? first_ : before->next_in_mailbox_) = added;
  if (at == nullptr) last_ = added;
  ++count_;
  bytes_ += cost(*added);
}

}  // namespace cobus
