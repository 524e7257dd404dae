// SPDX-License-Identifier: Apache-2.0
//
// The test of one's own door at start. CURVE alone lets anybody in, and so does a forgotten option or
// a libzmq that no longer knows it: nothing fails, strangers simply enter. So a door that is just
// open is dialled with a key that the ZAP handler must refuse.
#pragma once

#include "node/link/access.hpp"
#include "node/link/transport.hpp"

namespace cobus::link {

// Polls `transport` until its door has answered a stranger made in `context`; takes some milliseconds.
// FAILED_PRECONDITION when the stranger got in or got no answer.
[[nodiscard]] Status check_door(Transport& transport, Access& access, void* context,
                                const CurveKey& door_key);

}  // namespace cobus::link
