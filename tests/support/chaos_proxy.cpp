// SPDX-License-Identifier: Apache-2.0
#include "tests/support/chaos_proxy.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <deque>
#include <list>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "node/runtime/random.hpp"

namespace cobus {
namespace {

using Steady = std::chrono::steady_clock;

constexpr std::size_t piece_bytes = 16 * 1024;
constexpr std::size_t held_bytes_max = 4 * 1024 * 1024;  // each way, before it stops reading

int check(int result, const char* what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
  return result;
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

struct Piece {
  Steady::time_point due;
  std::string bytes;
};

// From one end of a connection to the other.
struct Way {
  int from = -1;
  int to = -1;
  std::deque<Piece> pieces;
  std::size_t held = 0;
  Steady::time_point last_due{};
  Steady::time_point next_write{};
  bool ended = false;  // `from` has no more
  bool cut = false;    // after the last piece the connection ends
};

struct Pair {
  std::array<int, 2> ends{-1, -1};
  std::array<Way, 2> ways;
  bool forgotten = false;
};

}  // namespace

struct ChaosProxy::Body {
  Body(std::uint16_t to, std::uint64_t seed) : target(to), random(seed) {
    listener = check(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
    sockaddr_in address = loopback(0);
    check(::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address), "bind");
    check(::listen(listener, 128), "listen");
    socklen_t size = sizeof address;
    check(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), "getsockname");
    port = ntohs(address.sin_port);
    wake = check(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd");
    thread = std::thread([this] { run(); });
  }
  ~Body() {
    stop = true;
    nudge();
    thread.join();
    for (Pair& pair : pairs) end(pair, false);
    ::close(listener);
    ::close(wake);
  }

  void nudge() const {
    const std::uint64_t one = 1;
    static_cast<void>(::write(wake, &one, sizeof one));
  }

  void run() {
    while (!stop) {
      wait();
      std::uint64_t count = 0;
      static_cast<void>(::read(wake, &count, sizeof count));
      const std::scoped_lock lock(mutex);
      accept_all();
      for (auto pair = pairs.begin(); pair != pairs.end();) {
        const bool alive = serve(*pair);
        if (!alive) end(*pair, false);
        pair = alive ? std::next(pair) : pairs.erase(pair);
      }
    }
  }

