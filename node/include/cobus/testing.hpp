// SPDX-License-Identifier: Apache-2.0
//
// Unit tests of handlers and workers: a node on simulated time, in one thread. Links with cobus::testing.
#pragma once

#include <cobus/service.hpp>

#include "node/worker/simulated_node.hpp"  // IWYU pragma: export
