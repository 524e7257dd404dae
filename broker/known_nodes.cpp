// SPDX-License-Identifier: Apache-2.0
#include "broker/known_nodes.hpp"

#include <fstream>
#include <sstream>
#include <system_error>

#include "broker/node_name.hpp"
#include "node/link/identity.hpp"

namespace cobus::broker {

std::vector<std::string> KnownNodes::load() const {
  std::vector<std::string> names;
  const Result<std::string> text = link::read_private_file(file_);
  if (!text) return names;
  std::istringstream lines(*text);
  for (std::string name; std::getline(lines, name);) {
    if (check_node_name(name).ok()) names.push_back(std::move(name));
  }
  return names;
}

Status KnownNodes::save(const std::vector<std::string>& names) const {
  namespace fs = std::filesystem;
  const fs::path beside = file_.string() + ".new";
  std::error_code error;
  {
    std::ofstream out(beside, std::ios::trunc);
    fs::permissions(beside, fs::perms::owner_read | fs::perms::owner_write, error);
    for (const std::string& name : names) out << name << '\n';
    if (!out.flush() || error) return {Code::unavailable, "cannot write " + beside.string()};
  }
  fs::rename(beside, file_, error);
  if (error) return {Code::unavailable, "cannot replace " + file_.string() + ": " + error.message()};
  return {};
}

}  // namespace cobus::broker
