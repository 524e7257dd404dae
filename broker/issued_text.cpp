// SPDX-License-Identifier: Apache-2.0
#include "broker/issued_text.hpp"

#include <fstream>
#include <sstream>
#include <string>
#include <string_view>

#include "broker/record_file.hpp"

namespace cobus::broker {
namespace {

constexpr std::string_view header = "cobus certificates v1";
constexpr std::string_view mend = "; what it issued stays good, and can be revoked by its key only";

// A record: SERIAL ROLE KEY NOT_BEFORE NOT_AFTER NAME.
std::optional<Issued> read(const std::string& record) {
  std::istringstream fields(record);
  Issued issued;
  std::string role;
  std::string key;
  fields >> issued.serial >> role >> key >> issued.not_before_s >> issued.not_after_s >> issued.name;
  const auto parsed_role = link::parse_role(role);
  const auto parsed_key = link::parse_base32(key);
  if (fields.fail() || !parsed_role || !parsed_key || parsed_key->size() != issued.key.bytes.size())
    return std::nullopt;
  issued.role = *parsed_role;
  issued.key = link::curve_key_of(*parsed_key);
  issued.valid_until_s = issued.not_after_s;
  return issued;
}

bool is_text(const std::filesystem::path& file) {
  std::string begin(header.size(), '\0');
  std::ifstream stream(file, std::ios::binary);
  return stream.read(begin.data(), static_cast<std::streamsize>(begin.size())) && begin == header;
}

}  // namespace

Result<std::optional<std::vector<Issued>>> read_issued_text(const std::filesystem::path& file) {
  if (!is_text(file)) return std::nullopt;
  const RecordFile text(file, header, mend);
  const auto records = text.read();
  if (!records) return fail(records.error());
  std::vector<Issued> all;
  for (const std::string& record : *records) {
    std::optional<Issued> issued = read(record);
    if (!issued) return fail(text.damaged());
    all.push_back(std::move(*issued));
  }
  return all;
}

}  // namespace cobus::broker
