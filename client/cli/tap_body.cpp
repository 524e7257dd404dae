// SPDX-License-Identifier: Apache-2.0
#include "client/cli/tap_body.hpp"

#include <cobus/v1/job.pb.h>

#include <charconv>
#include <vector>

#include "proto/type_id.hpp"

namespace cobus::client {
namespace {

using Message = google::protobuf::Descriptor;

template <class T>
bool is(const v1::TapRecord& record) {
  return record.type() == T::descriptor()->full_name();
}

template <class T>
T parsed(const v1::TapRecord& record) {
  T message;
  if (!message.ParseFromString(record.body())) message.Clear();
  return message;
}

// The jobs in the body, in the order in which its JSON has them.
std::vector<v1::Job> jobs_of(const v1::TapRecord& record) {
  if (is<v1::Job>(record)) return {parsed<v1::Job>(record)};
  if (is<v1::JobEvent>(record)) return {parsed<v1::JobEvent>(record).job()};
  if (!is<v1::GetJobReply>(record)) return {};
  const auto reply = parsed<v1::GetJobReply>(record);
  return {reply.jobs().begin(), reply.jobs().end()};
}

// A node that does not offer a service knows only the ids of its types.
const Message* type_of(const v1::TapRecord& record, const SchemaVersions& schemas) {
  if (const Message* const found = schemas.find_message(record.type())) return found;
  std::uint64_t id = 0;
  const std::string& text = record.type();
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id, 16);
  return error == std::errc() && end == text.data() + text.size() ? schemas.find_type(id) : nullptr;
}

Json nested(const Catalog& catalog, const Message* type, const std::string& what, const std::string& bytes) {
  return catalog.decoded(type, what, bytes, true);
}

void show_result(Json& shown, const v1::Job& job, const Catalog& catalog) {
  if (!shown.is_object() || job.state() != v1::SUCCEEDED || job.result().empty()) {
    if (shown.is_object()) shown.erase("result");
    return;
  }
  const auto* const method = catalog.loaded_method(job.method(), job.node());
  shown["result"] = nested(catalog, method != nullptr ? method->output_type() : nullptr,
                           "result of " + job.method(), job.result());
}

}  // namespace

std::set<std::string> methods_of_body(const v1::TapRecord& record) {
  std::set<std::string> methods;
  if (!record.method().empty()) methods.insert(record.method());
  if (is<v1::SubmitRequest>(record)) methods.insert(parsed<v1::SubmitRequest>(record).method());
  for (const v1::Job& job : jobs_of(record)) methods.insert(job.method());
  methods.erase("");
  return methods;
}

Json tap_body(const v1::TapRecord& record, const Catalog& catalog) {
  // The node left out a body that was too large for it.
  if (record.body().size() < record.size()) return Json{{"type", record.type()}, {"bytes", record.size()}};
  Json body = catalog.decoded(type_of(record, catalog.schemas()), record.type(), record.body(), true);
  if (is<v1::SubmitRequest>(record)) {
    const auto request = parsed<v1::SubmitRequest>(record);
    const auto* const method = catalog.loaded_method(request.method());
    body["payload"] = nested(catalog, method != nullptr ? method->input_type() : nullptr,
                             "request of " + request.method(), request.payload());
  } else if (is<v1::TapBatch>(record)) {
    body.erase("records");  // what another tap sees
  } else if (is<v1::GetJobReply>(record)) {
    const std::vector<v1::Job> jobs = jobs_of(record);
    Json& shown = body["jobs"];
    for (std::size_t i = 0; i < jobs.size() && i < shown.size(); ++i) show_result(shown[i], jobs[i], catalog);
  } else if (const std::vector<v1::Job> jobs = jobs_of(record); !jobs.empty()) {
    show_result(is<v1::Job>(record) ? body : body["job"], jobs.front(), catalog);
  }
  return body;
}

}  // namespace cobus::client
