// SPDX-License-Identifier: Apache-2.0
//
// The workers of a chaos that talk, watch, link, call and stream.
#include <cobus/v1/worker.pb.h>

#include <algorithm>
#include <charconv>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "echo.cobus.h"
#include "node/runtime/scope.hpp"
#include "tests/sim/chaos.hpp"

namespace cobus::sim {
namespace {

using echo::EchoReply;
using echo::EchoRequest;
using std::chrono::milliseconds;
using News = Received<EchoRequest, v1::Down, v1::Exit, v1::NodeDown>;

Status status_of(const v1::Status& reason) { return {static_cast<Code>(reason.code()), reason.message()}; }

EchoRequest text(std::string words) {
  EchoRequest made;
  made.set_text(std::move(words));
  return made;
}

// Numbers what goes to each receiver, and says in which session.
class Numbers {
 public:
  EchoRequest next(Chaos& chaos, Address from, Address to) {
    return text("m " + std::to_string(sent_[to] + 1) + " " +
                std::to_string(chaos.session(from.node, to.node)));
  }
  std::uint64_t sent(Address to) { return ++sent_[to]; }

 private:
  std::map<Address, std::uint64_t> sent_;
};

// Is known to the books for as long as it lives.
class Known {
 public:
  Known(Chaos* chaos, Address address) : chaos_(chaos), address_(address) {
    chaos_->monitors.born(address_);
    ++chaos_->talking[address_.node];
  }
  Known(const Known&) = delete;
  Known& operator=(const Known&) = delete;
  ~Known() {
    chaos_->monitors.died(address_);
    --chaos_->talking[address_.node];
  }

 private:
  Chaos* chaos_;
  Address address_;
};

// A call's place in the book: left open when its caller is ended.
class Begun {
 public:
  Begun(Chaos* chaos, NodeId at, Duration timeout)
      : chaos_(chaos), at_(at), deadline_(chaos->now() + timeout), call_(chaos->calls.begins(deadline_)) {}
  Begun(const Begun&) = delete;
  Begun& operator=(const Begun&) = delete;
  ~Begun() {
    if (!over_) chaos_->calls.left(call_);
  }
  void ends(const Status& how) {
    // What was paused then could not be in time.
    const bool excused = chaos_->paused_until(at_) >= deadline_;
    chaos_->calls.ends(call_, excused ? deadline_ : chaos_->now(), how);
    chaos_->saw(static_cast<std::uint64_t>(how.code()) + (call_ << 8));
    over_ = true;
  }
  [[nodiscard]] std::uint64_t number() const noexcept { return call_; }

 private:
  Chaos* chaos_;
  NodeId at_;
  TimePoint deadline_;
  std::uint64_t call_;
  bool over_ = false;
};

// What a talker knows and does between two messages.
class Talker {
 public:
  Talker(Self self, Chaos* chaos)
      : self_(self), chaos_(*chaos), address_(self.address()), known_(chaos, address_) {
    chaos_.talkers.push_back(address_);
    if (chaos_.once_in(2)) self_.trap_exits(true);
    MailboxLimits small;  // so that those who send bursts are told that it is full
    small.messages = 2;
    if (chaos_.once_in(2)) self_.limit_mailbox(small);
  }
  void read(News news);
  // True when it has had enough.
  bool act();
  void greet_all();

 private:
  void talk(Address to, std::uint64_t times);
  void asked(News news, std::istringstream& words);
  void watch();
  void bind();
  void begin_call();
  void say_no(Address whom);

