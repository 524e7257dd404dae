// SPDX-License-Identifier: Apache-2.0
//
// JsonWriter: JSON of a message by reflection: names of the .proto in its order, defaults included, 64-bit
// numbers as strings, entries of maps in the order of their keys. What JSON cannot say (a time of the year
// 10000, an Any of a type that nobody knows, text that is not UTF-8) is a problem with its field, and the
// rest is written all the same. Stands in place of the JSON of libprotobuf 3.21, which gives nothing of such
// a message and aborts on one without a required field. Used by one thread at a time.
#pragma once

#include <google/protobuf/message.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "proto/json_path.hpp"
#include "proto/json_reader.hpp"

namespace cobus {

struct JsonProblem {
  std::string field;         // its path; empty for the message itself
  std::string reason;        // "is a time outside of the years 0001 to 9999"
  std::string unknown_type;  // full name of an Any's type that is not known; else empty
};

class JsonWriter {
 public:
  using Json = nlohmann::ordered_json;
  using Message = google::protobuf::Message;
  using Field = google::protobuf::FieldDescriptor;
  static constexpr std::size_t problems_max = 20;

  // `new_message` must outlive it. `redact`: "***" for each field with option (cobus.v1.secret), and nothing
  // of an Any whose type is not known but its size.
  JsonWriter(const NewMessage& new_message, bool redact) : new_message_(new_message), redact_(redact) {}

  [[nodiscard]] Json write(const Message& message);
  // Of all messages written so far: the first problems_max of them.
  [[nodiscard]] std::vector<JsonProblem> take_problems() { return std::move(problems_); }

 private:
  [[nodiscard]] Json message_value(const Message& message, const JsonPath& path);
  void add_fields(const Message& message, const JsonPath& path, Json& object);
  void add_field(const Message& message, const Field& field, const JsonPath& path, Json& object);
  void add_extensions(const Message& message, const JsonPath& path, Json& object);
  [[nodiscard]] Json field_value(const Message& message, const Field& field, const JsonPath& path);
  [[nodiscard]] Json map_value(const Message& message, const Field& field, const JsonPath& path);
  // Of a singular field, or of one element of a repeated one.
  [[nodiscard]] Json single_value(const Message& message, const Field& field, int index,
                                  const JsonPath& path);
  [[nodiscard]] Json text_value(const std::string& text, const JsonPath& path);
  [[nodiscard]] Json well_known(const Message& message, const JsonPath& path);
  [[nodiscard]] Json mask_value(const Message& message, const JsonPath& path);
  [[nodiscard]] Json free_value(const Message& message, const JsonPath& path);
  [[nodiscard]] Json any_value(const Message& message, const JsonPath& path);
  // What is shown of an Any that cannot be taken apart.
  [[nodiscard]] Json closed_any(const std::string& url, const std::string& bytes) const;
  void problem(const JsonPath& path, std::string reason, std::string unknown_type = {});
  // Whether one more array or object fits at `path`; says so when it does not.
  bool fits(const JsonPath& path);

  const NewMessage& new_message_;
  const bool redact_;
  std::vector<JsonProblem> problems_;
};

// Takes nesting that is deeper than receivers take by themselves, so that a part of it can be shown. Required
// fields may be missing. False when `bytes` are no such message.
[[nodiscard]] bool parse_leniently(std::string_view bytes, google::protobuf::Message& into);

}  // namespace cobus
