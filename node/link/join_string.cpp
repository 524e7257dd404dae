// SPDX-License-Identifier: Apache-2.0
#include "node/link/join_string.hpp"

#include "node/link/identity.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <memory>

namespace cobus::link {
namespace {

constexpr std::string_view scheme = "cobus://";
constexpr std::string_view shape =
    "a join string looks like cobus://HOST:PORT?cluster=FINGERPRINT&token=SECRET";

std::unexpected<Status> refuse(const std::string& cause) {
  return fail(Code::invalid_argument, "not a join string: " + cause + "; " + std::string(shape));
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n";
  const std::size_t first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

// Everything before `separator`, which is taken off with it.
std::string_view take_until(std::string_view& text, char separator) {
  const std::size_t at = text.find(separator);
  const std::string_view taken = text.substr(0, at);
  text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
  return taken;
}

struct HostPort {
  std::string host;  // without brackets
  std::string port;
};

// Empty host when it is not HOST:PORT.
HostPort split(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return {};
  const std::string_view digits = text.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc{} || end != digits.data() + digits.size() || port == 0) return {};
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto fits = [bracketed](unsigned char c) {
    return std::isalnum(c) != 0 || c == '.' || c == '-' || c == '_' || (bracketed && (c == ':' || c == '%'));
  };
  if (!std::ranges::all_of(host, fits)) return {};
  return {std::string(host), std::to_string(port)};
}

// What a message may show of a text that is not what it should be: the token may stand anywhere behind.
std::string shown(std::string_view text) { return std::string(text.substr(0, text.find_first_of("?&;#="))); }

bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.' || c == '~';
  });
}

Status parse_parameter(std::string_view parameter, JoinString& join, bool& has_cluster) {
  const std::string_view name = take_until(parameter, '=');
  if (name == "cluster" && !has_cluster) {
    auto cluster = parse_fingerprint(parameter);
    if (!cluster) return std::move(cluster).error();
    join.cluster = *cluster;
    has_cluster = true;
    return {};
  }
  if (name == "token" && join.token.empty()) {
    // The token itself is a secret and never part of a message.
    if (!is_token(parameter)) return refuse("its token is malformed or cut short").error();
    join.token = parameter;
    return {};
  }
  if (name == "cluster" || name == "token")
    return refuse("'" + std::string(name) + "' is given twice").error();
  // Nor is what may be one: a token without its name, or behind a name that was mistyped.
  return refuse("it has a parameter that is neither cluster nor token").error();
}

struct AddressListCloser {
  void operator()(addrinfo* list) const noexcept { ::freeaddrinfo(list); }
};

std::string numeric(const addrinfo& entry) {
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> port{};
  if (::getnameinfo(entry.ai_addr, entry.ai_addrlen, host.data(), host.size(), port.data(), port.size(),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return {};
  }
  const bool ipv6 = entry.ai_family == AF_INET6;
  return std::string(ipv6 ? "tcp://[" : "tcp://") + host.data() + (ipv6 ? "]:" : ":") + port.data();
}

}  // namespace

bool is_host_and_port(std::string_view text) { return !split(text).host.empty(); }

std::string JoinString::to_string() const {
  std::string text(scheme);
  for (std::size_t i = 0; i < brokers.size(); ++i) text.append(i == 0 ? "" : ",").append(brokers[i]);
  text.append("?cluster=").append(fingerprint(cluster));
  if (!token.empty()) text.append("&token=").append(token);
  return text;
}

Result<JoinString> parse_join_string(std::string_view text) {
  std::string_view rest = trimmed(text);
  if (!rest.starts_with(scheme)) return refuse("it does not begin with cobus://");
  rest.remove_prefix(scheme.size());
  std::string_view hosts = take_until(rest, '?');
  JoinString join;
  do {
    const std::string_view host = take_until(hosts, ',');
    if (split(host).host.empty()) return refuse("'" + shown(host) + "' is not HOST:PORT");
    join.brokers.emplace_back(host);
  } while (!hosts.empty());
  bool has_cluster = false;
  while (!rest.empty()) {
    Status parsed = parse_parameter(take_until(rest, '&'), join, has_cluster);
    if (!parsed.ok()) return fail(std::move(parsed));
  }
  if (!has_cluster) return refuse("the cluster's fingerprint is missing");
  return join;
}

