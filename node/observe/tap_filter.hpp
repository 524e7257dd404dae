// SPDX-License-Identifier: Apache-2.0
//
// What a watcher of a tap wants to see. A pure function.
#pragma once

#include <cobus/v1/observe.pb.h>

namespace cobus {

// Whether `record` is one of those that `filter` asks for.
[[nodiscard]] bool wanted(const v1::TapRequest& filter, const v1::TapRecord& record);

}  // namespace cobus
