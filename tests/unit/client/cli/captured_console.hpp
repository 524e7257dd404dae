// SPDX-License-Identifier: Apache-2.0
//
// CapturedConsole: a Console whose streams are files, for tests that look at what was printed.
#pragma once

#include <cstdio>
#include <string>

#include "client/cli/console.hpp"

namespace cobus::client {

class CapturedConsole {
 public:
  explicit CapturedConsole(StreamTraits out = {}, StreamTraits err = {})
      : out_(std::tmpfile()), err_(std::tmpfile()), console(out_, out, err_, err) {}
  ~CapturedConsole() {
    console.clear_status();
    std::fclose(out_);
    std::fclose(err_);
  }
  CapturedConsole(const CapturedConsole&) = delete;
  CapturedConsole& operator=(const CapturedConsole&) = delete;

  [[nodiscard]] std::string out() const { return content(out_); }
  [[nodiscard]] std::string err() const { return content(err_); }

 private:
  static std::string content(std::FILE* file) {
    std::string text;
    const long end = std::ftell(file);
    std::rewind(file);
    for (int c = 0; (c = std::fgetc(file)) != EOF;) text += static_cast<char>(c);
    std::fseek(file, end, SEEK_SET);
    return text;
  }
  std::FILE* out_;
  std::FILE* err_;

 public:
  Console console;
};

}  // namespace cobus::client
