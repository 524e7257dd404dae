// SPDX-License-Identifier: Apache-2.0
//
// The figures of local_bench.cpp from event-based actors of CAF, the C++ Actor Framework: a message is one
// integer, never serialised. Where the number of scheduler threads may help or harm, it prints a figure of
// each. Built only where CAF is installed.
#include <algorithm>
#include <atomic>
#include <caf/all.hpp>
#include <string>
#include <thread>
#include <vector>

#include "tests/bench/figure.hpp"

namespace cobus::bench {
namespace {

constexpr std::uint64_t workers_default = 1'000'000;
constexpr std::uint64_t round_trips_default = 2'000'000;
constexpr std::uint64_t messages_default = 5'000'000;
constexpr std::uint64_t hops_default = 4'000'000;
constexpr std::uint64_t timers_live = 1'000'000;
constexpr std::uint64_t starts_default = 1'000'000;
constexpr std::uint64_t idle_ms_default = 10'000;
constexpr std::uint64_t ring_size = 1'000;
constexpr std::uint64_t batch = 1'000;
constexpr std::uint64_t window_apart = 8 * batch;

using Actor = caf::event_based_actor;

// An actor system with so many threads that run actors; CAF's own default is four or more.
class System {
 public:
  explicit System(std::size_t threads)
      : threads_(threads), configuration_(threads), system_(configuration_) {}
  [[nodiscard]] caf::actor_system& operator*() noexcept { return system_; }
  [[nodiscard]] caf::actor_system* operator->() noexcept { return &system_; }
  [[nodiscard]] std::string threads() const {
    return ", " + std::to_string(threads_) + (threads_ == 1 ? " thread" : " threads");
  }

