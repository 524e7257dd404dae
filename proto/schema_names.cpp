// SPDX-License-Identifier: Apache-2.0
//
// SchemaPool's search by name: the whole one or any tail of it, and help for one mistyped.
#include <algorithm>
#include <functional>

#include "proto/schema.hpp"
#include "proto/similar.hpp"

namespace cobus {
namespace {

namespace pb = google::protobuf;

// What find() needs to know about a kind of thing that has a name.
struct Kind {
  const char* noun;
  const char* where_to_look;  // for the mend
};

std::string shown(const pb::MethodDescriptor* method) {
  return method->service()->full_name() + "/" + method->name();
}
template <class Descriptor>
std::string shown(const Descriptor* descriptor) {
  return descriptor->full_name();
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

template <class Descriptor>
Result<const Descriptor*> find(std::string_view name, const std::vector<const Descriptor*>& all,
                               const Kind& kind) {
  std::string wanted(name);
  std::ranges::replace(wanted, '/', '.');
  std::vector<const Descriptor*> fitting;
  std::vector<std::string> names;
  for (const Descriptor* one : all) {
    if (one->full_name() == wanted) return one;
    if (!wanted.empty() && one->full_name().ends_with("." + wanted)) fitting.push_back(one);
    names.push_back(shown(one));
  }
  if (fitting.size() == 1) return fitting.front();
  if (fitting.size() > 1) {
    std::string text = "'" + std::string(name) + "' fits several " + kind.noun + "s: ";
    for (const Descriptor* one : fitting) text += (one == fitting.front() ? "" : ", ") + shown(one);
    return fail(Code::invalid_argument, text + "; write one of them in full");
  }
  std::string text = std::string("no ") + kind.noun + " named '" + std::string(name) + "'";
  if (const std::string nearest = suggestion(wanted, names); !nearest.empty()) {
    return fail(Code::not_found, text + "; did you mean " + nearest + "?");
  }
  return fail(Code::not_found, text + "; " + kind.where_to_look);
}

}  // namespace

Result<const pb::MethodDescriptor*> SchemaPool::find_method(std::string_view name) const {
  std::vector<const pb::MethodDescriptor*> all;
  for (const pb::ServiceDescriptor* service : services()) {
    for (int i = 0; i < service->method_count(); ++i) all.push_back(service->method(i));
  }
  return find(name, all, Kind{.noun = "method", .where_to_look = "`cobus services` lists what nodes offer"});
}

Result<const pb::ServiceDescriptor*> SchemaPool::find_service(std::string_view name) const {
  return find(name, services(),
              Kind{.noun = "service", .where_to_look = "`cobus services` lists what nodes offer"});
}

Result<const pb::Descriptor*> SchemaPool::find_message(std::string_view name) const {
  std::vector<const pb::Descriptor*> all;
  for (const auto& [id, message] : types_) all.push_back(message);
  std::ranges::sort(all, std::less{}, [](const pb::Descriptor* message) { return message->full_name(); });
  return find(
      name, all,
      Kind{.noun = "message", .where_to_look = "`cobus describe SERVICE` shows the messages of a service"});
}

}  // namespace cobus
