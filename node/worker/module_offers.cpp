// SPDX-License-Identifier: Apache-2.0
#include "node/worker/module_offers.hpp"

namespace cobus {

std::vector<ModuleService>& module_services() {
  static std::vector<ModuleService> all;
  return all;
}

std::vector<ModuleKind>& module_kinds() {
  static std::vector<ModuleKind> all;
  return all;
}

}  // namespace cobus
