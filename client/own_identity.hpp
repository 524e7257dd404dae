// SPDX-License-Identifier: Apache-2.0
//
// OwnIdentity: who this program is in a cluster. One key for all that it does; the certificates, each with
// the role of the token that it was traded for, are kept apart, so that a join string with another token
// never acts with the rights of an earlier one. Files only; any thread.
#pragma once

#include <filesystem>

#include "node/link/identity.hpp"
#include "node/link/join_string.hpp"

namespace cobus::client {

// Where the certificate for `join` is kept below `folder`: a folder named by a hash of the cluster and the
// token, never the token itself. For a join string without a token `folder`, as releases before kept it for
// all.
[[nodiscard]] std::filesystem::path certificate_folder(const std::filesystem::path& folder,
                                                       const link::JoinString& join);

// The key in `folder`, made when absent, with the certificate for `join` if there is one. Without a token:
// the one in `folder` itself, else the only one that any token of the cluster brought; FAILED_PRECONDITION
// when several did. Otherwise what link::load_identity answers.
[[nodiscard]] Result<link::Identity> own_identity(const std::filesystem::path& folder,
                                                  const link::JoinString& join);

// Keeps the certificate that was issued for `join`.
[[nodiscard]] Status keep_certificate(const std::filesystem::path& folder, const link::JoinString& join,
                                      const v1::Certificate& certificate);

}  // namespace cobus::client
