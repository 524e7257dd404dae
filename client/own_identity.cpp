// SPDX-License-Identifier: Apache-2.0
#include "client/own_identity.hpp"

#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>
#include <array>
#include <cctype>

namespace cobus::client {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t folder_name_bytes = 20;
static_assert(folder_name_bytes >= crypto_generichash_BYTES_MIN);

}  // namespace

fs::path certificate_folder(const fs::path& folder, const link::JoinString& join) {
  if (join.token.empty()) return folder;
  std::string text = "cobus certificate folder v1 " + link::fingerprint(join.cluster) + ' ' + join.token;
  // The broker does not mind the case of a token.
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  std::array<char, folder_name_bytes> hash{};
  crypto_generichash(reinterpret_cast<unsigned char*>(hash.data()), hash.size(),
                     reinterpret_cast<const unsigned char*>(text.data()), text.size(), nullptr, 0);
  sodium_memzero(text.data(), text.size());
  return folder / link::base32({hash.data(), hash.size()});
}

Result<link::Identity> own_identity(const fs::path& folder, const link::JoinString& join) {
  auto identity = link::load_identity(folder, join.cluster);
  if (!identity) return identity;
  if (!join.token.empty()) {
    auto own = link::load_certificate(certificate_folder(folder, join), join.cluster, identity->pair.key);
    if (!own) return fail(std::move(own).error());
    identity->certificate = std::move(*own);
    return identity;
  }
  if (identity->certificate) return identity;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    if (!entry.is_directory(error)) continue;
    auto found = link::load_certificate(entry.path(), join.cluster, identity->pair.key);
    if (!found) return fail(std::move(found).error());
    if (!*found) continue;
    if (identity->certificate) {
      return fail(
          Code::failed_precondition,
          fmt::format("{} holds certificates from several tokens of this cluster; name the one to act "
                      "with by a join string that has its token",
                      folder.string()));
    }
    identity->certificate = std::move(*found);
  }
  return identity;
}

Status keep_certificate(const fs::path& folder, const link::JoinString& join,
                        const v1::Certificate& certificate) {
  const fs::path own = certificate_folder(folder, join);
  if (Status made = link::make_private_folder(own); !made.ok()) return made;
  return link::save_certificate(own, certificate);
}

}  // namespace cobus::client
