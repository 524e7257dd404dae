// SPDX-License-Identifier: Apache-2.0
//
// Services: what generated code (x.cobus.h) and those who implement it need. A module that a node loads
// with --service says COBUS_SERVICE(Class) once, and COBUS_WORKER for each kind of worker that it brings.
#pragma once

#include <cobus/worker.hpp>

#include <memory>

#include "node/worker/kind.hpp"     // IWYU pragma: export
#include "node/worker/service.hpp"  // IWYU pragma: export

// Changes whenever a module built before could no longer be loaded.
#define COBUS_MODULE_VERSION 1

// Makes `Class`, which has a default constructor, the service of this module.
#define COBUS_SERVICE(Class)                                                                   \
  extern "C" __attribute__((visibility("default"))) int cobus_module_version() {               \
    return COBUS_MODULE_VERSION;                                                               \
  }                                                                                            \
  extern "C" __attribute__((visibility("default"))) ::cobus::Service* cobus_module_service() { \
    return new Class();                                                                        \
  }

// Makes `function`, a Task<>(Self, Message), the kind of worker `name` ("package.Worker") of this module:
// other workers, on this node and others, have one made with spawn_at(). A module may bring several.
#define COBUS_WORKER(name, function)                                                 \
  [[maybe_unused]] static const bool COBUS_JOINED(cobus_worker_kind_, __COUNTER__) = \
      (::cobus::module_kinds().push_back({COBUS_MODULE_VERSION, ::cobus::make_kind(name, function)}), true)
#define COBUS_JOINED(left, right) COBUS_JOINED_NOW(left, right)
#define COBUS_JOINED_NOW(left, right) left##right
