// SPDX-License-Identifier: Apache-2.0
//
// cobus.v1.Schemas and cobus.v1.Observe: what lets clients that know no service at compile time call
// them, and watch the traffic.
#pragma once

#include <cobus/v1/directory.pb.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "node/observe/tap.hpp"
#include "node/worker/service.hpp"

namespace cobus {

// Serves the schemas of all services of `node`, which must outlive it. Register it last.
[[nodiscard]] std::unique_ptr<Service> make_schema_service(Node& node);
[[nodiscard]] std::unique_ptr<Service> make_observe_service(Tap& tap);

// How a service stands in the directory: its methods and the digest of its schema.
[[nodiscard]] v1::ServiceRecord describe_service(const Service& service);
// All that `node` offers: its services, and the kinds of workers that it makes.
[[nodiscard]] std::vector<v1::ServiceRecord> describe_offers(const Node& node);

// The message types of the services of `node` as it is now, and those of the runtime itself, by name.
[[nodiscard]] std::vector<std::pair<TypeId, std::string>> known_types(const Node& node);
// Names the message types of the services of `node` as it is now; others by their id in hexadecimal. The
// function may be called by any thread.
[[nodiscard]] std::function<std::string(TypeId)> type_names(const Node& node);

}  // namespace cobus
