// SPDX-License-Identifier: Apache-2.0
//
// Coroutines for those who write workers: tasks, streams and generators; running several of them; sleep,
// yield and offload; what coroutines of one shard share.
#pragma once

#include "node/runtime/all.hpp"           // IWYU pragma: export
#include "node/runtime/any.hpp"           // IWYU pragma: export
#include "node/runtime/await.hpp"         // IWYU pragma: export
#include "node/runtime/channel.hpp"       // IWYU pragma: export
#include "node/runtime/event.hpp"         // IWYU pragma: export
#include "node/runtime/generator.hpp"     // IWYU pragma: export
#include "node/runtime/mutex.hpp"         // IWYU pragma: export
#include "node/runtime/offload.hpp"       // IWYU pragma: export
#include "node/runtime/race.hpp"          // IWYU pragma: export
#include "node/runtime/scope.hpp"         // IWYU pragma: export
#include "node/runtime/semaphore.hpp"     // IWYU pragma: export
#include "node/runtime/signal.hpp"        // IWYU pragma: export
#include "node/runtime/stream.hpp"        // IWYU pragma: export
#include "node/runtime/task.hpp"          // IWYU pragma: export
#include "node/runtime/with_timeout.hpp"  // IWYU pragma: export
