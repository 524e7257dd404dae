// SPDX-License-Identifier: Apache-2.0
//
// Services: what generated code (x.cobus.h) and those who implement it need. A module that a node loads
// with --service says COBUS_SERVICE(Class) for each service and COBUS_WORKER for each kind of worker that it
// brings.
#pragma once

#include <cobus/worker.hpp>

#include "node/worker/kind.hpp"           // IWYU pragma: export
#include "node/worker/module_offers.hpp"  // IWYU pragma: export
#include "node/worker/service.hpp"        // IWYU pragma: export

// Changes whenever a module built before could no longer be loaded.
#define COBUS_MODULE_VERSION 2

// Makes `Class`, which has a default constructor, a service of this module. A module may bring several.
#define COBUS_SERVICE(Class)                                                     \
  [[maybe_unused]] static const bool COBUS_JOINED(cobus_service_, __COUNTER__) = \
      (::cobus::module_services().push_back(::cobus::module_service<Class>(COBUS_MODULE_VERSION)), true)

// Makes `function`, a Task<>(Self, Message), the kind of worker `name` ("package.Worker") of this module:
// other workers, on this node and others, have one made with spawn_at(). A module may bring several.
#define COBUS_WORKER(name, function)                                                 \
  [[maybe_unused]] static const bool COBUS_JOINED(cobus_worker_kind_, __COUNTER__) = \
      (::cobus::module_kinds().push_back({COBUS_MODULE_VERSION, ::cobus::make_kind(name, function)}), true)
#define COBUS_JOINED(left, right) COBUS_JOINED_NOW(left, right)
#define COBUS_JOINED_NOW(left, right) left##right
