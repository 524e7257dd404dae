// SPDX-License-Identifier: Apache-2.0
//
// A module whose answers are whatever bytes a test asks for.
#include <cobus/service.hpp>

#include "odd.cobus.h"

namespace {

using odd::Raw;
using odd::Reply;
using odd::Strict;

template <class Message>
Message of(const Raw& raw) {
  Message message;
  static_cast<void>(message.ParsePartialFromString(raw.bytes()));
  return message;
}

class Odd final : public odd::OddService {
 public:
  cobus::Task<cobus::Result<Reply>> Answer(cobus::Call, Raw request) override {
    co_return of<Reply>(request);
  }
  cobus::Stream<Reply> Stream(cobus::Call, Raw request) override {
    for (int i = 0; i < 3; ++i) co_yield of<Reply>(request);
  }
  cobus::Task<cobus::Result<Strict>> Lacking(cobus::Call, Raw request) override {
    co_return of<Strict>(request);
  }
  cobus::Task<cobus::Result<Reply>> Fail(cobus::Call, Raw request) override {
    co_return cobus::fail(cobus::Code::invalid_argument, request.bytes());
  }
  cobus::Task<cobus::Result<Reply>> Echo(cobus::Call, Reply request) override { co_return request; }
};

}  // namespace

COBUS_SERVICE(Odd);
