// SPDX-License-Identifier: Apache-2.0
//
// The node that a worker lives on, as Self::node() gives it: its name and id, its peers, its names of
// workers.
#pragma once

#include <cobus/worker.hpp>

#include "node/worker/node.hpp"  // IWYU pragma: export
