// SPDX-License-Identifier: Apache-2.0
#include "node/job/followers.hpp"

namespace cobus::job {

Followers::Follower::Follower(Followers& all, std::string id)
    : all_(all), id_(std::move(id)), shard_(Shard::current()->index()) {
  const std::scoped_lock lock(all_.mutex_);
  all_.followers_.emplace(id_, this);
}

Followers::Follower::~Follower() {
  const std::scoped_lock lock(all_.mutex_);
  const auto [first, last] = all_.followers_.equal_range(id_);
  for (auto at = first; at != last; ++at) {
    if (at->second != this) continue;
    all_.followers_.erase(at);
    return;
  }
}

Task<std::optional<v1::Job>> Followers::Follower::next() {
  const std::shared_ptr<Mail> mail = mail_;
  while (!mail->latest) {
    if ((co_await mail->changed.wait()).code() == Code::cancelled) co_return std::nullopt;
  }
  co_return std::exchange(mail->latest, std::nullopt);
}

void Followers::publish(const v1::Job& job) {
  const std::scoped_lock lock(mutex_);
  const auto [first, last] = followers_.equal_range(job.id());
  for (auto at = first; at != last; ++at) {
    node_.run_on(at->second->shard_, [mail = at->second->mail_, job](Home&) mutable {
      mail->latest = std::move(job);
      mail->changed.notify();
    });
  }
}

}  // namespace cobus::job
