// SPDX-License-Identifier: Apache-2.0
//
// Console: the two output streams of the program. Data goes to stdout, everything else to stderr. At the
// bottom of the screen there may be one status line (a spinner, a bar), which gives way to every other
// line and is never drawn unless stderr is a terminal. All text is made harmless here, on its way out:
// whoever it came from, it cannot drive a terminal, forge a line of stderr or fill the screen with an error.
// Shared by all threads; every method locks.
#pragma once

#include <cstdio>
#include <mutex>
#include <string>
#include <string_view>

#include "client/cli/terminal.hpp"

namespace cobus::client {

class Console {
 public:
  Console(std::FILE* out, StreamTraits out_traits, std::FILE* err, StreamTraits err_traits) noexcept
      : out_(out), err_(err), out_traits_(out_traits), err_traits_(err_traits) {}
  ~Console() { clear_status(); }
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  [[nodiscard]] const StreamTraits& out() const noexcept { return out_traits_; }
  [[nodiscard]] const StreamTraits& err() const noexcept { return err_traits_; }
  // --color was parsed: before any output.
  void set_traits(StreamTraits out_traits, StreamTraits err_traits) noexcept {
    out_traits_ = out_traits;
    err_traits_ = err_traits;
  }

  // One line of data, at once. A reader that went away ends the program, as SIGPIPE would.
  void print(std::string_view line);
  // Text that has its own line ends.
  void write(std::string_view text);
  // One line that begins with `title` in bold.
  void print_titled(std::string_view title, std::string_view rest = {});

  // Added to the error from now on when stdout cannot be written: what its reader would miss.
  void set_loss(std::string text);

  // "cobus: text" on stderr.
  void error(std::string_view text);
  // A plain line on stderr: hints and progress.
  void note(std::string_view text);

  // Draws the status line, or draws it anew. Nothing where stderr is no terminal.
  void status(std::string_view line);
  void clear_status();

  // `text` in colour where colours are on for stdout; nothing in it can drive the terminal.
  enum class Paint : unsigned char { none, bold, dim, red, green, yellow, cyan };
  [[nodiscard]] std::string painted(std::string_view text, Paint paint) const;

 private:
  // What nothing has to be replaced in.
  void put_out(std::string_view text);
  void put(std::FILE* stream, std::string_view text);
  void erase_status();

  std::FILE* const out_;
  std::FILE* const err_;
  StreamTraits out_traits_;
  StreamTraits err_traits_;
  std::mutex mutex_;
  std::string loss_;    // guarded by mutex_
  std::string status_;  // guarded by mutex_: what stands on the last line now
};

}  // namespace cobus::client
