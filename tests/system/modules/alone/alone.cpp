// SPDX-License-Identifier: Apache-2.0
//
// A module that can be loaded where nothing else has its messages.
#include "alone/alone.cobus.h"

namespace {

class Alone final : public alone::AloneService {
 public:
  cobus::Task<cobus::Result<notes::Note>> Write(cobus::Call, notes::Note note) override { co_return note; }
};

}  // namespace

COBUS_SERVICE(Alone);
