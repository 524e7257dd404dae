// SPDX-License-Identifier: Apache-2.0
//
// ServerProcess: the other process of a measurement over the network. A copy of this one (fork, so before
// any thread is started) that serves until we let it go; the two exchange lines of text on a socket pair,
// which tells where to connect and carries nothing that is measured.
#pragma once

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <string>

#include "tests/bench/figure.hpp"

namespace cobus::bench {

class Wire {
 public:
  explicit Wire(int descriptor) noexcept : descriptor_(descriptor) {}
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;
  ~Wire() { ::close(descriptor_); }

  void say(const std::string& line) const {
    const std::string whole = line + "\n";
    if (::send(descriptor_, whole.data(), whole.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(whole.size())) {
      give_up("the other process is gone");
    }
  }
  // The next line; empty once the other side has closed.
  [[nodiscard]] std::string hear() const {
    std::string line;
    for (char c = 0; ::recv(descriptor_, &c, 1, 0) == 1 && c != '\n';) line += c;
    return line;
  }
  void close_ours() const { ::shutdown(descriptor_, SHUT_WR); }

 private:
  int descriptor_;
};

class ServerProcess {
 public:
  // Runs `serve(wire)` in the copy, which ends when that returns.
  template <class Serve>
  explicit ServerProcess(const Serve& serve) : ServerProcess(pair(), serve) {}
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;
  // Lets it go and waits for its end.
  ~ServerProcess() {
    wire_.close_ours();
    ::kill(process_, SIGCONT);  // one that stands still does not end
    ::waitpid(process_, nullptr, 0);
  }
  [[nodiscard]] Wire& wire() noexcept { return wire_; }
  // It stands still until it is let go.
  void pause() const noexcept { ::kill(process_, SIGSTOP); }

 private:
  static std::array<int, 2> pair() {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) give_up("no socket pair");
    return ends;
  }
  template <class Serve>
  ServerProcess(std::array<int, 2> ends, const Serve& serve) : process_(::fork()), wire_(ends[0]) {
    if (process_ < 0) give_up("cannot fork");
    if (process_ > 0) {
      ::close(ends[1]);
      return;
    }
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::close(ends[0]);
    {
      Wire wire(ends[1]);
      serve(wire);
    }
    std::_Exit(0);
  }

  pid_t process_;
  Wire wire_;
};

}  // namespace cobus::bench
