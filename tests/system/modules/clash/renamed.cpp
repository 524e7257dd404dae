// SPDX-License-Identifier: Apache-2.0
//
// A module whose message has the name of a shared one, from a file of another name.
#include "renamed.cobus.h"

namespace {

class Renamed final : public notes::RenamedService {};

}  // namespace

COBUS_SERVICE(Renamed);
