// SPDX-License-Identifier: Apache-2.0
#include "proto/json_scalar.hpp"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <optional>

#include "proto/json_text.hpp"
#include "proto/well_known.hpp"

namespace cobus {
namespace {

namespace pb = google::protobuf;
using Json = nlohmann::json;
using Field = pb::FieldDescriptor;

template <class Number>
std::optional<Number> number_of(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Numbers may be written as strings. parse_json() has made integers of 1.0 and 1e3.
template <class Integer>
std::optional<Integer> integer_of(const Json& value) {
  if (value.is_string()) return number_of<Integer>(value.get_ref<const std::string&>());
  if (value.is_number_unsigned()) {
    const auto number = value.get<std::uint64_t>();
    if (number > static_cast<std::uint64_t>(std::numeric_limits<Integer>::max())) return std::nullopt;
    return static_cast<Integer>(number);
  }
  if (value.is_number_integer()) {
    const auto number = value.get<std::int64_t>();
    if (std::in_range<Integer>(number)) return static_cast<Integer>(number);
    return std::nullopt;
  }
  if (value.is_number_float() && value.get<double>() == 0) return Integer{0};  // "-0"
  return std::nullopt;
}

std::optional<double> double_of(const Json& value) {
  if (value.is_number()) return value.get<double>();
  if (is_wide(value)) return std::strtod(wide_digits(value).c_str(), nullptr);
  if (!value.is_string()) return std::nullopt;
  const std::string& text = value.get_ref<const std::string&>();
  if (text == "NaN") return std::numeric_limits<double>::quiet_NaN();
  if (text == "Infinity") return std::numeric_limits<double>::infinity();
  if (text == "-Infinity") return -std::numeric_limits<double>::infinity();
  // from_chars takes "inf" and "nan" too.
  if (text.find_first_not_of("0123456789.eE+-") != std::string::npos) return std::nullopt;
  return number_of<double>(text);
}

std::optional<float> float_of(const Json& value) {
  const std::optional<double> wide = double_of(value);
  if (!wide) return std::nullopt;
  const auto narrow = static_cast<float>(*wide);
  if (std::isinf(narrow) && std::isfinite(*wide)) return std::nullopt;
  return narrow;
}

std::optional<bool> bool_of(const Json& value) {
  if (value.is_boolean()) return value.get<bool>();
  if (value.is_string() && value == "true") return true;
  if (value.is_string() && value == "false") return false;
  return std::nullopt;
}

std::optional<std::string> text_of(const Field& field, const Json& value) {
  if (!value.is_string()) return std::nullopt;
  const std::string& text = value.get_ref<const std::string&>();
  return field.type() == Field::TYPE_BYTES ? parse_base64(text) : text;
}

// Reflection's setter and adder of one C++ type.
template <class T>
using Store = void (pb::Reflection::*)(pb::Message*, const Field*, T) const;

template <class T, class Value>
bool stored(const Field& field, pb::Message& into, std::optional<Value> value, Store<T> set, Store<T> add) {
  if (!value) return false;
  (into.GetReflection()->*(field.is_repeated() ? add : set))(&into, &field, std::move(*value));
  return true;
}

}  // namespace

std::string taken_by(const Field& field) {
  switch (field.cpp_type()) {
    case Field::CPPTYPE_INT32:
      return "a whole number from -2147483648 to 2147483647";
    case Field::CPPTYPE_UINT32:
      return "a whole number from 0 to 4294967295";
    case Field::CPPTYPE_INT64:
      return "a whole number of 64 bits";
    case Field::CPPTYPE_UINT64:
      return "a whole number of 64 bits, not below 0";
    case Field::CPPTYPE_FLOAT:
      return "a number up to 3.4028235e+38";
    case Field::CPPTYPE_DOUBLE:
      return "a number";
    case Field::CPPTYPE_BOOL:
      return "true or false";
    case Field::CPPTYPE_STRING:
      return field.type() == Field::TYPE_BYTES ? "bytes as a base64 string" : "a string";
    case Field::CPPTYPE_ENUM:
      return "a value of " + field.enum_type()->full_name();
    case Field::CPPTYPE_MESSAGE:
      return "an object (" + field.message_type()->full_name() + ")";
  }
  return "another value";
}

bool store_scalar(const Field& field, const Json& value, pb::Message& into) {
  using R = pb::Reflection;
  switch (field.cpp_type()) {
    case Field::CPPTYPE_INT32:
      return stored<std::int32_t>(field, into, integer_of<std::int32_t>(value), &R::SetInt32, &R::AddInt32);
    case Field::CPPTYPE_UINT32:
      return stored<std::uint32_t>(field, into, integer_of<std::uint32_t>(value), &R::SetUInt32,
                                   &R::AddUInt32);
    case Field::CPPTYPE_INT64:
      return stored<std::int64_t>(field, into, integer_of<std::int64_t>(value), &R::SetInt64, &R::AddInt64);
    case Field::CPPTYPE_UINT64:
      return stored<std::uint64_t>(field, into, integer_of<std::uint64_t>(value), &R::SetUInt64,
                                   &R::AddUInt64);
    case Field::CPPTYPE_FLOAT:
      return stored<float>(field, into, float_of(value), &R::SetFloat, &R::AddFloat);
    case Field::CPPTYPE_DOUBLE:
      return stored<double>(field, into, double_of(value), &R::SetDouble, &R::AddDouble);
    case Field::CPPTYPE_BOOL:
      return stored<bool>(field, into, bool_of(value), &R::SetBool, &R::AddBool);
    case Field::CPPTYPE_STRING:
      return stored<std::string>(field, into, text_of(field, value), &R::SetString, &R::AddString);
    default:
      return false;
  }
}

bool held_by_double(const Json& value) {
  if (is_wide(value)) {
    char exact[400];  // a double has at most 309 digits
    std::snprintf(exact, sizeof exact, "%.0f", std::strtod(wide_digits(value).c_str(), nullptr));
    return wide_digits(value) == exact;
  }
  // Compared as long double, whose 64 bits of mantissa hold every integer of either type.
  if (value.is_number_unsigned()) {
    const auto number = value.get<std::uint64_t>();
    return static_cast<long double>(static_cast<double>(number)) == static_cast<long double>(number);
  }
  if (!value.is_number_integer()) return true;
  const auto number = value.get<std::int64_t>();
  return static_cast<long double>(static_cast<double>(number)) == static_cast<long double>(number);
}

bool read_enum_number(const Json& value, int& number) {
  const std::optional<std::int32_t> given = integer_of<std::int32_t>(value);
  if (given) number = *given;
  return given.has_value();
}

}  // namespace cobus
