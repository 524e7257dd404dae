// SPDX-License-Identifier: Apache-2.0
#include "node/daemon/node_folder.hpp"

#include <fmt/format.h>

#include <system_error>

#include "node/link/identity.hpp"

namespace cobus::daemon {
namespace {

namespace fs = std::filesystem;

// Beside the nodes' folders, whose names cannot begin with a dot.
constexpr const char* note_name = ".named-after-host";

bool is_there(const fs::path& file) {
  std::error_code error;
  return fs::exists(file, error);
}

// Also of an earlier release, which locked its ledger only.
bool in_use(const fs::path& folder) {
  for (const char* name : {"lock", "ledger.db.lock"}) {
    if (!is_there(folder / name)) continue;
    const Result<FileLock> lock = FileLock::acquire(folder / name);
    if (!lock && lock.error().code() == Code::already_exists) return true;
  }
  return false;
}

}  // namespace

Result<NodeFolder> NodeFolder::open(const fs::path& folder) {
  if (Status made = link::make_private_folder(folder); !made.ok()) return fail(std::move(made));
  Result<FileLock> lock = FileLock::acquire(folder / "lock");
  if (!lock && lock.error().code() == Code::already_exists) {
    return fail(Code::unavailable,
                fmt::format("node folder {} is in use by {}: stop that node, or give this one another --name "
                            "or --state folder",
                            folder.string(), lock.error().message()));
  }
  if (!lock) return fail(std::move(lock).error());
  return NodeFolder(folder, std::move(*lock));
}

Status NodeFolder::check_host_name() const {
  const std::string name = folder_.filename().string();
  const fs::path nodes = folder_.parent_path();
  const fs::path note = nodes / note_name;
  const Result<std::string> before = link::read_private_file(note);
  const fs::path old = nodes / (before ? *before : name);
  if (old != folder_ && !is_there(folder_ / "ledger.db") && is_there(old / "ledger.db") && !in_use(old)) {
    return {Code::failed_precondition,
            fmt::format("this host is called {} now, and the node that was called after it before, {}, has "
                        "left a ledger in {}, whose jobs would wait there; go on as that node with --name "
                        "{}, or start a new one with --name {}",
                        name, *before, old.string(), *before, name)};
  }
  if (!before || *before != name) static_cast<void>(link::write_private_file(note, name));
  return {};
}

}  // namespace cobus::daemon
