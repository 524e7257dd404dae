// SPDX-License-Identifier: Apache-2.0
//
// A module that calls the service of another module, with a message that both know.
#include "left.cobus.h"

namespace {

using notes::Note;

class Left final : public left::LeftService {
 public:
  cobus::Task<cobus::Result<Note>> Write(cobus::Call call, Note note) override {
    co_return co_await cobus::call_method<Note>(call.self(), cobus::NodeId::none, "right.Right/Write",
                                                std::move(note));
  }
};

}  // namespace

COBUS_SERVICE(Left);
