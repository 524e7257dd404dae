// SPDX-License-Identifier: Apache-2.0
#include "node/observe/log_writer.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string_view>
#include <utility>

namespace cobus {
namespace {

// What an entry of the queue costs besides its text.
constexpr std::size_t entry_bytes = 64;

// One line, or the place where `missing` lines were dropped.
struct Entry {
  std::string text;
  std::uint64_t missing = 0;
};

std::size_t cost(const Entry& entry) { return entry.text.size() + entry_bytes; }

}  // namespace

struct LogWriter::State {
  int descriptor = -1;
  std::size_t bytes_max = 0;
  std::function<std::string(std::uint64_t)> missing_line;

  std::mutex mutex;
  std::condition_variable to_write;  // for the writer's thread
  std::condition_variable written;   // for flush() and close()
  std::deque<Entry> queue;
  std::size_t bytes = 0;
  // Lines are dropped from the moment that the queue is full until it is half empty, so that gaps are few.
  bool full = false;
  std::uint64_t missing = 0;  // dropped since the last line that told of it
  std::uint64_t dropped = 0;
  std::uint64_t queued = 0;    // entries so far
  std::uint64_t finished = 0;  // entries written, or failed
  std::uint64_t progress = 0;  // writes so far
  bool closing = false;
  bool abandoned = false;  // close() has given up; the thread writes no more
  bool ended = false;      // the thread has left its loop

  void push(Entry entry) {
    bytes += cost(entry);
    queue.push_back(std::move(entry));
    ++queued;
  }
  void push_missing() {
    if (missing != 0) push({{}, std::exchange(missing, 0)});
  }
  bool write_all(std::string_view text);
};

// Writes a page at a time: a pipe that can be written to takes that much at once, and lines of other
// processes do not come in between. False when the descriptor takes nothing any more.
bool LogWriter::State::write_all(std::string_view text) {
  while (!text.empty()) {
    pollfd asked{descriptor, POLLOUT, 0};
    if (::poll(&asked, 1, -1) < 0 && errno != EINTR) return false;
    {
      const std::scoped_lock lock(mutex);
      if (abandoned) return false;
    }
    const ssize_t size = ::write(descriptor, text.data(), std::min<std::size_t>(text.size(), PIPE_BUF));
    if (size < 0) {
      if (errno == EINTR || errno == EAGAIN) continue;
      return false;
    }
    text.remove_prefix(static_cast<std::size_t>(size));
    const std::scoped_lock lock(mutex);
    ++progress;
    written.notify_all();
  }
  return true;
}

LogWriter::LogWriter(int descriptor, std::function<std::string(std::uint64_t)> missing_line, Bounds bounds)
    : bounds_(bounds), state_(std::make_shared<State>()) {
  state_->descriptor = descriptor;
  state_->bytes_max = bounds.bytes_max;
  state_->missing_line = std::move(missing_line);
  thread_ = std::thread([state = state_] { run(state); });
}

LogWriter::~LogWriter() { close(); }

bool LogWriter::put(std::string line) {
  Entry entry{std::move(line), 0};
  const std::scoped_lock lock(state_->mutex);
  State& state = *state_;
  if (state.bytes + cost(entry) > state.bytes_max) state.full = true;
  if (state.full && state.bytes <= state.bytes_max / 2 && cost(entry) <= state.bytes_max / 2)
    state.full = false;
  if (state.full || state.closing) {
    ++state.missing;
    ++state.dropped;
    return false;
  }
  state.push_missing();
  state.push(std::move(entry));
  state.to_write.notify_one();
  return true;
}

bool LogWriter::flush(Duration patience) {
  std::unique_lock lock(state_->mutex);
  const std::uint64_t until = state_->queued;
  return state_->written.wait_for(lock, patience, [&] { return state_->finished >= until; });
}

void LogWriter::close() {
  if (!thread_.joinable()) return;
  std::unique_lock lock(state_->mutex);
  state_->closing = true;
  state_->to_write.notify_one();
  const auto end = std::chrono::steady_clock::now() + bounds_.close_total;
  while (!state_->ended) {
    const std::uint64_t before = state_->progress;
    const auto until = std::min(end, std::chrono::steady_clock::now() + bounds_.close_idle);
    if (!state_->written.wait_until(lock, until,
                                    [&] { return state_->ended || state_->progress != before; }) ||
        std::chrono::steady_clock::now() >= end)
      break;
  }
  state_->abandoned = !state_->ended;
  lock.unlock();
  if (state_->abandoned) {
    thread_.detach();  // it may stand in write(); it owns its share of the state
  } else {
    thread_.join();
  }
}

std::uint64_t LogWriter::dropped() const {
  const std::scoped_lock lock(state_->mutex);
  return state_->dropped;
}

void LogWriter::run(const std::shared_ptr<State>& state) {
  std::unique_lock lock(state->mutex);
  for (;;) {
    // Lines were dropped and none came since: the reader learns of them when it has read the others.
    if (state->queue.empty()) state->push_missing();
    if (state->abandoned || (state->queue.empty() && state->closing)) break;
    if (state->queue.empty()) {
      state->to_write.wait(lock);
      continue;
    }
    Entry entry = std::move(state->queue.front());
    state->queue.pop_front();
    lock.unlock();
    const bool done = state->write_all(entry.missing == 0 ? entry.text : state->missing_line(entry.missing));
    lock.lock();
    // What is being written counts as waiting until then.
    state->bytes -= cost(entry);
    ++state->finished;
    if (!done && entry.missing == 0) ++state->dropped;
    state->written.notify_all();
  }
  state->ended = true;
  state->written.notify_all();
}

}  // namespace cobus
