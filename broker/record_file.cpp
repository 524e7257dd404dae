// SPDX-License-Identifier: Apache-2.0
#include "broker/record_file.hpp"

#include <fmt/format.h>

#include <sstream>

#include "node/link/identity.hpp"

namespace cobus::broker {

Result<std::vector<std::string>> RecordFile::read() const {
  const auto text = link::read_private_file(file_);
  std::vector<std::string> records;
  if (!text && text.error().code() == Code::not_found) return records;
  if (!text) return fail(text.error());
  std::istringstream lines{*text};
  std::string line;
  if (!std::getline(lines, line) || line != header_) return fail(damaged());
  while (std::getline(lines, line)) records.push_back(line);
  return records;
}

Status RecordFile::write(const std::vector<std::string>& records) const {
  std::string text(header_);
  text.push_back('\n');
  for (const std::string& record : records) text.append(record).push_back('\n');
  return link::write_private_file(file_, text);
}

Status RecordFile::damaged() const {
  return {Code::failed_precondition,
          fmt::format("{} is damaged: move it away and start the broker again{}", file_.string(), mend_)};
}

}  // namespace cobus::broker
