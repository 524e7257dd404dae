// SPDX-License-Identifier: Apache-2.0
//
// HiddenArguments: the words of a command line, kept while the token in a join string among the originals is
// overwritten, so that no list of processes shows it to other users. From the start of the process to this,
// it does: a file (--join @FILE) is better. Made first thing in main, by its thread; constant from then on.
#pragma once

#include <string>
#include <vector>

namespace cobus {

class HiddenArguments {
 public:
  HiddenArguments(int argc, char** argv);
  HiddenArguments(const HiddenArguments&) = delete;
  HiddenArguments& operator=(const HiddenArguments&) = delete;
  // Wipes its own copy.
  ~HiddenArguments();

  [[nodiscard]] int count() const noexcept { return static_cast<int>(words_.size()); }
  // As main got them; valid for as long as the object.
  [[nodiscard]] const char* const* words() const noexcept { return pointers_.data(); }

 private:
  std::vector<std::string> words_;
  std::vector<const char*> pointers_;  // a null pointer behind the last
};

}  // namespace cobus
