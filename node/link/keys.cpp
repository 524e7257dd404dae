// SPDX-License-Identifier: Apache-2.0
#include "node/link/keys.hpp"

#include <sodium.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace cobus::link {
namespace {

constexpr std::string_view alphabet = "abcdefghijklmnopqrstuvwxyz234567";
// The sizeof counts the closing zero, which is part of the prefix.
constexpr char certificate_prefix_text[] = "cobus certificate v1";
constexpr std::string_view certificate_prefix(certificate_prefix_text, sizeof certificate_prefix_text);
constexpr char revocation_prefix_text[] = "cobus revocation v1";
constexpr std::string_view revocation_prefix(revocation_prefix_text, sizeof revocation_prefix_text);

// libsodium is ready after this; without it there is nothing safe to do.
void need_sodium() {
  static const int ready = sodium_init();
  if (ready < 0) std::abort();
}

const unsigned char* unsigned_bytes(const std::string& text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

template <class Key>
std::string_view bytes_of(const Key& key) {
  return {reinterpret_cast<const char*>(key.bytes.data()), key.bytes.size()};
}

Status refuse(std::string reason) {
  return {Code::permission_denied, "certificate refused: " + std::move(reason)};
}

// Ed25519's secret form is seed and public key; wiped when it goes.
struct SigningKey {
  std::array<unsigned char, crypto_sign_SECRETKEYBYTES> bytes{};
  SigningKey() = default;
  SigningKey(const SigningKey&) = delete;
  SigningKey& operator=(const SigningKey&) = delete;
  ~SigningKey() { sodium_memzero(bytes.data(), bytes.size()); }
};

// What the holder of `seed` signs: the prefix keeps one kind of text from being taken for another.
std::string signature_of(const SecretKey& seed, std::string_view prefix, const std::string& body) {
  ClusterKey unused;
  SigningKey signing;
  crypto_sign_seed_keypair(unused.bytes.data(), signing.bytes.data(), seed.bytes().data());
  const std::string message = std::string(prefix) + body;
  std::array<unsigned char, crypto_sign_BYTES> signature{};
  crypto_sign_detached(signature.data(), nullptr, unsigned_bytes(message), message.size(),
                       signing.bytes.data());
  return {reinterpret_cast<const char*>(signature.data()), signature.size()};
}

bool is_signed(std::string_view prefix, const std::string& body, const std::string& signature,
               const ClusterKey& cluster) {
  const std::string message = std::string(prefix) + body;
  return signature.size() == crypto_sign_BYTES &&
         crypto_sign_verify_detached(unsigned_bytes(signature), unsigned_bytes(message), message.size(),
                                     cluster.bytes.data()) == 0;
}

}  // namespace

SecretKey::SecretKey(SecretKey&& other) noexcept : bytes_(other.bytes_) {
  sodium_memzero(other.bytes_.data(), other.bytes_.size());
}

SecretKey& SecretKey::operator=(SecretKey&& other) noexcept {
  if (this != &other) {
    bytes_ = other.bytes_;
    sodium_memzero(other.bytes_.data(), other.bytes_.size());
  }
  return *this;
}

SecretKey::~SecretKey() { sodium_memzero(bytes_.data(), bytes_.size()); }

CurvePair make_curve_pair() {
  need_sodium();
  CurveKey key;
  std::array<std::uint8_t, 32> secret{};
  crypto_box_keypair(key.bytes.data(), secret.data());
  CurvePair pair{key, SecretKey(secret)};
  sodium_memzero(secret.data(), secret.size());
  return pair;
}

std::string fingerprint(const ClusterKey& key) { return base32(bytes_of(key)); }

Result<ClusterKey> parse_fingerprint(std::string_view text) {
  auto bytes = parse_base32(text);
  if (!bytes || bytes->size() != 32) {
    return fail(Code::invalid_argument, "not a cluster fingerprint: " + std::to_string(text.size()) +
                                            " characters where 52 of a-z and 2-7 stood when the broker "
                                            "printed it; was it copied whole?");
  }
  ClusterKey key;
  std::ranges::copy(*bytes, key.bytes.begin());
  if (broker_curve_key(key).empty()) {
    return fail(Code::invalid_argument,
                "not a cluster fingerprint: its 52 characters are no Ed25519 key; was one of them changed?");
  }
  return key;
}

std::string short_fingerprint(const ClusterKey& key) { return fingerprint(key).substr(0, 12); }
std::string fingerprint(const CurveKey& key) { return base32(bytes_of(key)); }
std::string short_fingerprint(const CurveKey& key) { return fingerprint(key).substr(0, 12); }

CurveKey broker_curve_key(const ClusterKey& key) {
  need_sodium();
  CurveKey curve;
  if (crypto_sign_ed25519_pk_to_curve25519(curve.bytes.data(), key.bytes.data()) != 0) return {};
  return curve;
}

ClusterSecret ClusterSecret::make() {
  need_sodium();
  std::array<std::uint8_t, 32> seed{};
  randombytes_buf(seed.data(), seed.size());
  ClusterSecret secret = from_seed(SecretKey(seed));
  sodium_memzero(seed.data(), seed.size());
  return secret;
}

ClusterSecret ClusterSecret::from_seed(SecretKey seed) {
  need_sodium();
  ClusterSecret secret;
  SigningKey signing;
  crypto_sign_seed_keypair(secret.key_.bytes.data(), signing.bytes.data(), seed.bytes().data());
  secret.seed_ = std::move(seed);
  return secret;
}

CurvePair ClusterSecret::broker_pair() const {
  ClusterKey unused;
  SigningKey signing;
  crypto_sign_seed_keypair(unused.bytes.data(), signing.bytes.data(), seed_.bytes().data());
  std::array<std::uint8_t, 32> secret{};
  crypto_sign_ed25519_sk_to_curve25519(secret.data(), signing.bytes.data());
  CurvePair pair{broker_curve_key(key_), SecretKey(secret)};
  sodium_memzero(secret.data(), secret.size());
  return pair;
}

v1::Certificate ClusterSecret::sign(const v1::CertificateBody& body) const {
  v1::Certificate certificate;
  certificate.set_body(body.SerializeAsString());
  certificate.set_signature(signature_of(seed_, certificate_prefix, certificate.body()));
  return certificate;
}

v1::Revocation ClusterSecret::sign(const v1::RevocationBody& body) const {
  v1::Revocation revocation;
  revocation.set_body(body.SerializeAsString());
  revocation.set_signature(signature_of(seed_, revocation_prefix, revocation.body()));
  return revocation;
}

Result<v1::RevocationBody> check_revocation(const v1::Revocation& revocation, const ClusterKey& cluster) {
  need_sodium();
  v1::RevocationBody body;
  if (!is_signed(revocation_prefix, revocation.body(), revocation.signature(), cluster)) {
    return fail(Code::permission_denied,
                "revocation refused: not signed by cluster " + short_fingerprint(cluster));
  }
  if (!body.ParseFromString(revocation.body()) || curve_key_of(body.curve_key()).empty())
    return fail(Code::permission_denied, "revocation refused: its body is malformed");
  return body;
}

CurveKey curve_key_of(std::string_view bytes) noexcept {
  CurveKey key;
  if (bytes.size() == key.bytes.size()) std::ranges::copy(bytes, key.bytes.begin());
  return key;
}

Result<v1::CertificateBody> check_certificate(const v1::Certificate& certificate, const ClusterKey& cluster,
                                              const CurveKey& key, std::int64_t now_s) {
  need_sodium();
  if (!is_signed(certificate_prefix, certificate.body(), certificate.signature(), cluster)) {
    return fail(refuse("not signed by cluster " + short_fingerprint(cluster)));
  }
  v1::CertificateBody body;
  if (!body.ParseFromString(certificate.body())) return fail(refuse("its body is malformed"));
  if (body.curve_key() != bytes_of(key)) {
    return fail(refuse("it is for another key than " + short_fingerprint(key)));
  }
  if (now_s < body.not_before()) {
    return fail(refuse("'" + body.name() + "' is valid only in " + std::to_string(body.not_before() - now_s) +
                       " s; do the clocks of both hosts agree?"));
  }
  if (now_s >= body.not_after()) {
    return fail(
        refuse("that of '" + body.name() + "' expired " + std::to_string(now_s - body.not_after()) +
               " s ago by the clock of this host; set the clock if it runs ahead, else join again with a "
               "new token"));
  }
  return body;
}

std::string_view role_name(v1::Role role) noexcept {
  switch (role) {
    case v1::BROKER:
      return "broker";
    case v1::NODE:
      return "node";
    case v1::SUBMIT:
      return "submit";
    case v1::OBSERVE:
      return "observe";
    case v1::ADMIN:
      return "admin";
    default:
      return "none";
  }
}

Result<v1::Role> parse_role(std::string_view name) {
  for (const v1::Role role : {v1::BROKER, v1::NODE, v1::SUBMIT, v1::OBSERVE, v1::ADMIN}) {
    if (role_name(role) == name) return role;
  }
  return fail(Code::invalid_argument,
              "no role '" + std::string(name) + "'; the roles are broker, node, submit, observe and admin");
}

void wipe(std::string& secret) noexcept {
  sodium_memzero(secret.data(), secret.size());
  secret.clear();
}

std::string base32(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() * 8 + 4) / 5);
  std::uint32_t bits = 0;
  int count = 0;
  for (const char byte : bytes) {
    bits = (bits << 8) | static_cast<unsigned char>(byte);
    for (count += 8; count >= 5; count -= 5) text.push_back(alphabet[(bits >> (count - 5)) & 31]);
    bits &= (1U << count) - 1;
  }
  if (count > 0) text.push_back(alphabet[(bits << (5 - count)) & 31]);
  return text;
}

Result<std::string> parse_base32(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size() * 5 / 8);
  std::uint32_t bits = 0;
  int count = 0;
  for (const char character : text) {
    const std::size_t value = alphabet.find(character);
    if (value == std::string_view::npos) {
      return fail(Code::invalid_argument, "not base32: only a-z and 2-7 occur in it");
    }
    bits = (bits << 5) | static_cast<std::uint32_t>(value);
    count += 5;
    if (count >= 8) {
      count -= 8;
      bytes.push_back(static_cast<char>(bits >> count));
      bits &= (1U << count) - 1;
    }
  }
  // A whole text leaves fewer than five bits, all of them zero.
  if (count >= 5 || bits != 0) return fail(Code::invalid_argument, "not base32: characters are missing");
  return bytes;
}

}  // namespace cobus::link
