// SPDX-License-Identifier: Apache-2.0
#include "node/cluster/certificate_renewal.hpp"

#include <cobus/v1/admin.cobus.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>

namespace cobus {
namespace {

constexpr Duration again_after = std::chrono::seconds(1);
constexpr Duration renewal_again_max = std::chrono::hours(1);

// Whether it is worth showing: the links use no other (a broker may issue shorter ones than it did).
bool later_than(const v1::Certificate& one, const std::optional<v1::Certificate>& other) {
  v1::CertificateBody offered;
  v1::CertificateBody own;
  if (!other || !own.ParseFromString(other->body())) return true;
  return offered.ParseFromString(one.body()) && offered.not_after() > own.not_after();
}

}  // namespace

// Reports the end of run(), whatever ended it.
class CertificateRenewal::Running {
 public:
  explicit Running(std::shared_ptr<Trouble> trouble) : trouble_(std::move(trouble)) { trouble_->report({}); }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  ~Running() { trouble_->report("the worker that renews it has ended"); }

 private:
  const std::shared_ptr<Trouble> trouble_;
};

std::string CertificateRenewal::trouble() const {
  const std::scoped_lock lock(trouble_->mutex);
  return trouble_->text;
}

Task<> CertificateRenewal::run(Self self, CertificateRenewal* renewal) {
  const Running running(renewal->trouble_);
  while (!self.stop_requested()) {
    const Duration wait = co_await renewal->step(self);
    if (!(co_await sleep(wait)).ok()) co_return;
  }
}

Task<Duration> CertificateRenewal::step(Self self) {
  const auto own = node_.links().certificate();
  v1::CertificateBody body;
  if (!own || !body.ParseFromString(own->body())) {
    report("this node has no certificate that it can read");
    co_return again_after;
  }
  const std::int64_t life_s = body.not_after() - body.not_before();
  const std::int64_t left_s = body.not_after() - life_s / 3 - unix_s();
  if (left_s > 0) {
    report({});
    // The wall clock may jump, so it is looked at now and then. Spread, so that nodes that joined together
    // do not renew together.
    const Duration wait =
        std::min<Duration>(renewal_again_max, std::chrono::seconds(std::min<std::int64_t>(left_s, 3600)));
    co_return wait + node_.random().jitter(std::min<Duration>(
                         wait, std::chrono::seconds(std::min<std::int64_t>(life_s / 20, 3600))));
  }
  if (co_await renew_once(self)) co_return again_after;  // until the link shows it
  spdlog::warn("the certificate expires in {} s, and no broker has renewed it yet",
               body.not_after() - unix_s());
  co_return std::chrono::seconds(std::clamp<std::int64_t>(life_s / 100, 1, 3600));
}

Task<bool> CertificateRenewal::renew_once(Self self) {
  std::string failed = "no broker is connected";
  for (const NodeId broker : brokers_()) {
    CallOptions options;
    options.timeout = std::chrono::seconds(5);
    options.flags = v1::HIDDEN;
    v1::CertificatesStub certificates(self, broker);
    auto reply = co_await certificates.Renew({}, std::move(options));
    if (reply && later_than(reply->certificate(), node_.links().certificate())) {
      node_.links().use_certificate(std::move(*reply->mutable_certificate()));
      report({});
      co_return true;
    }
    const std::string why = reply ? "the one that it gives ends no later" : reply.error().to_string();
    failed = "a broker does not renew it: " + why;
    spdlog::warn("a broker does not renew the certificate: {}", why);
  }
  report(std::move(failed));
  co_return false;
}

}  // namespace cobus
