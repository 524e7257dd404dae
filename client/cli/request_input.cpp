// SPDX-License-Identifier: Apache-2.0
#include "client/cli/request_input.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "proto/limits.hpp"

namespace cobus::client {
namespace {

// JSON takes more room than the message it stands for, up to six bytes for one.
constexpr std::size_t json_bytes_max = 6 * limits::message_bytes_max;
constexpr int look_up_ms = 50;  // from waiting for a slow writer, to see whether it is still wanted

std::unexpected<Status> unreadable(const std::string& name, int error) {
  return fail(Code::invalid_argument, fmt::format("cannot read {}: {}", name, std::strerror(error)));
}

Result<NamedInput> open_file(const std::string& path) {
  if (path == "-") {
    if (const Status readable = check_stdin(); !readable.ok()) return fail(readable);
    return NamedInput{{}, STDIN_FILENO, "stdin"};
  }
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return unreadable(path, errno);
  return NamedInput{{}, descriptor, path};
}

Result<std::string> read_descriptor(const NamedInput& input, std::size_t bytes_max,
                                    const OffloadStop* stop = nullptr) {
  std::string text;
  std::array<char, 65536> chunk;
  int error = 0;
  bool stopped = false;
  for (;;) {
    if (stop != nullptr) {
      pollfd waiting{input.descriptor, POLLIN, 0};
      const int some = ::poll(&waiting, 1, look_up_ms);
      stopped = stop->requested();
      if (stopped) break;
      if (some == 0 || (some < 0 && errno == EINTR)) continue;
    }
    const ssize_t count = ::read(input.descriptor, chunk.data(), chunk.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) error = errno;
    if (count <= 0) break;
    text.append(chunk.data(), static_cast<std::size_t>(count));
    if (text.size() > bytes_max) break;
  }
  if (input.descriptor != STDIN_FILENO) ::close(input.descriptor);
  if (stopped) return fail(Code::cancelled, "stopped while it read " + input.name);
  if (error != 0) return unreadable(input.name, error);
  if (text.size() > bytes_max) {
    return fail(
        Code::invalid_argument,
        fmt::format("{} is too large for one request, which holds at most {} bytes", input.name, bytes_max));
  }
  return text;
}

Result<NamedInput> open_request(const std::string& argument) {
  if (argument.empty()) {
    return fail(Code::invalid_argument,
                "the request is an empty text (a variable that is not set?); leave it out, or write {}");
  }
  if (argument == "@") {
    return fail(Code::invalid_argument, "'@' names no file; write @request.json, or - for stdin");
  }
  if (argument == "-") return open_file(argument);
  if (argument[0] == '@') return open_file(argument.substr(1));
  return NamedInput{argument, -1, "the request"};
}

}  // namespace

Status check_stdin() {
  const int flags = ::fcntl(STDIN_FILENO, F_GETFL);
  const bool writes_only = flags >= 0 && (flags & O_ACCMODE) == O_WRONLY;  // as main leaves a closed one
  if (flags >= 0 && !writes_only) return {};
  return unreadable("stdin", flags < 0 ? errno : EBADF).error();
}

Result<NamedInput> open_request(const Arguments& arguments) {
  return arguments.has("JSON") ? open_request(arguments.text("JSON")) : open_request("{}");
}

Result<std::string> read_all(const NamedInput& input, const OffloadStop* stop) {
  if (input.descriptor < 0) return input.text;
  return read_descriptor(input, json_bytes_max, stop);
}

Result<std::string> read_whole_file(const std::string& path, std::size_t bytes_max) {
  const auto input = open_file(path);
  if (!input) return fail(input.error());
  return read_descriptor(*input, bytes_max);
}

Result<std::string> read_request(const std::string& argument) {
  const auto input = open_request(argument);
  if (!input) return fail(input.error());
  return read_all(*input);
}

Result<std::string> read_request(const Arguments& arguments) {
  const auto input = open_request(arguments);
  if (!input) return fail(input.error());
  return read_all(*input);
}

}  // namespace cobus::client
