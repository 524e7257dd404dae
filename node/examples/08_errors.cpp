// SPDX-License-Identifier: Apache-2.0
//
// Black boxes that detect errors in other black boxes. A monitor tells once why a worker ended. A link ends
// both, unless one of them traps exits and reads of it instead. And a supervisor starts again what broke.
//
// Prints:
//   the monitor says: crash, division by zero
//   the link says: crash, division by zero
//   asked: 10 / 2 = 5
//   asked: 1 / 0: the worker ended before it answered (crash): division by zero
//   asked again: 9 / 3 = 3
#include <cobus/v1/worker.pb.h>
#include <spdlog/spdlog.h>
#include <cobus/local_node.hpp>

#include <iostream>
#include <stdexcept>

#include "examples.pb.h"

using cobus::exit_reason::name;
using examples::Number;
using examples::Text;

cobus::Status reason_of(const cobus::v1::Status& reason) {
  return {static_cast<cobus::Code>(reason.code()), reason.message()};
}

cobus::Task<> breaks(cobus::Self) {
  co_await cobus::yield();
  throw std::runtime_error("division by zero");
}

// Divides what it is asked. It does not look first: when it breaks, it breaks, and nobody else notices.
cobus::Task<> divider(cobus::Self self) {
  static_cast<void>(self.register_name("divider"));
  for (;;) {
    auto asked = co_await self.receive<Text>();
    if (!asked) co_return;
    const std::string& text = (*asked)->text();
    const int left = std::stoi(text);
    const int right = std::stoi(text.substr(text.find('/') + 1));
    if (right == 0) throw std::runtime_error("division by zero");
    Number answer;
    answer.set_value(left / right);
    asked->reply(std::move(answer));
  }
}

cobus::Task<> ask(cobus::Self self, std::string what, std::string text) {
  Text question;
  question.set_text(text);
  auto answer = co_await cobus::call_worker<Number>(self, self.whereis("divider"), std::move(question));
  std::cout << what << ": " << text;
  if (answer) {
    std::cout << " = " << answer->value() << '\n';
  } else {
    std::cout << ": " << answer.error().message() << '\n';
  }
}

cobus::Task<> watch(cobus::Self self) {
  self.spawn_monitor("breaks", &breaks);
  auto down = co_await self.receive<cobus::v1::Down>();
  if (!down) co_return;
  const cobus::Status why = reason_of((*down)->reason());
  std::cout << "the monitor says: " << name(why) << ", " << why.message() << '\n';

  self.trap_exits(true);
  self.spawn_link("breaks", &breaks);
  auto exit = co_await self.receive<cobus::v1::Exit>();
  if (!exit) co_return;
  const cobus::Status exited = reason_of((*exit)->reason());
  std::cout << "the link says: " << name(exited) << ", " << exited.message() << '\n';

  cobus::SupervisorSpec spec;
  cobus::ChildSpec child;
  child.id = "divider";
  child.start = [](cobus::Self supervisor, const std::string&) {
    return supervisor.spawn_link("divider", &divider);
  };
  spec.children.push_back(std::move(child));
  self.spawn_link("supervisor", &cobus::supervise, std::move(spec));
  while (!self.whereis("divider")) co_await cobus::yield();
  co_await ask(self, "asked", "10 / 2");
  const cobus::Address first = self.whereis("divider");
  co_await ask(self, "asked", "1 / 0");
  while (!self.whereis("divider") || self.whereis("divider") == first) co_await cobus::yield();
  co_await ask(self, "asked again", "9 / 3");
}

int main() {
  cobus::LocalNode node(1);
  spdlog::set_level(spdlog::level::off);  // it would tell of the crashes too
  node.run(&watch);
}
