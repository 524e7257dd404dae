// SPDX-License-Identifier: Apache-2.0
//
// Status, Result, fail: see proto/status.hpp.
#pragma once

#include "proto/status.hpp"  // IWYU pragma: export
