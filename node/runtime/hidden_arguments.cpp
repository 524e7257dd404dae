// SPDX-License-Identifier: Apache-2.0
#include "node/runtime/hidden_arguments.hpp"

#include <algorithm>
#include <cstring>
#include <string_view>

namespace cobus {
namespace {

constexpr std::string_view before_secret = "token=";

void hide(char* word) {
  char* secret = std::strstr(word, "cobus://");
  while (secret != nullptr && (secret = std::strstr(secret, before_secret.data())) != nullptr) {
    secret += before_secret.size();
    while (*secret != '\0' && *secret != '&') *secret++ = '*';
  }
}

}  // namespace

HiddenArguments::HiddenArguments(int argc, char** argv) {
  words_.reserve(static_cast<std::size_t>(argc));
  for (int i = 0; i < argc; ++i) {
    words_.emplace_back(argv[i]);
    hide(argv[i]);
  }
  for (const std::string& word : words_) pointers_.push_back(word.c_str());
  pointers_.push_back(nullptr);
}

HiddenArguments::~HiddenArguments() {
  for (std::string& word : words_) {
    // Volatile, so that it is not left out as a write that nobody reads.
    volatile char* const bytes = word.data();
    std::fill_n(bytes, word.size(), '\0');
  }
}

}  // namespace cobus
