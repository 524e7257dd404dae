// SPDX-License-Identifier: Apache-2.0
#include "node/observe/tap.hpp"

#include <algorithm>

#include "node/observe/tap_filter.hpp"
#include "proto/limits.hpp"
#include "proto/utf8.hpp"

namespace cobus {
namespace {

constexpr std::uint32_t rate_default = 100;  // records a second
constexpr std::size_t queue_max = 1000;
constexpr std::size_t queue_bytes_max = std::size_t{4} * 1024 * 1024;
constexpr std::size_t batch_bytes_max = std::size_t{256} * 1024;
// A larger one is left out: in part it could not be decoded, and what is secret in it not be hidden.
constexpr std::size_t body_bytes_max = std::size_t{64} * 1024;
constexpr std::size_t open_requests_max = 10'000;
// A name or text of the traffic is cut to this: the envelope may carry as much as it likes.
constexpr std::size_t text_bytes_max = 2 * limits::name_bytes_max + 1;
static_assert(batch_bytes_max + 2 * body_bytes_max < limits::payload_bytes_max);

std::string shown(std::string_view text) { return utf8_repaired(text.substr(0, text_bytes_max)); }

constexpr Duration open_for = std::chrono::minutes(10);  // then it makes room for newer ones

bool is_answer(v1::Kind kind) { return kind == v1::REPLY || kind == v1::END || kind == v1::ERROR; }

}  // namespace

Tap::Tap(Node& node, NameOf name_of, TypeName type_name)
    : node_(node), name_of_(std::move(name_of)), type_name_(std::move(type_name)) {}

Tap::~Tap() { node_.use_observer(nullptr); }

Tap::Watcher::Watcher(Tap& tap, v1::TapRequest request)
    : tap_(tap), request_(std::move(request)), shard_(Shard::current()->index()) {
  const std::scoped_lock lock(tap_.mutex_);
  tap_.watchers_.push_back(this);
  tap_.node_.use_observer(&tap_);
}

Tap::Watcher::~Watcher() {
  const std::scoped_lock lock(tap_.mutex_);
  std::erase(tap_.watchers_, this);
  if (!tap_.watchers_.empty()) return;
  tap_.node_.use_observer(nullptr);
  tap_.requests_.clear();
}

Task<std::optional<v1::TapBatch>> Tap::Watcher::next() {
  const std::shared_ptr<Mail> mail = mail_;
  for (;;) {
    v1::TapBatch batch;
    {
      const std::scoped_lock lock(tap_.mutex_);
      for (std::size_t bytes = 0; !records_.empty() && bytes < batch_bytes_max; records_.pop_front()) {
        const std::size_t size = records_.front().ByteSizeLong();
        bytes += size;
        queued_bytes_ -= size;
        *batch.add_records() = std::move(records_.front());
      }
      batch.set_dropped(std::exchange(dropped_, 0));
    }
    if (batch.records_size() > 0 || batch.dropped() > 0) co_return batch;
    if ((co_await mail->came.wait()).code() == Code::cancelled) co_return std::nullopt;
  }
}

std::string Tap::place(const Address& address) const {
  std::string text = name_of_(address.node);
  if (address.worker) text += '/' + to_string(address.worker);
  return text;
}

v1::TapRecord Tap::describe(const Sighting& sighting) {
  v1::TapRecord record;
  record.set_time_us(node_.clock().unix_us());
  record.set_kind(sighting.kind);
  record.set_from(place(sighting.from));
  record.set_to(place(sighting.to));
  record.set_size(sighting.size);
  record.set_call(sighting.call);
  record.set_at(node_.name());
  if (sighting.type != TypeId::none) record.set_type(type_name_(sighting.type));
  record.set_code(static_cast<std::int32_t>(sighting.status->code()));
  record.set_message(shown(sighting.status->message()));
  if ((sighting.trace.high | sighting.trace.low) != 0) {
    record.mutable_trace()->set_trace_high(sighting.trace.high);
    record.mutable_trace()->set_trace_low(sighting.trace.low);
    record.mutable_trace()->set_span(sighting.trace.span);
  }
  const TimePoint now = node_.clock().now();
  if (sighting.kind == v1::REQUEST) {
    record.set_method(shown(sighting.to_name));
    note(sighting, now);
    return record;
  }
  // The answers, and what the caller sends about a call, belong to its request.
  const bool by_caller = sighting.kind == v1::CANCEL || sighting.kind == v1::CREDIT;
  const auto request = requests_.find(Key{by_caller ? sighting.from : sighting.to, sighting.call});
  if (request == requests_.end()) return record;
  record.set_method(request->second.method);
  record.set_latency_us(static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(now - request->second.seen).count()));
  if (is_answer(sighting.kind)) requests_.erase(request);
  return record;
}

void Tap::note(const Sighting& request, TimePoint now) {
  if (requests_.size() >= open_requests_max) {
    // Some never get an answer that passes here: those whose caller gave up, or whose node was lost.
    std::erase_if(requests_, [now](const auto& open) { return now - open.second.seen > open_for; });
    if (requests_.size() >= open_requests_max) requests_.clear();
  }
  requests_.insert_or_assign(Key{request.from, request.call}, Request{shown(request.to_name), now});
}

void Tap::offer(Watcher& watcher, const v1::TapRecord& record, const Sighting& sighting) {
  const std::uint32_t rate = watcher.request_.rate_max() == 0 ? rate_default : watcher.request_.rate_max();
  const TimePoint now = node_.clock().now();
  if (now - watcher.second_ >= std::chrono::seconds(1)) {
    watcher.second_ = now;
    watcher.in_second_ = 0;
  }
  const bool first = watcher.records_.empty() && watcher.dropped_ == 0;
  if (watcher.in_second_ >= rate || watcher.records_.size() >= queue_max ||
      watcher.queued_bytes_ >= queue_bytes_max) {
    ++watcher.dropped_;
  } else {
    ++watcher.in_second_;
    v1::TapRecord& kept = watcher.records_.emplace_back(record);
    if (watcher.request_.body() && sighting.size <= body_bytes_max) kept.set_body(sighting.body());
    watcher.queued_bytes_ += kept.ByteSizeLong();
  }
  if (first) node_.run_on(watcher.shard_, [mail = watcher.mail_](Home&) { mail->came.notify(); });
}

void Tap::saw(const Sighting& sighting) noexcept {
  const std::scoped_lock lock(mutex_);
  if (watchers_.empty()) return;
  if (sighting.shown_elsewhere) return note(sighting, node_.clock().now());
  const v1::TapRecord record = describe(sighting);
  for (Watcher* watcher : watchers_) {
    if (wanted(watcher->request_, record)) offer(*watcher, record, sighting);
  }
}

}  // namespace cobus
