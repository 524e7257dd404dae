// SPDX-License-Identifier: Apache-2.0
//
// Coroutines for those who write workers: Task, Stream, Scope, sleep, yield, offload.
#pragma once

#include "node/runtime/await.hpp"    // IWYU pragma: export
#include "node/runtime/offload.hpp"  // IWYU pragma: export
#include "node/runtime/scope.hpp"    // IWYU pragma: export
#include "node/runtime/signal.hpp"   // IWYU pragma: export
#include "node/runtime/stream.hpp"   // IWYU pragma: export
#include "node/runtime/task.hpp"     // IWYU pragma: export