  void wait() {
    std::vector<pollfd> ready;
    Steady::time_point due = Steady::now() + std::chrono::milliseconds(50);
    {
      const std::scoped_lock lock(mutex);
      ready.push_back({wake, POLLIN, 0});
      ready.push_back({listener, POLLIN, 0});
      for (const Pair& pair : pairs) {
        for (const Way& way : pair.ways) {
          if (!way.ended && way.held < held_bytes_max) ready.push_back({way.from, POLLIN, 0});
          if (way.pieces.empty() || faults.swallow || pair.forgotten) continue;
          due = std::min(due, std::max(way.pieces.front().due, way.next_write));
          if (way.pieces.front().due <= Steady::now() && way.next_write <= Steady::now())
            ready.push_back({way.to, POLLOUT, 0});
        }
      }
    }
    const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(due - Steady::now());
    const timespec timeout{0, std::clamp<long>(left.count(), 1'000, 50'000'000)};
    ::ppoll(ready.data(), ready.size(), &timeout, nullptr);
  }

  void accept_all() {
    for (;;) {
      const int from = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (from < 0) return;
      ++accepted;
      const int to = faults.refuse ? -1 : ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      const sockaddr_in address = loopback(target);
      if (to < 0 || ::connect(to, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        if (to >= 0) ::close(to);
        ::close(from);
        continue;
      }
      ::fcntl(to, F_SETFL, O_NONBLOCK);
      Pair& pair = pairs.emplace_back();
      pair.ends = {from, to};
      pair.ways[0].from = pair.ways[1].to = from;
      pair.ways[0].to = pair.ways[1].from = to;
    }
  }

  bool serve(Pair& pair) {
    return std::ranges::all_of(pair.ways, [&](Way& way) {
      if (!read(pair, way)) return false;
      if (faults.swallow || pair.forgotten) return true;
      return write(way);
    });
  }

  bool read(const Pair& pair, Way& way) {
    std::array<char, piece_bytes> buffer;
    while (!way.ended && way.held < held_bytes_max) {
      const ssize_t count = ::recv(way.from, buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (count < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
      if (count == 0) {
        way.ended = true;
        return faults.swallow || pair.forgotten || !way.pieces.empty();
      }
      if (faults.swallow || pair.forgotten) continue;  // lost
      take(way, std::string(buffer.data(), static_cast<std::size_t>(count)));
    }
    return true;
  }

  bool one_in(unsigned count) { return count != 0 && random.below(count) == 0; }

  void take(Way& way, std::string bytes) {
    if (way.cut) return;
    if (one_in(faults.flip_one_in))
      bytes[random.below(bytes.size())] ^= static_cast<char>(1 << random.below(8));
    if (one_in(faults.truncate_one_in)) {
      bytes.resize(random.below(bytes.size()));
      way.cut = true;
    }
    const auto jitter =
        faults.jitter.count() == 0 ? 0 : random.below(static_cast<std::uint64_t>(faults.jitter.count()));
    way.last_due = std::max(way.last_due, Steady::now() + faults.delay + std::chrono::milliseconds(jitter));
    const bool twice = one_in(faults.repeat_one_in);
    way.held += bytes.size() * (twice ? 2 : 1);
    if (twice) way.pieces.push_back({way.last_due, bytes});
    way.pieces.push_back({way.last_due, std::move(bytes)});
  }

  bool write(Way& way) {
    while (!way.pieces.empty() && way.pieces.front().due <= Steady::now() &&
           way.next_write <= Steady::now()) {
      std::string& bytes = way.pieces.front().bytes;
      const std::size_t most =
          faults.bytes_per_second == 0
              ? bytes.size()
              : std::min(bytes.size(), std::max<std::size_t>(faults.bytes_per_second / 100, 1));
      const ssize_t count = ::send(way.to, bytes.data(), most, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (count < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
      way.held -= static_cast<std::size_t>(count);
      bytes.erase(0, static_cast<std::size_t>(count));
      if (bytes.empty()) way.pieces.pop_front();
      if (faults.bytes_per_second != 0) way.next_write = Steady::now() + std::chrono::milliseconds(10);
    }
    return !way.pieces.empty() || (!way.cut && !way.ended);
  }

  static void end(Pair& pair, bool reset) {
    for (int& descriptor : pair.ends) {
      const linger now{1, 0};
      if (reset) ::setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &now, sizeof now);
      if (descriptor >= 0) ::close(descriptor);
      descriptor = -1;
    }
  }

  const std::uint16_t target;
  std::uint16_t port = 0;
  int listener = -1;
  int wake = -1;
  std::atomic<bool> stop{false};
  std::mutex mutex;
  // guarded by mutex
  SeededRandom random;
  Faults faults;
  std::list<Pair> pairs;
  std::size_t accepted = 0;

  std::thread thread;
};

ChaosProxy::ChaosProxy(std::uint16_t port, std::uint64_t seed) : body_(std::make_unique<Body>(port, seed)) {}
ChaosProxy::~ChaosProxy() = default;

std::string ChaosProxy::endpoint() const { return "tcp://127.0.0.1:" + std::to_string(body_->port); }

void ChaosProxy::set(const Faults& faults) {
  {
    const std::scoped_lock lock(body_->mutex);
    body_->faults = faults;
  }
  body_->nudge();
}

void ChaosProxy::reset_all() {
  const std::scoped_lock lock(body_->mutex);
  for (Pair& pair : body_->pairs) Body::end(pair, true);
  body_->pairs.clear();
  body_->nudge();
}

void ChaosProxy::forget_all() {
  const std::scoped_lock lock(body_->mutex);
  for (Pair& pair : body_->pairs) pair.forgotten = true;
}

std::size_t ChaosProxy::accepted() const {
  const std::scoped_lock lock(body_->mutex);
  return body_->accepted;
}

}  // namespace cobus
