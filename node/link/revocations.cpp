// SPDX-License-Identifier: Apache-2.0
#include "node/link/revocations.hpp"

#include <cobus/v1/directory.pb.h>

#include <utility>

#include "node/link/identity.hpp"

namespace cobus::link {

Revocations::Revocations(const ClusterKey& cluster, std::filesystem::path file)
    : cluster_(cluster), broker_(broker_curve_key(cluster)), file_(std::move(file)) {}

Status Revocations::load(std::int64_t now_s) {
  const auto bytes = read_private_file(file_, revocations_file_bytes_max);
  if (!bytes && bytes.error().code() == Code::not_found) return {};
  if (!bytes) return bytes.error();
  v1::ShareRequest list;
  if (!list.ParseFromString(*bytes)) {
    return {Code::failed_precondition,
            file_.string() + " is damaged: move it away and start again; the brokers tell what stood in it"};
  }
  static_cast<void>(merge(list.revoked(), now_s));
  const std::scoped_lock lock(mutex_);
  changed_ = false;
  return {};
}

std::vector<Revoked> Revocations::merge(const google::protobuf::RepeatedPtrField<v1::Revocation>& said,
                                        std::int64_t now_s) {
  std::vector<Revoked> news;
  const std::scoped_lock lock(mutex_);
  drop_expired(now_s);
  for (const v1::Revocation& proof : said) {
    auto body = check_revocation(proof, cluster_);
    if (!body || body->until() <= now_s) continue;
    const CurveKey key = curve_key_of(body->curve_key());
    const auto known = entries_.find(key);
    if (key == broker_ || (known != entries_.end() && known->second.body.until() >= body->until())) continue;
    Revoked revoked{key, std::move(*body), proof};
    entries_.insert_or_assign(key, revoked);
    news.push_back(std::move(revoked));
  }
  changed_ = changed_ || !news.empty();
  return news;
}

void Revocations::drop_expired(std::int64_t now_s) {
  std::erase_if(entries_, [now_s](const auto& each) { return each.second.body.until() <= now_s; });
}

Status Revocations::save() {
  if (file_.empty()) return {};
  const std::scoped_lock writing(file_mutex_);
  v1::ShareRequest list;
  {
    const std::scoped_lock lock(mutex_);
    if (!std::exchange(changed_, false)) return {};
    for (const auto& [key, revoked] : entries_) *list.add_revoked() = revoked.proof;
  }
  Status written = write_private_file(file_, list.SerializeAsString());
  if (written.ok()) return written;
  const std::scoped_lock lock(mutex_);
  changed_ = true;
  return written;
}

bool Revocations::written() const {
  if (file_.empty()) return true;
  const std::scoped_lock lock(mutex_);
  return !changed_;
}

bool Revocations::empty() const {
  const std::scoped_lock lock(mutex_);
  return entries_.empty();
}

std::vector<Revoked> Revocations::all(std::int64_t now_s) const {
  std::vector<Revoked> all;
  const std::scoped_lock lock(mutex_);
  for (const auto& [key, revoked] : entries_) {
    if (revoked.body.until() > now_s) all.push_back(revoked);
  }
  return all;
}

std::optional<Revoked> Revocations::find(const CurveKey& key, std::int64_t now_s) const {
  const std::scoped_lock lock(mutex_);
  const auto found = entries_.find(key);
  if (found == entries_.end() || found->second.body.until() <= now_s) return std::nullopt;
  return found->second;
}

}  // namespace cobus::link
