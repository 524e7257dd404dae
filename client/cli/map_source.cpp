// SPDX-License-Identifier: Apache-2.0
#include "client/cli/map_source.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "node/runtime/offload.hpp"
#include "proto/limits.hpp"

namespace cobus::client {
namespace {

// JSON takes up to six bytes for one of the message.
constexpr std::size_t line_bytes_max = 6 * limits::payload_bytes_max;
constexpr std::size_t chunk_bytes = 64 * 1024;
constexpr int look_up_ms = 50;  // from waiting for a slow writer, to see whether it is still wanted

bool is_blank(const std::string& line) {
  return std::all_of(line.begin(), line.end(), [](char c) { return c == ' ' || c == '\t' || c == '\r'; });
}

bool is_blank_text(const std::string& text) { return text.find_first_not_of(" \t\r\n") == std::string::npos; }

}  // namespace

MapSource::MapSource(int descriptor, std::string name) : descriptor_(descriptor), name_(std::move(name)) {}
MapSource::MapSource(int descriptor, std::string name, Framing framing)
    : descriptor_(descriptor), name_(std::move(name)), framing_(framing) {}
MapSource::MapSource(std::vector<MapInput> inputs) : inputs_(std::move(inputs)) {}
MapSource::~MapSource() {
  if (descriptor_ > STDIN_FILENO) ::close(descriptor_);
}

std::optional<std::uint64_t> MapSource::count() const {
  if (descriptor_ < 0) return inputs_.size();
  struct stat facts{};
  if (::fstat(descriptor_, &facts) != 0 || !S_ISREG(facts.st_mode)) return std::nullopt;
  std::uint64_t lines = 0;
  bool blank = true;
  std::array<char, chunk_bytes> bytes;
  off_t at = ::lseek(descriptor_, 0, SEEK_CUR);
  for (ssize_t count = 0; (count = ::pread(descriptor_, bytes.data(), bytes.size(), at)) > 0; at += count) {
    for (const char c : std::string_view(bytes.data(), static_cast<std::size_t>(count))) {
      if (c == '\n') {
        lines += blank ? 0 : 1;
        blank = true;
      } else {
        blank = blank && (c == ' ' || c == '\t' || c == '\r');
      }
    }
  }
  return lines + (blank ? 0 : 1);
}

// On a thread of the pool.
MapSource::Chunk MapSource::read_chunk(int descriptor, const Shared& shared, OffloadStop stop) {
  Chunk chunk;
  while (!shared.cancelled && !stop.requested()) {
    pollfd waiting{descriptor, POLLIN, 0};
    const int some = ::poll(&waiting, 1, look_up_ms);
    if (some == 0 || (some < 0 && errno == EINTR)) continue;
    chunk.bytes.resize(chunk_bytes);
    const ssize_t count = ::read(descriptor, chunk.bytes.data(), chunk.bytes.size());
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    chunk.error = count < 0 ? errno : 0;
    chunk.end = count <= 0;
    chunk.bytes.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    return chunk;
  }
  chunk.end = true;
  return chunk;
}

std::optional<MapInput> MapSource::input_of(std::string line) {
  ++line_;
  if (line.ends_with('\r')) line.pop_back();
  if (is_blank(line)) return std::nullopt;
  return MapInput{++sequence_, false, std::move(line), {}, line_};
}

std::optional<MapInput> MapSource::take_line() {
  for (;;) {
    const std::size_t end = buffer_.find('\n', from_);
    if (end == std::string::npos) {
      buffer_.erase(0, std::exchange(from_, 0));
      if (buffer_.size() <= line_bytes_max) return std::nullopt;
      buffer_.clear();
      if (std::exchange(skipping_, true)) return std::nullopt;
      MapInput input{++sequence_, false, {}, {}, ++line_};
      input.unusable =
          Status(Code::invalid_argument, fmt::format("its line has more than {} bytes", line_bytes_max));
      return input;
    }
    std::string line = buffer_.substr(from_, end - from_);
    from_ = end + 1;
    if (std::exchange(skipping_, false)) continue;
    if (auto input = input_of(std::move(line))) return input;
  }
}

// It is named by the line that it begins on.
MapInput MapSource::value_of(std::string text) {
  const std::size_t begin = std::min(text.find_first_not_of(" \t\r\n"), text.size());
  const auto lines = [&text](std::size_t from, std::size_t to) {
    return static_cast<std::uint64_t>(std::count(text.begin() + static_cast<std::ptrdiff_t>(from),
                                                 text.begin() + static_cast<std::ptrdiff_t>(to), '\n'));
  };
  const std::uint64_t line = line_ + lines(0, begin) + 1;
  line_ += lines(0, text.size());
  return MapInput{++sequence_, false, text.substr(begin), {}, line};
}

std::optional<MapInput> MapSource::take_value() {
  for (; looked_at_ < buffer_.size(); ++looked_at_) {
    const char c = buffer_[looked_at_];
    if (quoted_) {
      quoted_ = escaped_ || c != '"';
      escaped_ = !escaped_ && c == '\\';
      continue;
    }
    if (depth_ > 0 && c == '"') quoted_ = true;
    if (c == '{' || c == '[') ++depth_;
    const bool closes = depth_ > 0 && (c == '}' || c == ']') && --depth_ == 0;
    const bool ends_line = depth_ == 0 && c == '\n';
    if (!closes && !ends_line) continue;
    std::string text = buffer_.substr(from_, looked_at_ + 1 - from_);
    from_ = ++looked_at_;
    if (!is_blank_text(text)) return value_of(std::move(text));
    line_ += 1;  // a blank one, or the rest of one
    --looked_at_;
  }
  buffer_.erase(0, from_);
  looked_at_ -= std::exchange(from_, 0);
  if (buffer_.size() <= line_bytes_max) return std::nullopt;
  MapInput input = value_of(std::exchange(buffer_, {}));
  looked_at_ = 0;
  input.text.clear();
  input.unusable = Status(Code::invalid_argument, fmt::format("it has more than {} bytes", line_bytes_max));
  return input;
}

Task<std::optional<MapInput>> MapSource::next() {
  if (descriptor_ < 0) {
    if (next_input_ == inputs_.size() || shared_->cancelled) co_return std::nullopt;
    co_return std::move(inputs_[next_input_++]);
  }
  for (;;) {
    if (shared_->cancelled || !status_.ok()) co_return std::nullopt;
    if (auto input = take_framed()) co_return input;
    if (at_end_) {
      // A last line without an end.
      std::string rest = std::exchange(buffer_, {});
      if (rest.empty() || skipping_) co_return std::nullopt;
      if (framing_ == Framing::values && !is_blank_text(rest)) co_return value_of(std::move(rest));
      if (framing_ == Framing::values) co_return std::nullopt;
      co_return input_of(std::move(rest));
    }
    const auto read = [descriptor = descriptor_, shared = shared_](OffloadStop stop) {
      return read_chunk(descriptor, *shared, stop);
    };
    Result<Chunk> chunk = co_await offload(read);
    if (!chunk) {
      status_ = chunk.error();
      continue;
    }
    if (chunk->error != 0) {
      status_ =
          Status(Code::unavailable, fmt::format("cannot read {}: {}", name_, std::strerror(chunk->error)));
    }
    at_end_ = chunk->end;
    buffer_ += chunk->bytes;
  }
}

}  // namespace cobus::client
