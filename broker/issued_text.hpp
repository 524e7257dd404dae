// SPDX-License-Identifier: Apache-2.0
//
// The record of certificates as brokers wrote it before it was a database: lines of text. Read once, at the
// first start of a release that has the database; never written.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "broker/issued.hpp"

namespace cobus::broker {

// What `file` says, the newest last; nothing when there is no file, or it does not begin as such a text does.
// PERMISSION_DENIED when others can read it, FAILED_PRECONDITION when a line of it is damaged, UNAVAILABLE
// for I/O errors.
[[nodiscard]] Result<std::optional<std::vector<Issued>>> read_issued_text(const std::filesystem::path& file);

}  // namespace cobus::broker
