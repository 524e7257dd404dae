// SPDX-License-Identifier: Apache-2.0
#include "node/job/ulid.hpp"

namespace cobus::job {
namespace {

constexpr std::string_view alphabet = "0123456789abcdefghjkmnpqrstvwxyz";
constexpr std::size_t time_length = 10;
constexpr std::uint64_t milliseconds_mask = (std::uint64_t{1} << 48) - 1;

std::string encode(std::uint64_t milliseconds, std::uint16_t high, std::uint64_t low) {
  std::string text(ulid_length, '0');
  for (std::size_t i = time_length; i-- > 0; milliseconds >>= 5) text[i] = alphabet[milliseconds & 31];
  auto bits = (static_cast<unsigned __int128>(high) << 64) | low;
  for (std::size_t i = ulid_length; i-- > time_length; bits >>= 5) {
    text[i] = alphabet[static_cast<std::size_t>(bits & 31)];
  }
  return text;
}

}  // namespace

std::string UlidSource::next() {
  const auto now = static_cast<std::uint64_t>(clock_.unix_us() / 1000) & milliseconds_mask;
  if (now > milliseconds_) {
    milliseconds_ = now;
    high_ = static_cast<std::uint16_t>(random_.next());
    low_ = random_.next();
    return encode(milliseconds_, high_, low_);
  }
  // The same millisecond: a random step keeps the order and lets a short prefix tell ids apart.
  const std::uint64_t step = random_.next() | 1;
  low_ += step;
  if (low_ < step && ++high_ == 0) ++milliseconds_;
  return encode(milliseconds_, high_, low_);
}

std::string ulid_prefix(std::string_view text) {
  std::string prefix(text);
  for (char& c : prefix) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return prefix;
}

}  // namespace cobus::job
