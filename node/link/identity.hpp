// SPDX-License-Identifier: Apache-2.0
//
// Identity: the key pair and certificate of one participant, and the private folder they are kept
// in. Files are 0600 in folders of 0700; what others can read is refused, not mended.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "node/link/keys.hpp"

namespace cobus::link {

struct Identity {
  CurvePair pair;
  ClusterKey cluster;
  std::optional<v1::Certificate> certificate;  // none until enrolled
};

// Reads `folder`/curve.key, cluster.pub and certificate, making the folder and a key pair when absent.
// A certificate of another cluster than `cluster` or of another key is ignored.
// PERMISSION_DENIED naming the file and what to type when others can read it or own it; FAILED_PRECONDITION
// when it is damaged; RESOURCE_EXHAUSTED for a full disk; UNAVAILABLE for other I/O errors with errno's text.
[[nodiscard]] Result<Identity> load_identity(const std::filesystem::path& folder, const ClusterKey& cluster);
// The certificate in `folder` if it is of `cluster`, for `key`, and has not expired; who has none enrols.
// Errors as above; a folder that is not there has none.
[[nodiscard]] Result<std::optional<v1::Certificate>> load_certificate(const std::filesystem::path& folder,
                                                                      const ClusterKey& cluster,
                                                                      const CurveKey& key);
// Keeps a certificate that was issued. Atomic (write, sync, rename).
[[nodiscard]] Status save_certificate(const std::filesystem::path& folder,
                                      const v1::Certificate& certificate);

// Reads the cluster secret of a broker from `folder`/cluster.key, making one at first start.
[[nodiscard]] Result<ClusterSecret> load_cluster_secret(const std::filesystem::path& folder);

// Private files: written 0600 atomically; read only when nobody else can read them or their folder, and both
// belong to this user or to root. PERMISSION_DENIED names the owner or the mode, and what to type.
// A folder that is not there yet is as good as a private one. FAILED_PRECONDITION for a file of more than
// `bytes_max`.
inline constexpr std::size_t private_file_bytes_max = 4 * 1'048'576;
[[nodiscard]] Status check_private_folder(const std::filesystem::path& folder);
// Whether `file` is private, without reading it. NOT_FOUND when there is none.
[[nodiscard]] Status check_private_file(const std::filesystem::path& file);
// Moves `from` to where `to` is, in one step that a loss of power does not undo. Both are in one folder.
[[nodiscard]] Status replace_file(const std::filesystem::path& from, const std::filesystem::path& to);
[[nodiscard]] Status make_private_folder(const std::filesystem::path& folder);
[[nodiscard]] Status write_private_file(const std::filesystem::path& file, std::string_view bytes);
[[nodiscard]] Result<std::string> read_private_file(const std::filesystem::path& file,
                                                    std::size_t bytes_max = private_file_bytes_max);

// The state folder: `flag` if given, else $COBUS_STATE, else /var/lib/cobus for root, else
// $XDG_STATE_HOME/cobus or ~/.local/state/cobus.
[[nodiscard]] std::filesystem::path state_folder(const std::string& flag);

}  // namespace cobus::link