 private:
  struct Configuration : caf::actor_system_config {
    explicit Configuration(std::size_t threads) { set("scheduler.max-threads", threads); }
  };
  std::size_t threads_;
  Configuration configuration_;
  caf::actor_system system_;
};

std::size_t cores() { return std::max(1U, std::thread::hardware_concurrency()); }

caf::behavior idle(Actor* /*self*/, std::atomic<std::uint64_t>* waiting) {
  waiting->fetch_add(1, std::memory_order_relaxed);
  return {[](std::uint64_t) {}};
}

// Ends when every actor has its behaviour. The handles, without which CAF ends an actor, are not counted.
void crowd(std::size_t threads, std::uint64_t count, bool memory) {
  System system(threads);
  std::vector<caf::actor> handles(count);
  std::atomic<std::uint64_t> waiting{0};
  const std::uint64_t before = resident_bytes();
  const auto begin = Steady::now();
  for (caf::actor& handle : handles) handle = system->spawn(&idle, &waiting);
  while (waiting.load(std::memory_order_relaxed) < count) std::this_thread::yield();
  const double seconds = seconds_since(begin);
  const std::uint64_t bytes = resident_bytes() - before;
  const std::string size = std::to_string(count) + " event-based actors, each with its behaviour";
  if (memory) {
    print_figure("B", static_cast<double>(bytes) / static_cast<double>(count),
                 size + ", from RSS" + system.threads());
  } else {
    print_figure("1/s", static_cast<double>(count) / seconds, size + system.threads());
  }
}

// Sending takes less time here than returning the number, which CAF makes a response of.
caf::behavior answer(Actor* self) {
  return {
      [=](std::uint64_t number) { self->send(caf::actor_cast<caf::actor>(self->current_sender()), number); }};
}

caf::behavior ping(Actor* self, std::uint64_t count, const caf::actor& other, const caf::actor& result) {
  const auto begin = Steady::now();
  self->send(other, std::uint64_t{1});
  return {[=](std::uint64_t number) {
    if (number < count) return self->send(other, number + 1);
    self->send(result, static_cast<double>(count) / seconds_since(begin));
    self->quit();
  }};
}

// Gives a receipt for each batch: how many it has heard.
caf::behavior listen(Actor* self, const caf::actor& teller) {
  std::uint64_t heard = 0;
  return {[=](std::uint64_t number) mutable {
    heard += number;
    if (heard % batch == 0) self->send(teller, heard);
  }};
}

// Begins with a first receipt, of nothing.
template <caf::spawn_options Where>
caf::behavior tell(Actor* self, std::uint64_t count, std::uint64_t window, const caf::actor& result) {
  const caf::actor listener = self->spawn<Where + caf::linked>(&listen, caf::actor(self));
  std::uint64_t told = 0;
  auto begin = Steady::now();
  return {[=](std::uint64_t heard) mutable {
    if (heard == 0) begin = Steady::now();
    for (; told < count && told - heard < window; ++told) self->send(listener, std::uint64_t{1});
    if (heard < count) return;
    self->send(result, static_cast<double>(count) / seconds_since(begin));
    self->quit(caf::exit_reason::user_shutdown);
  }};
}

caf::behavior pass(Actor* self, const caf::actor& next) {
  return {[=](std::uint64_t hops) { self->send(next, hops + 1); }};
}

// One of the ring itself.
caf::behavior circulate(Actor* self, std::uint64_t count, const caf::actor& result) {
  caf::actor next(self);
  for (std::uint64_t made = 1; made < ring_size; ++made) next = self->spawn<caf::linked>(&pass, next);
  const auto begin = Steady::now();
  self->send(next, std::uint64_t{1});
  return {[=](std::uint64_t hops) {
    if (hops < count) return self->send(next, hops + 1);
    self->send(result, static_cast<double>(hops) / seconds_since(begin));
    self->quit(caf::exit_reason::user_shutdown);
  }};
}

// Nanoseconds to set one more timeout of a request and cancel it, as the actor clock does for request().
// The clock finds an actor's timeouts by looking at each of them, so the others are another actor's.
caf::behavior start_and_cancel(Actor* self, std::uint64_t count, const caf::actor& other,
                               const caf::actor& result) {
  auto& clock = self->system().clock();
  auto* holder = caf::actor_cast<caf::abstract_actor*>(other);
  const auto now = clock.now();
  const auto when = [now](std::uint64_t i) {  // between a minute and an hour, in no order
    return now + std::chrono::milliseconds(60'000 + i * 7'919 % 3'540'000);
  };
  for (std::uint64_t i = 1; i <= timers_live; ++i) {
    clock.set_request_timeout(when(i), holder, caf::make_message_id(i).response_id());
  }
  const auto begin = Steady::now();
  for (std::uint64_t i = 1; i <= count; ++i) {
    const caf::message_id id = caf::make_message_id(i).response_id();
    clock.set_request_timeout(when(i), self, id);
    clock.cancel_request_timeout(self, id);
  }
  self->send(result, seconds_since(begin) * 1e9 / static_cast<double>(count));
  clock.cancel_timeouts(holder);
  return {};
}

// The number that the actor `function(arguments..., driver)` sends when it is done.
template <caf::spawn_options Where = caf::no_spawn_options, class Function, class... Arguments>
double figure_of(System& system, bool begun_by_message, Function function, Arguments... arguments) {
  caf::scoped_actor driver(*system);
  const caf::actor actor = driver->spawn<Where>(function, arguments..., caf::actor(driver));
  if (begun_by_message) driver->send(actor, std::uint64_t{0});
  double figure = 0;
  driver->receive([&](double value) { figure = value; });
  return figure;
}

void ping_pong(std::size_t threads, std::uint64_t count) {
  System system(threads);
  const caf::actor other = system->spawn(&answer);
  print_figure("1/s", figure_of(system, false, &ping, count, other),
               "round trips, two event-based actors, an integer" + system.threads());
}

template <caf::spawn_options Where = caf::no_spawn_options>
void one_way(std::size_t threads, std::uint64_t count, std::uint64_t window, const std::string& where) {
  System system(threads);
  const std::uint64_t whole = (count + batch - 1) / batch * batch;
  print_figure("1/s", figure_of<Where>(system, true, &tell<Where>, whole, window),
               "two event-based actors" + where + ", an integer, window of " + std::to_string(window) +
                   system.threads());
}

void ring(std::size_t threads, std::uint64_t count) {
  System system(threads);
  print_figure("1/s", figure_of(system, false, &circulate, count),
               "an integer among " + std::to_string(ring_size) + " event-based actors" + system.threads());
}

void timer(std::uint64_t count) {
  System system(cores());
  const caf::actor other = system->spawn(&answer);
  print_figure("ns", figure_of(system, false, &start_and_cancel, count, other),
               "one more timeout of a request set and cancelled beside " + std::to_string(timers_live) +
                   system.threads());
}

int main_of(const Arguments& arguments) {
  const auto count_or = [&](std::uint64_t otherwise) {
    return arguments.count != 0 ? arguments.count : otherwise;
  };
  if (arguments.name == "versions") {
    print_versions({{"caf", std::to_string(CAF_MAJOR_VERSION) + "." + std::to_string(CAF_MINOR_VERSION) +
                                "." + std::to_string(CAF_PATCH_VERSION)}});
  } else if (arguments.name == "spawn" || arguments.name == "bytes_per_worker") {
    const bool memory = arguments.name != "spawn";
    if (!memory) crowd(1, count_or(workers_default), memory);
    crowd(cores(), count_or(workers_default), memory);
  } else if (arguments.name == "ping_pong") {
    ping_pong(1, count_or(round_trips_default));
    ping_pong(cores(), count_or(round_trips_default));
  } else if (arguments.name == "one_way") {
    one_way(1, count_or(messages_default), batch, "");
    one_way(cores(), count_or(messages_default), window_apart, "");
  } else if (arguments.name == "cross_shard") {
    one_way(2, count_or(messages_default), window_apart, "");
    one_way<caf::detached>(1, count_or(messages_default), window_apart, " with a thread each");
  } else if (arguments.name == "ring") {
    ring(1, count_or(hops_default));
    ring(cores(), count_or(hops_default));
  } else if (arguments.name == "timer") {
    timer(count_or(starts_default));
  } else if (arguments.name == "idle_cpu") {
    const System system(cores());
    const std::chrono::milliseconds time(count_or(idle_ms_default));
    print_figure("%", cpu_percent_over(time),
                 "of a core over " + std::to_string(time.count()) + " ms, an actor system without actors" +
                     system.threads());
  } else {
    give_up(
        "caf_bench knows: versions spawn bytes_per_worker ping_pong one_way ring cross_shard timer idle_cpu");
  }
  return 0;
}

}  // namespace
}  // namespace cobus::bench

int main(int argc, char** argv) { return cobus::bench::main_of(cobus::bench::parse_arguments(argc, argv)); }
