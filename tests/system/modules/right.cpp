// SPDX-License-Identifier: Apache-2.0
//
// A module that answers with the message that another module asked with.
#include "right.cobus.h"

namespace {

using notes::Note;

class Right final : public right::RightService {
 public:
  cobus::Task<cobus::Result<Note>> Write(cobus::Call, Note note) override {
    note.set_text("read: " + note.text());
    co_return note;
  }
};

}  // namespace

COBUS_SERVICE(Right);
