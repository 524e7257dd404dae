// SPDX-License-Identifier: Apache-2.0
#include "node/worker/kind.hpp"

namespace cobus {

std::vector<ModuleKind>& module_kinds() {
  static std::vector<ModuleKind> all;
  return all;
}

}  // namespace cobus