Status keep_join_string(const std::filesystem::path& file, JoinString join) {
  join.token.clear();
  return write_private_file(file, join.to_string() + "\n");
}

Result<JoinString> find_join_string(const std::string& flag, std::vector<std::filesystem::path> files,
                                    const std::filesystem::path& state) {
  if (!flag.empty() && flag[0] != '@') return parse_join_string(flag);
  if (flag.substr(std::min<std::size_t>(flag.size(), 1)).starts_with(scheme))
    return refuse("behind '@' stands the name of a file that holds one; leave the '@' away");
  if (flag == "@") return refuse("'@' names no file; write --join @FILE");
  if (!flag.empty()) files = {flag.substr(1)};
  for (const std::filesystem::path& file : files) {
    Result<std::string> text = read_private_file(file);
    if (!text && text.error().code() == Code::not_found) continue;
    if (!text) return fail(std::move(text).error());
    Result<JoinString> join = parse_join_string(text->substr(0, text->find('\n')));
    if (join) return join;
    return fail(join.error().code(), file.string() + ": " + join.error().message());
  }
  if (!flag.empty()) return fail(Code::invalid_argument, "--join: there is no file " + flag.substr(1));
  return fail(Code::not_found,
              "no join string in " + (state / "join").string() +
                  ": start a broker with this state folder (cobus-broker), or give --join STRING");
}

namespace {

// The endpoints in a resolver's answer.
Result<std::vector<std::string>> endpoints_in(const addrinfo* found, const std::string& host) {
  std::vector<std::string> endpoints;
  for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
    std::string endpoint = numeric(*entry);
    if (!endpoint.empty() && std::ranges::find(endpoints, endpoint) == endpoints.end())
      endpoints.push_back(std::move(endpoint));
  }
  if (endpoints.empty()) return fail(Code::unavailable, "'" + host + "' has no usable address");
  return endpoints;
}

}  // namespace

Result<std::vector<std::string>> resolve(const std::string& host_and_port) {
  const HostPort wanted = split(host_and_port);
  if (wanted.host.empty()) return fail(Code::invalid_argument, "not HOST:PORT: '" + host_and_port + "'");
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  int error = ::getaddrinfo(wanted.host.c_str(), wanted.port.c_str(), &hints, &found);
  if (error == EAI_NONAME || error == EAI_ADDRFAMILY) {
    // AI_ADDRCONFIG leaves out loopback addresses on a host without a network.
    hints.ai_flags = AI_NUMERICSERV;
    error = ::getaddrinfo(wanted.host.c_str(), wanted.port.c_str(), &hints, &found);
  }
  const std::unique_ptr<addrinfo, AddressListCloser> list(found);
  if (error != 0) {
    const char* reason = error == EAI_SYSTEM ? std::strerror(errno) : ::gai_strerror(error);
    return fail(Code::unavailable, "cannot resolve '" + wanted.host + "': " + reason);
  }
  return endpoints_in(list.get(), wanted.host);
}

Result<std::vector<std::string>> numeric_endpoints(const std::string& host_and_port) {
  const HostPort wanted = split(host_and_port);
  if (wanted.host.empty()) return fail(Code::invalid_argument, "not HOST:PORT: '" + host_and_port + "'");
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (::getaddrinfo(wanted.host.c_str(), wanted.port.c_str(), &hints, &found) != 0)
    return fail(Code::not_found, "'" + wanted.host + "' is not an address");
  const std::unique_ptr<addrinfo, AddressListCloser> list(found);
  return endpoints_in(list.get(), wanted.host);
}

}  // namespace cobus::link
