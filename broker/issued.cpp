// SPDX-License-Identifier: Apache-2.0
#include "broker/issued.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "node/link/identity.hpp"

namespace cobus::broker {
namespace {

constexpr std::string_view header = "cobus certificates v1";

}  // namespace

Issued issued_of(const v1::CertificateBody& body) {
  return {.name = body.name(),
          .role = body.role(),
          .key = link::curve_key_of(body.curve_key()),
          .serial = body.serial(),
          .not_before_s = body.not_before(),
          .not_after_s = body.not_after()};
}

Result<IssuedStore> IssuedStore::open(std::filesystem::path file) {
  IssuedStore store(std::move(file));
  const auto text = link::read_private_file(store.file_);
  if (!text) {
    if (text.error().code() == Code::not_found) return store;
    return fail(text.error());
  }
  if (Status status = store.parse(*text); !status.ok()) return fail(std::move(status));
  return store;
}

// The header, then one line a certificate: SERIAL ROLE KEY NOT_BEFORE NOT_AFTER NAME.
Status IssuedStore::parse(std::string_view text) {
  std::istringstream lines{std::string(text)};
  std::string line;
  std::getline(lines, line);
  bool good = line == header;
  while (good && std::getline(lines, line)) {
    std::istringstream fields(line);
    Issued issued;
    std::string role;
    std::string key;
    fields >> issued.serial >> role >> key >> issued.not_before_s >> issued.not_after_s >> issued.name;
    const auto parsed_role = link::parse_role(role);
    const auto parsed_key = link::parse_base32(key);
    good = !fields.fail() && parsed_role && parsed_key && parsed_key->size() == issued.key.bytes.size();
    if (!good) break;
    issued.role = *parsed_role;
    issued.key = link::curve_key_of(*parsed_key);
    all_.push_back(std::move(issued));
  }
  if (good) return {};
  return {
      Code::failed_precondition,
      fmt::format("{} is damaged: move it away and start the broker again; what it issued stays good, and "
                  "can be revoked by its key only",
                  file_.string())};
}

Status IssuedStore::add(const v1::CertificateBody& body, std::int64_t now_s) {
  std::vector<Issued> all = all_;
  std::erase_if(all, [now_s](const Issued& issued) { return issued.not_after_s <= now_s; });
  if (all.size() >= issued_max) all.erase(std::ranges::min_element(all, {}, &Issued::not_after_s));
  all.push_back(issued_of(body));
  std::string text(header);
  text.push_back('\n');
  for (const Issued& issued : all) {
    text += fmt::format("{} {} {} {} {} {}\n", issued.serial, link::role_name(issued.role),
                        link::fingerprint(issued.key), issued.not_before_s, issued.not_after_s, issued.name);
  }
  Status status = link::write_private_file(file_, text);
  if (status.ok()) all_ = std::move(all);
  return status;
}

}  // namespace cobus::broker
