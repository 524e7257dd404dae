// SPDX-License-Identifier: Apache-2.0
//
// Calls greet.Greeter in the cluster that $COBUS_STATE names, and prints the answer.
#include <cobus/client.hpp>

#include <cstdio>

#include "greet.cobus.h"

namespace {

cobus::Task<cobus::Result<greet::GreetReply>> ask(cobus::Self self, greet::GreetRequest request) {
  co_return co_await greet::GreeterStub(self).Greet(std::move(request));
}

}  // namespace

int main(int argc, char** argv) {
  auto session = cobus::client::Session::open({});
  if (!session) {
    std::fprintf(stderr, "%s\n", session.error().message().c_str());
    return 69;
  }
  greet::GreetRequest request;
  if (argc > 1) request.set_name(argv[1]);
  const cobus::Result<greet::GreetReply> reply = (*session)->run(&ask, request);
  if (!reply) {
    std::fprintf(stderr, "%s\n", reply.error().message().c_str());
    return 1;
  }
  std::puts(reply->text().c_str());
  return 0;
}
