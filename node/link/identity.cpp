// SPDX-License-Identifier: Apache-2.0
#include "node/link/identity.hpp"

#include "node/runtime/clock.hpp"
#include "node/runtime/io_status.hpp"

#include <fcntl.h>
#include <pwd.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace cobus::link {
namespace {

namespace fs = std::filesystem;

Status io_failure(const std::string& what) { return io_status(what, errno); }

class Descriptor {
 public:
  explicit Descriptor(int value) noexcept : value_(value) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  [[nodiscard]] int value() const noexcept { return value_; }
  [[nodiscard]] bool ok() const noexcept { return value_ >= 0; }

 private:
  int value_;
};

// Whether only this user (and root) can get at what `facts` are about. What root finds in the hands of
// another user is not private either: that user chose the keys in it, and can change them at any time.
Status check_private(const fs::path& path, const struct stat& facts) {
  const bool folder = S_ISDIR(facts.st_mode);
  if ((facts.st_mode & 077) != 0) {
    return {Code::permission_denied, "others can read " + path.string() +
                                         "; if its secrets are still yours, type: chmod " +
                                         (folder ? "700 " : "600 ") + path.string()};
  }
  if (facts.st_uid != ::geteuid() && facts.st_uid != 0) {
    const std::string owner = std::to_string(facts.st_uid);
    return {
        Code::permission_denied,
        path.string() + " belongs to another user (uid " + owner + "); run as that user (sudo -u '#" + owner +
            "' ...), choose another folder with --state, or, if you trust what it holds, type: sudo chown " +
            std::to_string(::geteuid()) + ' ' + path.string()};
  }
  return {};
}

fs::path folder_of(const fs::path& file) {
  return file.has_parent_path() ? file.parent_path() : fs::path(".");
}

Status write_whole(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return io_failure("write");
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fsync(descriptor) != 0) return io_failure("fsync");
  return {};
}

Status sync_folder(const fs::path& folder) {
  const Descriptor descriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!descriptor.ok() || ::fsync(descriptor.value()) != 0)
    return io_failure("cannot sync " + folder.string());
  return {};
}

enum class Existing : std::uint8_t { replace, keep };

// Writes a file beside `file`, then moves it into place. With `keep`, a file that is already there stays
// and wins: two processes that start at once agree on one key.
Status place_file(const fs::path& file, std::string_view bytes, Existing existing) {
  std::string temporary = file.string() + ".XXXXXX";
  const Descriptor descriptor(::mkostemp(temporary.data(), O_CLOEXEC));  // 0600
  if (!descriptor.ok()) return io_failure("cannot write " + file.string());
  Status written = write_whole(descriptor.value(), bytes);
  if (written.ok()) {
    const int placed = existing == Existing::replace ? ::rename(temporary.c_str(), file.c_str())
                                                     : ::link(temporary.c_str(), file.c_str());
    if (placed != 0 && !(existing == Existing::keep && errno == EEXIST)) written = io_failure("rename");
  }
  if (!written.ok() || existing == Existing::keep) ::unlink(temporary.c_str());
  if (!written.ok()) return {written.code(), "cannot write " + file.string() + ": " + written.message()};
  return sync_folder(folder_of(file));
}

std::string_view first_line(const std::string& text) {
  return std::string_view(text).substr(0, text.find_first_of("\r\n"));
}

Result<SecretKey> parse_secret(const fs::path& file, std::string& text) {
  auto bytes = parse_base32(first_line(text));
  sodium_memzero(text.data(), text.size());
  if (!bytes || bytes->size() != 32) {
    return fail(Code::failed_precondition, file.string() +
                                               " is damaged: not a secret key; restore it, or remove it "
                                               "to start with a new identity");
  }
  std::array<std::uint8_t, 32> raw{};
  std::ranges::copy(*bytes, raw.begin());
  SecretKey secret(raw);
  sodium_memzero(bytes->data(), bytes->size());
  sodium_memzero(raw.data(), raw.size());
  return secret;
}

// Reads a secret, putting `fresh` there first when there is none.
Result<SecretKey> load_secret(const fs::path& file, const SecretKey& fresh) {
  auto text = read_private_file(file);
  if (!text && text.error().code() == Code::not_found) {
    const auto& raw = fresh.bytes();
    std::string line = base32({reinterpret_cast<const char*>(raw.data()), raw.size()}) + '\n';
    Status placed = place_file(file, line, Existing::keep);
    sodium_memzero(line.data(), line.size());
    if (!placed.ok()) return fail(std::move(placed));
    text = read_private_file(file);
  }
  if (!text) return fail(std::move(text).error());
  return parse_secret(file, *text);
}

}  // namespace

Result<Identity> load_identity(const fs::path& folder, const ClusterKey& cluster) {
  if (Status made = make_private_folder(folder); !made.ok()) return fail(std::move(made));
  auto secret = load_secret(folder / "curve.key", make_curve_pair().secret);
  if (!secret) return fail(std::move(secret).error());
  Identity identity;
  identity.cluster = cluster;
  crypto_scalarmult_base(identity.pair.key.bytes.data(), secret->bytes().data());
  identity.pair.secret = std::move(*secret);
  // For people and tools: which cluster this folder belongs to.
  const std::string line = fingerprint(cluster) + '\n';
  const auto known = read_private_file(folder / "cluster.pub");
  if (!known && known.error().code() != Code::not_found) return fail(known.error());
  if (!known || *known != line) {
    if (Status written = write_private_file(folder / "cluster.pub", line); !written.ok()) {
      return fail(std::move(written));
    }
  }
  auto certificate = load_certificate(folder, cluster, identity.pair.key);
  if (!certificate) return fail(std::move(certificate).error());
  identity.certificate = std::move(*certificate);
  return identity;
}

