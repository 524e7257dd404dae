// SPDX-License-Identifier: Apache-2.0
#include "node/worker/worker.hpp"

#include "node/worker/home.hpp"
#include "node/worker/node.hpp"

namespace cobus {
namespace {

constexpr std::size_t frame_offset = (sizeof(Worker) + __STDCPP_DEFAULT_NEW_ALIGNMENT__ - 1) /
                                     __STDCPP_DEFAULT_NEW_ALIGNMENT__ * __STDCPP_DEFAULT_NEW_ALIGNMENT__;

// An idle worker is its control block and a frame: a million of them are what this number says.
static_assert(sizeof(Worker) <= 224);

}  // namespace

Worker* Worker::make(Home& home, WorkerId id, const char* kind, std::uint32_t frame_bytes) {
  void* const block = pool_allocate(frame_offset + frame_bytes);
  return ::new (block) Worker(id, home.shard(), kind, frame_bytes);
}

Worker::Worker(WorkerId its_id, Shard& its_shard, const char* its_kind, std::uint32_t frame_bytes) noexcept
    : frame_bytes_(frame_bytes) {
  id = its_id;
  shard = &its_shard;
  kind = its_kind;
  wakeup.strand = this;
}

Worker::~Worker() { destroy_body(); }

void Worker::destroy_body() noexcept {
  if (!body) return;
  const Task<>::Handle ended = std::exchange(body, {});
  const void* const outer = frame_is_guest(frame_inside_ ? ended.address() : nullptr);
  ended.destroy();
  static_cast<void>(frame_is_guest(outer));
}

EnvelopePtr Worker::taken_with_care(EnvelopePtr taken, Wants its_wants) noexcept {
  while (taken != nullptr && taken->kind == v1::REQUEST && taken->deadline <= shard->now()) {
    home().refuse_expired(*taken);
    taken = mailbox.take_first(its_wants);
  }
  if (!senders_wait) return taken;
  // What it wants may be with a sender that waits for room, which nobody would make.
  if (taken == nullptr) return home().take_from_senders(*this, its_wants);
  home().let_senders_in(*this);
  return taken;
}

void Worker::unanswered(EnvelopePtr request) noexcept { home().unanswered(*this, std::move(request)); }
void Worker::malformed(const Envelope& message) noexcept {
  home().node().dead_letter(DeadLetter::malformed, message);
}
void Worker::answer_abandoned() noexcept { home().answer_abandoned(*this, nullptr); }

void Worker::destroy() noexcept {
  const std::size_t bytes = frame_offset + frame_bytes_;
  this->~Worker();
  pool_free(this, bytes);
}

std::source_location Worker::where() const noexcept {
  if (!body) return {};
  const detail::AwaitPoint* at = &body.promise();
  while (at->kind() != AwaitKind::branches && at->inner != nullptr) at = at->inner;
  return at->where;
}

std::size_t Worker::own_bytes() const noexcept {
  return sizeof(Worker) + (frame_inside_ ? frame_bytes_ : home().learned_frame_size(kind));
}

void* Worker::room_for_frame(std::size_t bytes) noexcept {
  if (bytes <= frame_bytes_) {
    frame_inside_ = true;
    return reinterpret_cast<std::byte*>(this) + frame_offset;
  }
  home().learn_frame_size(kind, bytes);
  return nullptr;
}

}  // namespace cobus
