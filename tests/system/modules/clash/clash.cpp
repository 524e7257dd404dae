// SPDX-License-Identifier: Apache-2.0
//
// A module whose .proto has the name of one of cobus-node.
#include "echo.cobus.h"

namespace {

class Clash final : public clash::ClashService {};

}  // namespace

COBUS_SERVICE(Clash);
