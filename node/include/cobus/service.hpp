// SPDX-License-Identifier: Apache-2.0
//
// Services: what generated code (x.cobus.h) and those who implement it need. A module that a node loads
// with --service says COBUS_SERVICE(Class) once.
#pragma once

#include <cobus/worker.hpp>

#include <memory>

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
