// SPDX-License-Identifier: Apache-2.0
//
// TapBody: what a tap shows of a payload. Fields marked secret are hidden at any depth, also in the request
// and result of a job, which travel as bytes inside messages of cobus.v1; what cannot be decoded is not shown
// at all, since nobody knows what in it is secret. Used by one verb's coroutines.
#pragma once

#include <cobus/v1/observe.pb.h>

#include <set>
#include <string>

#include "client/cli/catalog.hpp"

namespace cobus::client {

// The methods, in full, whose schemas tap_body() needs for this record.
[[nodiscard]] std::set<std::string> methods_of_body(const v1::TapRecord& record);

// The payload as JSON, secrets replaced; of what `catalog` has no schema for only type and size.
[[nodiscard]] Json tap_body(const v1::TapRecord& record, const Catalog& catalog);

}  // namespace cobus::client
