// SPDX-License-Identifier: Apache-2.0
//
// Unit tests of the handlers in greet.cpp, on simulated time. Exits 0 when all hold.
#include <cobus/testing.hpp>

#include <cstdio>
#include <string>
#include <vector>

#include "greet.cobus.h"

namespace {

int failures = 0;

void expect(bool holds, const char* what) {
  if (!holds) std::fprintf(stderr, "failed: %s\n", what);
  if (!holds) ++failures;
}

greet::GreetRequest named(std::string name) {
  greet::GreetRequest request;
  request.set_name(std::move(name));
  return request;
}

cobus::Task<cobus::Result<greet::GreetReply>> greet_it(cobus::Self self, std::string name) {
  co_return co_await greet::GreeterStub(self).Greet(named(std::move(name)));
}

cobus::Task<cobus::Result<greet::GreetReply>> wave_to(cobus::Self self, std::string name) {
  co_return co_await greet::FarewellStub(self).Wave(named(std::move(name)));
}

cobus::Task<std::vector<std::uint32_t>> count_to(cobus::Self self, std::uint32_t last) {
  greet::CountRequest request;
  request.set_to(last);
  auto items = greet::GreeterStub(self).Count(request);
  std::vector<std::uint32_t> numbers;
  while (auto item = co_await items.next()) numbers.push_back(item->number());
  co_return numbers;
}

}  // namespace

int main() {
  cobus::SimulatedNode node;
  const auto greeted = node.run(&greet_it, std::string("test"));
  expect(greeted && greeted->text() == "Hello, test!", "it greets by name");
  const auto refused = node.run(&greet_it, std::string());
  expect(!refused && refused.error().code() == cobus::Code::invalid_argument, "it refuses an empty name");
  expect(node.run(&count_to, 3U) == std::vector<std::uint32_t>{1, 2, 3}, "it counts");

  const cobus::TimePoint before = node.clock().now();
  const auto waved = node.run(&wave_to, std::string("test"));
  expect(waved && waved->text() == "Goodbye, test!", "it waves");
  expect(node.clock().now() - before == std::chrono::seconds(10),
         "waving takes ten seconds of simulated time");
  return failures == 0 ? 0 : 1;
}
