// SPDX-License-Identifier: Apache-2.0
//
// process_load: what this process uses of the machine.
#pragma once

#include <cobus/v1/directory.pb.h>

namespace cobus {

// CPU (in cores, averaged since the last call) and resident memory; the other fields are left alone. Any
// thread.
[[nodiscard]] v1::Load process_load();

}  // namespace cobus
