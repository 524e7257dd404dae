// SPDX-License-Identifier: Apache-2.0
#include "node/worker/service.hpp"

#include <algorithm>
#include <exception>

#include "node/runtime/check.hpp"

namespace cobus {

bool admits(const google::protobuf::RepeatedField<int>& roles, v1::Role role) noexcept {
  if (roles.empty()) return role == v1::NODE || role == v1::SUBMIT || role == v1::ADMIN;
  return std::find(roles.begin(), roles.end(), role) != roles.end();
}

bool Method::admits(v1::Role role) const noexcept { return cobus::admits(options.roles(), role); }

ServiceInfo make_service_info(std::string_view name, std::vector<Method> methods) {
  ServiceInfo info;
  info.name = name;
  info.descriptor = google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(info.name);
  COBUS_CHECK(info.descriptor != nullptr);
  info.methods = std::move(methods);
  for (Method& method : info.methods) {
    method.descriptor = info.descriptor->FindMethodByName(method.name);
    COBUS_CHECK(method.descriptor != nullptr);
    method.options = method.descriptor->options().GetExtension(v1::method);
    method.name = info.name + '/' + method.name;
  }
  return info;
}

namespace detail {

Status exception_status() noexcept {
  try {
    throw;
  } catch (const std::exception& error) {
    return {Code::internal, std::string("the handler threw: ") + error.what()};
  } catch (...) {
    return {Code::internal, "the handler threw something that is not a std::exception"};
  }
}

}  // namespace detail
}  // namespace cobus
