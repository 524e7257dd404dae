// SPDX-License-Identifier: Apache-2.0
//
// Workers in an ordinary program, without a cluster.
#pragma once

#include <cobus/worker.hpp>

#include "node/worker/local_node.hpp"  // IWYU pragma: export
