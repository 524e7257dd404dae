// SPDX-License-Identifier: Apache-2.0
//
// Which full name a user means who wrote all of it or a tail of it, among the names of schemas. SchemaPool
// looks in one set of schemas with it, the client in those of all nodes. '.' and '/' are the same. A name
// that occurs twice counts once: two versions of a service are no reason to ask which one is meant.
#pragma once

#include <google/protobuf/descriptor.h>

#include <string>
#include <string_view>
#include <vector>

#include "proto/status.hpp"

namespace cobus {

using ServiceDescriptors = std::vector<const google::protobuf::ServiceDescriptor*>;

// "package.Service/Method", "package.Service" or "package.Message". NOT_FOUND with the nearest name,
// INVALID_ARGUMENT with all that fit.
[[nodiscard]] Result<std::string> full_method_name(std::string_view name, const ServiceDescriptors& services);
[[nodiscard]] Result<std::string> full_service_name(std::string_view name,
                                                    const ServiceDescriptors& services);
[[nodiscard]] Result<std::string> full_message_name(std::string_view name,
                                                    const std::vector<std::string>& names);

// INVALID_ARGUMENT that names all of `fitting`, which `name` means as much as one another.
[[nodiscard]] Status ambiguous_name(std::string_view name, const std::string& noun,
                                    const std::vector<std::string>& fitting);

}  // namespace cobus
