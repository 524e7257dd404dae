// SPDX-License-Identifier: Apache-2.0
//
// The search by name: the whole one or any tail of it, and help for one mistyped.
#include <algorithm>
#include <cctype>
#include <functional>

#include "proto/schema.hpp"
#include "proto/schema_names.hpp"
#include "proto/similar.hpp"

namespace cobus {
namespace {

namespace pb = google::protobuf;

// What find() needs to know about a kind of thing that has a name.
struct Kind {
  const char* noun;
  const char* where_to_look;  // for the mend
};

constexpr std::size_t named_at_most = 6;

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return std::tolower(c); });
  return out;
}

std::string shown(const pb::MethodDescriptor* method) {
  return method->service()->full_name() + "/" + method->name();
}

// "Text/WordCount" of "text.Text/WordCount" for a name of two words: as many words as the user gave.
std::string tail_of(const std::string& full, std::ptrdiff_t words) {
  std::size_t at = full.size();
  while (words-- > 0 && at != std::string::npos && at != 0) at = full.find_last_of("./", at - 1);
  return at == std::string::npos || at == 0 ? full : full.substr(at + 1);
}

std::string suggestion(const std::string& wanted, const std::vector<std::string>& names) {
  const auto words = 1 + std::ranges::count(wanted, '.');
  std::vector<std::string> tails;
  for (const std::string& name : names) {
    tails.push_back(tail_of(name, words));
    std::ranges::replace(tails.back(), '/', '.');
  }
  const std::string nearest = most_similar(wanted, tails);
  return nearest.empty() ? nearest
                         : names[static_cast<std::size_t>(std::ranges::find(tails, nearest) - tails.begin())];
}

std::string dotted(std::string_view name) {
  std::string text(name);
  std::ranges::replace(text, '/', '.');
  return text;
}

Result<std::string> find(std::string_view name, const std::vector<std::string>& all, const Kind& kind) {
  const std::string wanted = dotted(name);
  std::vector<std::string> fitting;
  std::vector<std::string> names;
  for (const std::string& one : all) {
    if (std::ranges::find(names, one) != names.end()) continue;
    names.push_back(one);
    const std::string plain = dotted(one);
    if (plain == wanted) return one;
    if (!wanted.empty() && plain.ends_with("." + wanted)) fitting.push_back(one);
  }
  if (fitting.size() == 1) return fitting.front();
  if (fitting.size() > 1) return fail(ambiguous_name(name, kind.noun, fitting));
  std::string text = std::string("no ") + kind.noun + " named '" + std::string(name) + "'";
  if (const std::string nearest = suggestion(wanted, names); !nearest.empty()) {
    return fail(Code::not_found, text + "; did you mean " + nearest + "?");
  }
  return fail(Code::not_found, text + "; " + kind.where_to_look);
}

// "text.Text/Grep or text.Text/WordCount" if `name` is a service or package rather than a method, or a
// package rather than a service.
std::string inside(std::string_view name, const std::vector<const pb::ServiceDescriptor*>& services,
                   bool methods) {
  std::string wanted = lower(name);
  std::ranges::replace(wanted, '/', '.');
  std::vector<std::string> found;
  const auto add = [&found](std::string full) {
    if (std::ranges::find(found, full) == found.end()) found.push_back(std::move(full));
  };
  for (const pb::ServiceDescriptor* service : services) {
    const std::string full = lower(service->full_name());
    const bool of_package = lower(service->file()->package()) == wanted;
    if (wanted.empty() || !(of_package || (methods && (full == wanted || full.ends_with("." + wanted)))))
      continue;
    if (!methods) add(service->full_name());
    for (int i = 0; methods && i < service->method_count(); ++i) add(shown(service->method(i)));
  }
  std::string text;
  for (std::size_t i = 0; i < std::min(found.size(), named_at_most); ++i)
    text += (i == 0 ? "" : i + 1 == found.size() ? " or " : ", ") + found[i];
  return found.size() > named_at_most ? text + " ..." : text;
}

}  // namespace

Status ambiguous_name(std::string_view name, const std::string& noun,
                      const std::vector<std::string>& fitting) {
  std::string text = "'" + std::string(name) + "' fits several " + noun + "s: ";
  std::vector<std::string> sorted = fitting;
  std::ranges::sort(sorted);
  for (const std::string& one : sorted) text += (&one == &sorted.front() ? "" : ", ") + one;
  return {Code::invalid_argument, text + "; write one of them in full"};
}

Result<std::string> full_method_name(std::string_view name, const ServiceDescriptors& services) {
  std::vector<std::string> all;
  for (const pb::ServiceDescriptor* service : services) {
    for (int i = 0; i < service->method_count(); ++i) all.push_back(shown(service->method(i)));
  }
  const std::string in_it = inside(name, services, true);
  auto found =
      find(name, all, Kind{.noun = "method", .where_to_look = "`cobus services` lists what nodes offer"});
  if (found || in_it.empty() || found.error().code() != Code::not_found) return found;
  return fail(Code::not_found, "'" + std::string(name) + "' is no method; did you mean " + in_it + "?");
}

Result<std::string> full_service_name(std::string_view name, const ServiceDescriptors& services) {
  std::vector<std::string> all;
  for (const pb::ServiceDescriptor* service : services) all.push_back(service->full_name());
  auto found =
      find(name, all, Kind{.noun = "service", .where_to_look = "`cobus services` lists what nodes offer"});
  const std::string in_it = inside(name, services, false);
  if (found || in_it.empty() || found.error().code() != Code::not_found) return found;
  return fail(Code::not_found, "'" + std::string(name) + "' is a package; did you mean " + in_it + "?");
}

Result<std::string> full_message_name(std::string_view name, const std::vector<std::string>& names) {
  return find(
      name, names,
      Kind{.noun = "message", .where_to_look = "`cobus describe SERVICE` shows the messages of a service"});
}

Result<const pb::MethodDescriptor*> SchemaPool::find_method(std::string_view name) const {
  const auto full = full_method_name(name, services());
  if (!full) return fail(full.error());
  return pool_.FindMethodByName(dotted(*full));
}

Result<const pb::ServiceDescriptor*> SchemaPool::find_service(std::string_view name) const {
  const auto full = full_service_name(name, services());
  if (!full) return fail(full.error());
  return pool_.FindServiceByName(*full);
}

Result<const pb::Descriptor*> SchemaPool::find_message(std::string_view name) const {
  const auto full = full_message_name(name, messages());
  if (!full) return fail(full.error());
  return pool_.FindMessageTypeByName(*full);
}

std::vector<std::string> SchemaPool::messages() const {
  std::vector<std::string> names;
  for (const auto& [id, message] : types_) names.push_back(message->full_name());
  std::ranges::sort(names);
  return names;
}

}  // namespace cobus
