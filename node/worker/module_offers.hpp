// SPDX-License-Identifier: Apache-2.0
//
// What the code in this process has registered with COBUS_SERVICE and COBUS_WORKER, which run before main, or
// while a module is loaded. Whoever loads modules takes it from here; so does SimulatedNode. Main thread.
#pragma once

#include <concepts>
#include <memory>
#include <vector>

#include "node/worker/kind.hpp"
#include "node/worker/service.hpp"

namespace cobus {

namespace rule {

template <class T>
concept derives_from_a_generated_service_class = std::derived_from<T, Service>;
template <class T>
concept has_a_default_constructor = std::default_initializable<T>;

}  // namespace rule

// What COBUS_SERVICE takes.
template <class Class>
concept ServiceClass =
    rule::derives_from_a_generated_service_class<Class> && rule::has_a_default_constructor<Class>;

// Each with the module version that its code was built for.
struct ModuleService {
  int module_version;
  std::unique_ptr<Service> (*make)();
};
struct ModuleKind {
  int module_version;
  Kind kind;
};
[[nodiscard]] std::vector<ModuleService>& module_services();
[[nodiscard]] std::vector<ModuleKind>& module_kinds();

template <ServiceClass Class>
[[nodiscard]] ModuleService module_service(int module_version) {
  return {module_version, [] { return std::unique_ptr<Service>(std::make_unique<Class>()); }};
}

}  // namespace cobus