  Self self_;
  Chaos& chaos_;
  const Address address_;
  Known known_;
  Numbers numbers_;
  std::map<std::uint64_t, Address> monitors_;
  std::vector<Address> links_;
  std::set<NodeId> nodes_;
  bool greeted_ = false;
  std::set<Address> friends_;  // whom it has heard
  std::vector<News> held_;     // requests that are answered late, or never
};

void Talker::read(News news) {
  if (auto* message = news.as<EchoRequest>()) {
    std::istringstream words(message->text());
    std::string what;
    words >> what;
    if (what == "q") return asked(std::move(news), words);
    std::uint64_t number = 0;
    std::uint64_t session = 0;
    words >> number >> session;
    chaos_.order.got(news.from(), address_, number, session);
    friends_.insert(news.from());
    chaos_.saw(number);
  } else if (const auto* down = news.as<v1::Down>()) {
    const Address target{NodeId{down->node()}, WorkerId{down->worker()}};
    const Status reason = status_of(down->reason());
    chaos_.monitors.down(address_, down->monitor(), target, reason);
    if (reason.code() != Code::unavailable) chaos_.order.over(target, address_);
    monitors_.erase(down->monitor());
    chaos_.saw(down->monitor());
    ++chaos_.counts[reason.code() == Code::unavailable ? "down: lost" : "down: ended"];
  } else if (const auto* exit = news.as<v1::Exit>()) {
    std::erase(links_, Address{NodeId{exit->node()}, WorkerId{exit->worker()}});
    ++chaos_.counts["exit"];
  } else if (const auto* gone = news.as<v1::NodeDown>()) {
    if (nodes_.erase(NodeId{gone->node()}) != 1)
      chaos_.complaints.add(to_string(address_) + " heard twice that a node is down");
    ++chaos_.counts["node down"];
  }
}

void Talker::asked(News news, std::istringstream& words) {
  std::uint64_t call = 0;
  std::string how;
  words >> call >> how;
  chaos_.calls.served(call);
  if (how == "late") {
    held_.push_back(std::move(news));
  } else if (how == "throw") {
    throw std::runtime_error("asked to break");
  } else if (how == "now") {
    EchoReply reply;
    reply.set_text(std::to_string(call));
    news.reply(std::move(reply));
  }  // or it is destroyed without an answer
}

void Talker::talk(Address to, std::uint64_t times) {
  for (; times > 0; --times) {
    if (const Status sent = self_.try_send(to, numbers_.next(chaos_, address_, to)); !sent.ok()) {
      if (sent.code() == Code::resource_exhausted) ++chaos_.counts["no room"];
      continue;
    }
    const std::uint64_t number = numbers_.sent(to);
    if (chaos_.calm) chaos_.order.sent_in_peace(address_, to, number);
  }
}

void Talker::watch() {
  const Address target = chaos_.somebody();
  talk(target, 1);  // so that it knows whom to tell its last words
  for (std::uint64_t times = 1 + chaos_.random.below(3); times > 0; --times) {
    const auto monitor = static_cast<std::uint64_t>(self_.monitor(target));
    chaos_.monitors.monitors(address_, monitor, target);
    monitors_.emplace(monitor, target);
  }
  if (monitors_.size() > 3 && chaos_.once_in(2)) {
    const auto taken =
        std::next(monitors_.begin(), static_cast<std::ptrdiff_t>(chaos_.random.below(monitors_.size())));
    self_.demonitor(MonitorRef{taken->first});
    chaos_.monitors.takes_back(address_, taken->first);
    monitors_.erase(taken);
  }
  if (const NodeId node = chaos_.some_node(); chaos_.once_in(4) && node != address_.node) {
    nodes_.insert(node);
    self_.monitor_node(node);
  }
}

void Talker::bind() {
  if (links_.size() > 1 && chaos_.once_in(2)) {
    self_.unlink(links_.back());
    links_.pop_back();
    return;
  }
  const Address peer = chaos_.somebody();
  if (peer == address_) return;
  self_.link(peer);
  if (std::ranges::find(links_, peer) == links_.end()) links_.push_back(peer);
}

void Talker::begin_call() {
  switch (chaos_.random.below(6)) {
    case 0:
    case 1:
      self_.spawn("chaos.host", &host, &chaos_, chaos_.some_node());
      return;
    case 2:
      self_.spawn("chaos.call_method", &call_method_once, &chaos_, chaos_.some_node());
      return;
    case 3:
      self_.spawn("chaos.stream", &stream_once, &chaos_, chaos_.some_node());
      return;
    default:
      self_.spawn("chaos.call_worker", &call_worker_once, &chaos_, chaos_.somebody());
  }
}

void Talker::say_no(Address whom) {
  switch (chaos_.random.below(3)) {
    case 0:
      return self_.exit(whom, exit_reason::kill("by another"));
    case 1:
      return self_.exit(whom, exit_reason::shutdown());
    default:
      return self_.exit(whom, exit_reason::normal());
  }
}

// Once all is well: everybody hears everybody.
void Talker::greet_all() {
  if (!chaos_.at_peace || std::exchange(greeted_, true)) return;
  for (const Address& talker : chaos_.talkers) {
    if (chaos_.monitors.lives(talker)) talk(talker, 1);
  }
}

bool Talker::act() {
  if (!held_.empty() && chaos_.once_in(2)) {
    EchoReply reply;
    reply.set_text("late");
    held_.front().reply(std::move(reply));
    held_.erase(held_.begin());
  }
  if (chaos_.calm) return false;
  switch (chaos_.random.below(16)) {
    case 0:
    case 1:
      watch();
      return false;
    case 2:
      bind();
      return false;
    case 3:
    case 4:
      begin_call();
      return false;
    case 5:
      if (chaos_.once_in(8)) say_no(chaos_.somebody());
      return false;
    case 6:
      if (!chaos_.once_in(6)) return false;
      for (const Address& other : friends_) talk(other, 1);
      if (chaos_.once_in(2)) throw std::runtime_error("its time has come");
      return true;
    default:
      talk(chaos_.somebody(), 1 + chaos_.random.below(4));
      return false;
  }
}

// One call's deadline: from hopeless to easy.
Duration some_timeout(Chaos& chaos) {
  return milliseconds(1 + chaos.random.below(chaos.once_in(3) ? 50 : 8000));
}

Task<> send_items(Exchange<EchoRequest, EchoReply>* call, Chaos* chaos, int count) {
  for (int i = 0; i < count; ++i) {
    if (chaos->once_in(5)) static_cast<void>(co_await sleep(chaos->up_to(milliseconds(100))));
    if (!(co_await call->send(text(std::to_string(i)))).ok()) co_return;
  }
  call->end();
}

}  // namespace

Task<> talker(Self self, Chaos* chaos) {
  Talker talker(self, chaos);
  for (;;) {
    auto news = co_await self.receive<EchoRequest, v1::Down, v1::Exit, v1::NodeDown>(
        milliseconds(5) + chaos->up_to(milliseconds(chaos->calm ? 2000 : 250)));
    talker.greet_all();
    if (news) {
      talker.read(std::move(*news));
    } else if (news.error().code() == Code::cancelled || talker.act()) {
      co_return;
    }
  }
}

Task<> call_worker_once(Self self, Chaos* chaos, Address to) {
  const char* const how = std::array{"now", "now", "now", "late", "never", "throw"}[chaos->random.below(6)];
  CallOptions options;
  options.timeout = some_timeout(*chaos);
  Begun call(chaos, self.address().node, *options.timeout);
  auto reply = co_await call_worker<EchoReply>(
      self, to, text("q " + std::to_string(call.number()) + " " + how), options);
  call.ends(reply ? Status() : reply.error());
  if (reply && reply->text() != "late" && reply->text() != std::to_string(call.number()))
    chaos->complaints.add("call " + std::to_string(call.number()) + " got the answer " + reply->text());
}

Task<> call_method_once(Self self, Chaos* chaos, NodeId to) {
  CallOptions options;
  options.timeout = some_timeout(*chaos);
  Begun call(chaos, self.address().node, *options.timeout);
  auto reply = co_await echo::EchoStub(self, chaos->once_in(3) ? NodeId::none : to)
                   .Echo(text(std::to_string(call.number())), options);
  call.ends(reply ? Status() : reply.error());
  if (reply && reply->text() != std::to_string(call.number()))
    chaos->complaints.add("call " + std::to_string(call.number()) + " got the answer " + reply->text());
}

Task<> stream_once(Self self, Chaos* chaos, NodeId to) {
  CallOptions options;
  options.timeout = some_timeout(*chaos);
  const int count = static_cast<int>(chaos->random.below(100));
  Begun began(chaos, self.address().node, *options.timeout);
  auto call = echo::EchoStub(self, to).Chat(options);
  Scope scope;
  scope.spawn(send_items(&call, chaos, count));
  int answers = 0;
  while (std::optional<EchoReply> reply = co_await call.next()) {
    if (reply->text() != std::to_string(answers++))
      chaos->complaints.add("an item of a stream came out of order");
  }
  began.ends(call.status());
  if (call.status().ok() && answers != count)
    chaos->complaints.add("a stream ended well without all its items");
  static_cast<void>(co_await scope.join());
}

}  // namespace cobus::sim
