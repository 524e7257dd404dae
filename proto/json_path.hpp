// SPDX-License-Identifier: Apache-2.0
//
// JsonPath: where in a message a reader or writer of JSON is: "parts[1].named[\"k\"].size". A chain over the
// frames of functions that call themselves; text is made of it only for an error.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace cobus {

class JsonPath {
 public:
  JsonPath() = default;  // the message itself
  [[nodiscard]] JsonPath field(std::string_view name) const { return {this, Kind::field, name, 0, levels_}; }
  [[nodiscard]] JsonPath element(std::size_t index) const {
    return {this, Kind::element, {}, index, levels_};
  }
  [[nodiscard]] JsonPath entry(std::string_view key) const { return {this, Kind::entry, key, 0, levels_}; }
  // The same place, one level further in.
  [[nodiscard]] JsonPath deeper() const {
    JsonPath path = *this;
    ++path.levels_;
    return path;
  }
  // How often deeper() was called on the way here.
  [[nodiscard]] int levels() const noexcept { return levels_; }
  [[nodiscard]] bool is_root() const noexcept { return kind_ == Kind::root; }
  [[nodiscard]] std::string text() const {
    if (is_root()) return {};
    const std::string before = up_->text();
    if (kind_ == Kind::field) return before.empty() ? std::string(name_) : before + "." + std::string(name_);
    if (kind_ == Kind::element) return before + "[" + std::to_string(index_) + "]";
    return before + "[\"" + std::string(name_) + "\"]";
  }

 private:
  enum class Kind : unsigned char { root, field, element, entry };
  JsonPath(const JsonPath* up, Kind kind, std::string_view name, std::size_t index, int levels)
      : up_(up), name_(name), index_(index), levels_(levels), kind_(kind) {}

  const JsonPath* up_ = nullptr;  // alive as long as this one
  std::string_view name_;
  std::size_t index_ = 0;
  int levels_ = 0;
  Kind kind_ = Kind::root;
};

}  // namespace cobus
