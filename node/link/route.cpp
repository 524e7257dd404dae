// SPDX-License-Identifier: Apache-2.0
#include "node/link/route.hpp"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace cobus::link {

bool listens_everywhere(const std::string& endpoint) {
  return endpoint.starts_with("tcp://0.0.0.0:") || endpoint.starts_with("tcp://[::]:") ||
         endpoint.starts_with("tcp://*:");
}

Result<std::string> address_towards(const std::string& endpoint) {
  const std::size_t colon = endpoint.rfind(':');
  if (!endpoint.starts_with("tcp://") || colon < 6) {
    return fail(Code::invalid_argument, "'" + endpoint + "' is not of the form tcp://ADDRESS:PORT");
  }
  std::string host = endpoint.substr(6, colon - 6);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), endpoint.substr(colon + 1).c_str(), &hints, &found) != 0) {
    return fail(Code::invalid_argument, "'" + endpoint + "' is not numeric");
  }
  // Connecting a datagram socket chooses a route and sends nothing.
  const int descriptor = ::socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_storage own{};
  socklen_t length = sizeof own;
  const bool routed = descriptor >= 0 && ::connect(descriptor, found->ai_addr, found->ai_addrlen) == 0 &&
                      ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&own), &length) == 0;
  const int error = errno;
  const bool six = found->ai_family == AF_INET6;
  if (descriptor >= 0) ::close(descriptor);
  ::freeaddrinfo(found);
  std::array<char, NI_MAXHOST> name{};
  if (!routed || ::getnameinfo(reinterpret_cast<sockaddr*>(&own), length, name.data(), name.size(), nullptr,
                               0, NI_NUMERICHOST) != 0) {
    return fail(Code::unavailable, "no route to " + endpoint + ": " + std::strerror(error));
  }
  return six ? '[' + std::string(name.data()) + ']' : std::string(name.data());
}

}  // namespace cobus::link
