// SPDX-License-Identifier: Apache-2.0
#include "client/cli/console.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace cobus::client {
namespace {

constexpr std::string_view erase_line = "\r\x1b[K";
constexpr std::size_t error_bytes_max = 4096;  // of one line of stderr: a peer may send a megabyte
constexpr int exit_of_sigpipe = 128 + SIGPIPE;

}  // namespace

void Console::put(std::FILE* stream, std::string_view text) {
  const bool written =
      std::fwrite(text.data(), 1, text.size(), stream) == text.size() && std::fflush(stream) == 0;
  if (written || stream != out_) return;
  const int error = errno;
  if (error == EPIPE && loss_.empty()) ::_exit(exit_of_sigpipe);
  erase_status();
  std::fputs(fmt::format("cobus: cannot write to stdout: {}{}{}\n", std::strerror(error),
                         loss_.empty() ? "" : "; ", loss_)
                 .c_str(),
             err_);
  if (error == EPIPE) ::_exit(exit_of_sigpipe);
  ::_exit(1);
}

void Console::erase_status() {
  if (status_.empty()) return;
  put(err_, erase_line);
}

void Console::print(std::string_view line) { write(std::string(line) + '\n'); }

void Console::print_titled(std::string_view title, std::string_view rest) {
  put_out(painted(title, Paint::bold) + printable(rest) + '\n');
}

void Console::write(std::string_view text) { put_out(printable(text, Lines::keep)); }

void Console::put_out(std::string_view text) {
  const std::scoped_lock lock(mutex_);
  // Only a stdout that shares the screen with the status line disturbs it.
  const bool disturbs = out_traits_.terminal && !status_.empty();
  if (disturbs) put(err_, erase_line);
  put(out_, text);
  if (disturbs) put(err_, status_);
}

void Console::set_loss(std::string text) {
  const std::scoped_lock lock(mutex_);
  loss_ = std::move(text);
}

void Console::error(std::string_view text) { note("cobus: " + std::string(text)); }

void Console::note(std::string_view text) {
  const std::scoped_lock lock(mutex_);
  erase_status();
  put(err_, short_printable(text, error_bytes_max) + '\n');
  if (!status_.empty()) put(err_, status_);
}

void Console::status(std::string_view line) {
  if (!err_traits_.moves) return;
  const std::scoped_lock lock(mutex_);
  std::string wanted = fit(printable(line), err_traits_.columns > 1 ? err_traits_.columns - 1 : 1);
  if (wanted == status_) return;
  erase_status();
  status_ = std::move(wanted);
  put(err_, status_);
}

void Console::clear_status() {
  const std::scoped_lock lock(mutex_);
  erase_status();
  status_.clear();
}

std::string Console::painted(std::string_view text, Paint paint) const {
  static constexpr std::array<std::string_view, 7> codes = {"", "1", "2", "31", "32", "33", "36"};
  if (text.empty() || !out_traits_.colors || paint == Paint::none) return printable(text);
  return fmt::format("\x1b[{}m{}\x1b[0m", codes[static_cast<std::size_t>(paint)], printable(text));
}

}  // namespace cobus::client
