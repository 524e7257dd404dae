// SPDX-License-Identifier: Apache-2.0
//
// Workers with a mailbox: Self, receive, send, spawn, call; calls with streams.
#pragma once

#include <cobus/status.hpp>
#include <cobus/task.hpp>

#include "node/worker/call.hpp"         // IWYU pragma: export
#include "node/worker/call_stream.hpp"  // IWYU pragma: export
#include "node/worker/self.hpp"         // IWYU pragma: export
#include "node/worker/spawn.hpp"        // IWYU pragma: export
#include "node/worker/supervisor.hpp"   // IWYU pragma: export