Result<std::optional<v1::Certificate>> load_certificate(const fs::path& folder, const ClusterKey& cluster,
                                                        const CurveKey& key) {
  auto bytes = read_private_file(folder / "certificate");
  if (!bytes && bytes.error().code() == Code::not_found) return std::nullopt;
  if (!bytes) return fail(std::move(bytes).error());
  v1::Certificate certificate;
  v1::CertificateBody body;
  if (!certificate.ParseFromString(*bytes) || !body.ParseFromString(certificate.body()) ||
      !check_certificate(certificate, cluster, key, body.not_before()) ||
      body.not_after() <= system_clock().unix_us() / 1'000'000) {
    return std::nullopt;
  }
  return certificate;
}

Status save_certificate(const fs::path& folder, const v1::Certificate& certificate) {
  return write_private_file(folder / "certificate", certificate.SerializeAsString());
}

Result<ClusterSecret> load_cluster_secret(const fs::path& folder) {
  if (Status made = make_private_folder(folder); !made.ok()) return fail(std::move(made));
  auto seed = load_secret(folder / "cluster.key", ClusterSecret::make().seed());
  if (!seed) return fail(std::move(seed).error());
  return ClusterSecret::from_seed(std::move(*seed));
}

Status check_private_folder(const fs::path& folder) {
  struct stat facts{};
  if (::stat(folder.c_str(), &facts) != 0)
    return errno == ENOENT ? Status() : io_failure("cannot look at " + folder.string());
  if (!S_ISDIR(facts.st_mode)) return {Code::failed_precondition, folder.string() + " is not a folder"};
  return check_private(folder, facts);
}

Status make_private_folder(const fs::path& folder) {
  fs::path made;
  for (const fs::path& part : folder) {
    made /= part;
    if (made.empty() || ::mkdir(made.c_str(), 0700) == 0 || errno == EEXIST) continue;
    // A parent that cannot be made, say "/" on a read-only disk, may be there all the same.
    struct stat facts{};
    const int error = errno;
    if (::stat(made.c_str(), &facts) == 0) continue;
    errno = error;
    return io_failure("cannot make the folder " + made.string());
  }
  return check_private_folder(folder);
}

Status check_private_file(const fs::path& file) {
  struct stat facts{};
  struct stat folder_facts{};
  if (::stat(file.c_str(), &facts) != 0 && errno == ENOENT) return {Code::not_found, "no " + file.string()};
  const fs::path folder = folder_of(file);
  if (::stat(file.c_str(), &facts) != 0 || ::stat(folder.c_str(), &folder_facts) != 0)
    return io_failure("cannot look at " + file.string());
  if (!S_ISREG(facts.st_mode)) return {Code::failed_precondition, file.string() + " is not a file"};
  if (Status checked = check_private(folder, folder_facts); !checked.ok()) return checked;
  return check_private(file, facts);
}

Status replace_file(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0)
    return io_failure("cannot replace " + to.string() + " by " + from.string());
  return sync_folder(folder_of(to));
}

Status write_private_file(const fs::path& file, std::string_view bytes) {
  return place_file(file, bytes, Existing::replace);
}

Result<std::string> read_private_file(const fs::path& file, std::size_t bytes_max) {
  const Descriptor descriptor(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!descriptor.ok()) {
    const Code code = errno == ENOENT ? Code::not_found : Code::unavailable;
    return fail(code, "cannot read " + file.string() + ": " + std::strerror(errno));
  }
  struct stat facts{};
  struct stat folder_facts{};
  const fs::path folder = folder_of(file);
  if (::fstat(descriptor.value(), &facts) != 0 || ::stat(folder.c_str(), &folder_facts) != 0) {
    return fail(io_failure("cannot look at " + file.string()));
  }
  if (!S_ISREG(facts.st_mode)) return fail(Code::failed_precondition, file.string() + " is not a file");
  if (Status checked = check_private(folder, folder_facts); !checked.ok()) return fail(std::move(checked));
  if (Status checked = check_private(file, facts); !checked.ok()) return fail(std::move(checked));
  if (static_cast<std::size_t>(facts.st_size) > bytes_max) {
    return fail(Code::failed_precondition, file.string() + " is too large to be one of ours");
  }
  std::string bytes(static_cast<std::size_t>(facts.st_size), '\0');
  std::size_t filled = 0;
  while (filled < bytes.size()) {
    const ssize_t count = ::read(descriptor.value(), bytes.data() + filled, bytes.size() - filled);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(io_failure("cannot read " + file.string()));
    if (count == 0) break;
    filled += static_cast<std::size_t>(count);
  }
  bytes.resize(filled);
  return bytes;
}

fs::path state_folder(const std::string& flag) {
  const auto environment = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  if (!flag.empty()) return flag;
  if (const std::string state = environment("COBUS_STATE"); !state.empty()) return state;
  if (::geteuid() == 0) return "/var/lib/cobus";
  if (const std::string state = environment("XDG_STATE_HOME"); state.starts_with('/'))
    return fs::path(state) / "cobus";
  std::string home = environment("HOME");
  if (home.empty()) {
    const passwd* entry = ::getpwuid(::geteuid());
    if (entry != nullptr) home = entry->pw_dir;
  }
  return fs::path(home) / ".local/state/cobus";
}

}  // namespace cobus::link
