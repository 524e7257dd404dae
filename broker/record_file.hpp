// SPDX-License-Identifier: Apache-2.0
//
// RecordFile: the private file of a broker's store: a header, then a line a record. Read whole, and replaced
// atomically. What a line means is the store's business.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/status.hpp"

namespace cobus::broker {

class RecordFile {
 public:
  // `header` must outlive *this; `mend` says what to do about a damaged file.
  RecordFile(std::filesystem::path file, std::string_view header, std::string_view mend)
      : file_(std::move(file)), header_(header), mend_(mend) {}

  // The records; none when there is no file yet. PERMISSION_DENIED when others can read it, damaged() when it
  // does not begin with the header.
  [[nodiscard]] Result<std::vector<std::string>> read() const;
  // UNAVAILABLE with the system's reason; the file is then as it was.
  [[nodiscard]] Status write(const std::vector<std::string>& records) const;
  // FAILED_PRECONDITION that names the file and the mend.
  [[nodiscard]] Status damaged() const;

 private:
  std::filesystem::path file_;
  std::string_view header_;
  std::string_view mend_;
};

}  // namespace cobus::broker
