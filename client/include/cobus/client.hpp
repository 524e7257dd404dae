// SPDX-License-Identifier: Apache-2.0
//
// For programs that use a cluster and offer nothing. Links with cobus::client.
//   auto session = cobus::client::Session::open({});            // as the state folder says
//   auto reply = (*session)->run(&ask, request);                // Task<Result<Reply>> ask(Self, Request)
// and in `ask`, typed stubs or call_envelope as in any worker.
#pragma once

#include <cobus/worker.hpp>

#include "client/session.hpp"  // IWYU pragma: export
