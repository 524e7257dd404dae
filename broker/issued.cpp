// SPDX-License-Identifier: Apache-2.0
#include "broker/issued.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <sstream>

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
  return issued;
}

}  // namespace

Issued issued_of(const v1::CertificateBody& body) {
  return {.name = body.name(),
          .role = body.role(),
          .key = link::curve_key_of(body.curve_key()),
          .serial = body.serial(),
          .not_before_s = body.not_before(),
          .not_after_s = body.not_after()};
}

IssuedStore::IssuedStore(std::filesystem::path file) : file_(std::move(file), header, mend) {}

Result<IssuedStore> IssuedStore::open(std::filesystem::path file) {
  IssuedStore store(std::move(file));
  const auto records = store.file_.read();
  if (!records) return fail(records.error());
  for (const std::string& record : *records) {
    std::optional<Issued> issued = read(record);
    if (!issued) return fail(store.file_.damaged());
    store.all_.push_back(std::move(*issued));
  }
  return store;
}

Status IssuedStore::add(const v1::CertificateBody& body, std::int64_t now_s) {
  std::vector<Issued> all = all_;
  std::erase_if(all, [now_s](const Issued& issued) { return issued.not_after_s <= now_s; });
  if (all.size() >= issued_max) all.erase(std::ranges::min_element(all, {}, &Issued::not_after_s));
  all.push_back(issued_of(body));
  std::vector<std::string> records;
  for (const Issued& issued : all) {
    records.push_back(fmt::format("{} {} {} {} {} {}", issued.serial, link::role_name(issued.role),
                                  link::fingerprint(issued.key), issued.not_before_s, issued.not_after_s,
                                  issued.name));
  }
  Status status = file_.write(records);
  if (status.ok()) all_ = std::move(all);
  return status;
}

}  // namespace cobus::broker
