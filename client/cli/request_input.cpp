// SPDX-License-Identifier: Apache-2.0
#include "client/cli/request_input.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "proto/limits.hpp"

namespace cobus::client {
namespace {

// JSON takes more room than the message it stands for, up to six bytes for one.
constexpr std::size_t json_bytes_max = 6 * limits::payload_bytes_max;

std::unexpected<Status> unreadable(const std::string& name, int error) {
  return fail(Code::invalid_argument, fmt::format("cannot read {}: {}", name, std::strerror(error)));
}

}  // namespace

Result<std::string> read_whole_file(const std::string& path, std::size_t bytes_max) {
  const bool standard = path == "-";
  const std::string name = standard ? "stdin" : path;
  const int descriptor = standard ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return unreadable(name, errno);
  std::string text;
  std::array<char, 65536> chunk;
  int error = 0;
  for (;;) {
    const ssize_t count = ::read(descriptor, chunk.data(), chunk.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) error = errno;
    if (count <= 0) break;
    text.append(chunk.data(), static_cast<std::size_t>(count));
    if (text.size() > bytes_max) break;
  }
  if (!standard) ::close(descriptor);
  if (error != 0) return unreadable(name, error);
  if (text.size() > bytes_max) {
    return fail(
        Code::invalid_argument,
        fmt::format("{} is too large for one request, which holds at most {} bytes", name, bytes_max));
  }
  return text;
}

Result<std::string> read_request(const std::string& argument) {
  if (argument.empty()) {
    return fail(Code::invalid_argument,
                "the request is an empty text (a variable that is not set?); leave it out, or write {}");
  }
  if (argument == "@") {
    return fail(Code::invalid_argument, "'@' names no file; write @request.json, or - for stdin");
  }
  if (argument == "-") return read_whole_file(argument, json_bytes_max);
  if (argument[0] == '@') return read_whole_file(argument.substr(1), json_bytes_max);
  return argument;
}

Result<std::string> read_request(const Arguments& arguments) {
  if (!arguments.has("JSON")) return "{}";
  return read_request(arguments.text("JSON"));
}

}  // namespace cobus::client
