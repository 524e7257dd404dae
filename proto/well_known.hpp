// SPDX-License-Identifier: Apache-2.0
//
// WellKnown: the texts that JSON has for some messages of google.protobuf and for bytes, both ways, with the
// ranges that their definitions give. Used by JsonReader and JsonWriter. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cobus {

// What a Timestamp (since 1970) and a Duration hold.
struct SecondsAndNanos {
  std::int64_t seconds = 0;
  std::int32_t nanos = 0;
  friend bool operator==(const SecondsAndNanos&, const SecondsAndNanos&) = default;
};

// "2020-01-02T03:04:05.120Z", from year 1 to 9999. Nothing when it is out of that range.
[[nodiscard]] std::optional<std::string> timestamp_text(SecondsAndNanos time);
// Takes an offset ("+01:00") in place of Z too. Nothing when `text` is no such time.
[[nodiscard]] std::optional<SecondsAndNanos> parse_timestamp(std::string_view text);

// "1.500s", at most 315,576,000,000 s (about 10,000 years) either way. Nothing when it is out of that range,
// or when seconds and nanos have different signs.
[[nodiscard]] std::optional<std::string> duration_text(SecondsAndNanos duration);
[[nodiscard]] std::optional<SecondsAndNanos> parse_duration(std::string_view text);

// A path of a FieldMask, "user.display_name", as JSON has it, "user.displayName", and back. Nothing when the
// way back would give another path.
[[nodiscard]] std::optional<std::string> mask_path_text(std::string_view path);
[[nodiscard]] std::optional<std::string> parse_mask_path(std::string_view text);

[[nodiscard]] std::string base64_text(std::string_view bytes);
// Of both alphabets, with or without padding. Nothing when `text` is no base64.
[[nodiscard]] std::optional<std::string> parse_base64(std::string_view text);

}  // namespace cobus
