// SPDX-License-Identifier: Apache-2.0
#include "node/observe/services.hpp"

#include <cobus/v1/observe.cobus.h>
#include <cobus/v1/worker.pb.h>

#include <algorithm>
#include <unordered_map>

#include "proto/schema.hpp"

namespace cobus {
namespace {

class SchemaService final : public v1::SchemasService {
 public:
  explicit SchemaService(Node& node) : node_(node) {}

  Task<Result<v1::FetchSchemaReply>> Fetch(Call /*call*/, v1::FetchSchemaRequest request) override {
    v1::FetchSchemaReply reply;
    for (const Service* service : node_.services()) {
      const auto files = collect_files(service->info().descriptor->file());
      const std::string digest = schema_digest(files);
      const auto& asked = request.digests();
      if (!asked.empty() && std::find(asked.begin(), asked.end(), digest) == asked.end()) continue;
      v1::Schema& schema = *reply.add_schemas();
      schema.set_digest(digest);
      *schema.mutable_files() = files;
    }
    co_return reply;
  }

 private:
  Node& node_;
};

class ObserveService final : public v1::ObserveService {
 public:
  explicit ObserveService(class Tap& tap) : tap_(tap) {}

  Stream<v1::TapBatch> Tap(Call /*call*/, v1::TapRequest request) override {
    cobus::Tap::Watcher watcher(tap_, std::move(request));
    // An empty batch at once tells the watcher that from now on it sees.
    co_yield v1::TapBatch();
    while (std::optional<v1::TapBatch> batch = co_await watcher.next()) co_yield std::move(*batch);
  }

 private:
  class Tap& tap_;
};

void index_types(const google::protobuf::Descriptor* message,
                 std::unordered_map<TypeId, std::string>& names) {
  names.emplace(type_id(message->full_name()), message->full_name());
  for (int i = 0; i < message->nested_type_count(); ++i) index_types(message->nested_type(i), names);
}

}  // namespace

std::unique_ptr<Service> make_schema_service(Node& node) { return std::make_unique<SchemaService>(node); }
std::unique_ptr<Service> make_observe_service(Tap& tap) { return std::make_unique<ObserveService>(tap); }

v1::ServiceRecord describe_service(const Service& service) {
  const ServiceInfo& info = service.info();
  v1::ServiceRecord record;
  record.set_name(info.name);
  record.set_schema_digest(schema_digest(collect_files(info.descriptor->file())));
  record.set_internal(info.name.starts_with("cobus.v1."));
  for (const Method& method : info.methods) {
    v1::MethodRecord& described = *record.add_methods();
    described.set_name(method.name);
    described.set_input(method.descriptor->input_type()->full_name());
    described.set_output(method.descriptor->output_type()->full_name());
    described.set_streaming(method.streaming);
    described.set_client_streaming(method.client_streaming);
    described.set_where(method.options.where());
    *described.mutable_roles() = method.options.roles();
    described.set_timeout_ms(method.options.timeout_ms());
    described.set_idempotent(method.options.idempotent());
  }
  return record;
}

std::vector<v1::ServiceRecord> describe_offers(const Node& node) {
  std::vector<v1::ServiceRecord> offers;
  for (const Service* service : node.services()) offers.push_back(describe_service(*service));
  for (std::string& kind : node.kinds()) {
    v1::ServiceRecord& record = offers.emplace_back();
    record.set_name(std::move(kind));
    record.set_internal(true);
    record.set_worker_kind(true);
  }
  return offers;
}

std::vector<std::pair<TypeId, std::string>> known_types(const Node& node) {
  std::unordered_map<TypeId, std::string> names;
  for (const Service* service : node.services()) {
    for (const auto& file : collect_files(service->info().descriptor->file()).file()) {
      const auto* known = google::protobuf::DescriptorPool::generated_pool()->FindFileByName(file.name());
      if (known == nullptr) continue;
      for (int i = 0; i < known->message_type_count(); ++i) index_types(known->message_type(i), names);
    }
  }
  // What the runtime itself has to say.
  const google::protobuf::FileDescriptor* own = v1::Down::descriptor()->file();
  for (int i = 0; i < own->message_type_count(); ++i) index_types(own->message_type(i), names);
  std::vector<std::pair<TypeId, std::string>> sorted(names.begin(), names.end());
  std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return sorted;
}

std::function<std::string(TypeId)> type_names(const Node& node) {
  const auto known = known_types(node);
  auto names = std::make_shared<std::unordered_map<TypeId, std::string>>(known.begin(), known.end());
  return [names](TypeId type) {
    const auto found = names->find(type);
    return found != names->end() ? found->second : to_string(NodeId{static_cast<std::uint64_t>(type)});
  };
}

}  // namespace cobus
