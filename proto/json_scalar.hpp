// SPDX-License-Identifier: Apache-2.0
//
// JsonScalar: values of single fields out of JSON. Part of JsonReader. Pure functions.
#pragma once

#include <google/protobuf/message.h>

#include <nlohmann/json.hpp>
#include <string>

namespace cobus {

// What a value of the field looks like, for "takes ...".
[[nodiscard]] std::string taken_by(const google::protobuf::FieldDescriptor& field);

// Sets the field, or adds to it when it is repeated. False when the field does not take the value; the
// message is unchanged. The field is no message and no enum.
[[nodiscard]] bool store_scalar(const google::protobuf::FieldDescriptor& field, const nlohmann::json& value,
                                google::protobuf::Message& into);

// Whether a double is exactly the whole number `value`; true for what is no whole number.
[[nodiscard]] bool held_by_double(const nlohmann::json& value);
// The number of an enum: a whole number of 32 bits, or one in a string. False when it is none.
[[nodiscard]] bool read_enum_number(const nlohmann::json& value, int& number);

}  // namespace cobus
