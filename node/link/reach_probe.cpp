// SPDX-License-Identifier: Apache-2.0
#include "node/link/reach_probe.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>

#include "node/link/route.hpp"

namespace cobus::link {
namespace {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

// size 0 for what is not numeric TCP.
SocketAddress parse(std::string_view endpoint) {
  constexpr std::string_view scheme = "tcp://";
  SocketAddress address;
  const std::size_t colon = endpoint.rfind(':');
  if (!endpoint.starts_with(scheme) || colon < scheme.size()) return address;
  const std::string_view digits = endpoint.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc{} || end != digits.data() + digits.size() || port == 0) return address;
  std::string host(endpoint.substr(scheme.size(), colon - scheme.size()));
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    sockaddr_in6 ipv6{};
    ipv6.sin6_family = AF_INET6;
    ipv6.sin6_port = htons(port);
    if (inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), &ipv6.sin6_addr) != 1) return address;
    std::memcpy(&address.storage, &ipv6, sizeof ipv6);
    address.size = sizeof ipv6;
  } else {
    sockaddr_in ipv4{};
    ipv4.sin_family = AF_INET;
    ipv4.sin_port = htons(port);
    if (inet_pton(AF_INET, host.c_str(), &ipv4.sin_addr) != 1) return address;
    std::memcpy(&address.storage, &ipv4, sizeof ipv4);
    address.size = sizeof ipv4;
  }
  return address;
}

}  // namespace

bool is_numeric_endpoint(const std::string& endpoint) { return parse(endpoint).size != 0; }

Status check_listen(const std::string& listen) {
  const bool any_port = listen.ends_with(":0");
  if (is_numeric_endpoint(any_port ? listen.substr(0, listen.size() - 1) + "1" : listen)) return {};
  return {Code::invalid_argument,
          "--listen: '" + listen + "' is not tcp://NUMERIC-ADDRESS:PORT, tcp://127.0.0.1:7700 say"};
}

Status check_advertise(const std::string& advertise) {
  if (listens_everywhere(advertise)) {
    return {Code::invalid_argument, "--advertise: '" + advertise +
                                        "' is every address of this host; say which of them peers dial, "
                                        "tcp://10.0.0.7:7701 say"};
  }
  if (is_numeric_endpoint(advertise)) return {};
  return {Code::invalid_argument,
          "--advertise: '" + advertise +
              "' is not tcp://NUMERIC-ADDRESS:PORT, which is what peers can dial: look "
              "the address of a name up, and say tcp://10.0.0.7:7701, say"};
}

bool is_ipv6_endpoint(const std::string& endpoint) { return endpoint.find('[') != std::string::npos; }

ReachProbe::ReachProbe(const std::string& endpoint) {
  const SocketAddress address = parse(endpoint);
  descriptor_ = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor_ < 0) {
    error_ = errno;
    return;
  }
  const int result =
      ::connect(descriptor_, reinterpret_cast<const sockaddr*>(&address.storage), address.size);
  error_ = result == 0 ? 0 : errno;
}

ReachProbe::ReachProbe(ReachProbe&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), error_(other.error_) {}

ReachProbe::~ReachProbe() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::optional<CloseReason> ReachProbe::outcome() {
  if (error_ == EINPROGRESS || error_ == EINTR) {
    pollfd ready{descriptor_, POLLOUT, 0};
    if (::poll(&ready, 1, 0) <= 0) return std::nullopt;
    socklen_t size = sizeof error_;
    if (::getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &error_, &size) != 0) error_ = errno;
  }
  return error_ == ECONNREFUSED ? CloseReason::refused : CloseReason::timed_out;
}

}  // namespace cobus::link
