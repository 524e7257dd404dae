// SPDX-License-Identifier: Apache-2.0
#include "node/link/access.hpp"

#include <algorithm>
#include <utility>

namespace cobus::link {
namespace {

constexpr std::size_t buckets_max = 4'096;
constexpr std::string_view digits = "0123456789abcdef";

}  // namespace

bool is_loopback(std::string_view address) noexcept {
  if (address.starts_with("::ffff:")) address.remove_prefix(7);
  return address.starts_with("127.") || address == "::1";
}

AccessDecision Access::decide(const AccessRequest& request) {
  if (!take_token(request.address)) {
    ++counts_.too_many;
    log_refusal(request, "too many new connections from this address");
    return {300, "too many connections, try again", {}};
  }
  CurveKey key;
  if (request.mechanism != "CURVE" || request.credential.size() != key.bytes.size()) {
    ++counts_.not_curve;
    log_refusal(request, "not a CURVE key");
    return {400, "only CURVE is spoken here", {}};
  }
  std::ranges::copy(request.credential, key.bytes.begin());
  std::string user_id = user_id_of(key);
  if (user_id == stranger_) return {400, "a stranger", {}};
  if (is_revoked(user_id)) {
    ++counts_.revoked;
    log_refusal(request, "its key is revoked");
    return {400, "this key is revoked", {}};
  }
  ++counts_.admitted;
  return {200, "OK", std::move(user_id)};
}

void Access::revoke(const CurveKey& key, std::int64_t until_s) {
  const std::int64_t now_s = clock_.unix_us() / 1'000'000;
  std::erase_if(revoked_, [now_s](const auto& each) { return each.second <= now_s; });
  std::int64_t& until = revoked_[user_id_of(key)];
  until = std::max(until, until_s);
}

bool Access::is_revoked(const std::string& user_id) const {
  const auto found = revoked_.find(user_id);
  return found != revoked_.end() && clock_.unix_us() / 1'000'000 < found->second;
}

bool Access::take_token(std::string_view address) {
  const bool loopback = is_loopback(address);
  const double per_second = loopback ? limits_.loopback_per_second : limits_.per_second;
  const double burst = loopback ? limits_.loopback_burst : limits_.burst;
  const TimePoint now = clock_.now();
  if (buckets_.size() >= buckets_max) forget_full_buckets(now);
  // When even that leaves no room, everybody new shares one bucket.
  const bool room = buckets_.size() < buckets_max;
  const std::string name(room || buckets_.contains(std::string(address)) ? address
                                                                         : std::string_view("others"));
  Bucket& bucket = buckets_.try_emplace(name, Bucket{burst, now}).first->second;
  const double elapsed_s = std::chrono::duration<double>(now - bucket.filled_at).count();
  bucket.tokens = std::min(burst, bucket.tokens + elapsed_s * per_second);
  bucket.filled_at = now;
  if (bucket.tokens < 1) return false;
  bucket.tokens -= 1;
  return true;
}

void Access::forget_full_buckets(TimePoint now) {
  // A bucket that is full by now says nothing that a new one would not.
  const double longest_s =
      std::max(limits_.burst / limits_.per_second, limits_.loopback_burst / limits_.loopback_per_second);
  std::erase_if(buckets_, [&](const auto& entry) {
    return std::chrono::duration<double>(now - entry.second.filled_at).count() >= longest_s;
  });
}

void Access::log_refusal(const AccessRequest& request, std::string_view reason) {
  std::optional<CurveKey> key;
  if (request.credential.size() == CurveKey().bytes.size()) key = curve_key_of(request.credential);
  log_.say("a connection from " + std::string(request.address), key, reason);
}

std::string Access::user_id_of(const CurveKey& key) {
  std::string text;
  text.reserve(2 * key.bytes.size());
  for (const std::uint8_t byte : key.bytes) {
    text.push_back(digits[byte >> 4]);
    text.push_back(digits[byte & 0xf]);
  }
  return text;
}

bool Access::key_of(std::string_view user_id, CurveKey& key) noexcept {
  if (user_id.size() != 2 * key.bytes.size()) return false;
  for (std::size_t i = 0; i < key.bytes.size(); ++i) {
    const std::size_t high = digits.find(user_id[2 * i]);
    const std::size_t low = digits.find(user_id[2 * i + 1]);
    if (high == std::string_view::npos || low == std::string_view::npos) return false;
    key.bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return true;
}

}  // namespace cobus::link
