// SPDX-License-Identifier: Apache-2.0
#include "node/worker/node.hpp"

#include <fmt/format.h>
#include <pthread.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "proto/limits.hpp"

namespace cobus {
namespace {

link::LinkOptions link_options(const NodeOptions& options) {
  link::LinkOptions link;
  link.node = options.id;
  link.incarnation = options.incarnation;
  link.name = options.name;
  link.token = options.token;
  link.enroller = options.enroller;
  return link;
}

// What workers get to end by themselves once they were asked to stop.
constexpr Duration stop_notice = std::chrono::milliseconds(100);

// How often a busy shard 0 attends to the link.
constexpr Duration busy_poll_every = std::chrono::microseconds(50);

// A function on its way to a shard.
class Posted final : public InboxItem {
 public:
  explicit Posted(std::move_only_function<void(Home&)> function) : function_(std::move(function)) {}
  void deliver(Shard& shard) noexcept override {
    try {
      function_(Home::of(shard));
    } catch (const std::exception& error) {
      spdlog::error("what was to run on shard {} threw: {}", shard.index(), error.what());
    } catch (...) {
      spdlog::error("what was to run on shard {} threw something that is not a std::exception",
                    shard.index());
    }
    delete this;
  }

 private:
  std::move_only_function<void(Home&)> function_;
};

}  // namespace

thread_local const Node* Node::waiting_in_link_ = nullptr;

void Node::LinkWaiter::wait(Duration longest) {
  waiting_in_link_ = &node_;
  node_.links_.poll(longest);
  waiting_in_link_ = nullptr;
}

bool Node::LinkWaiter::glance() {
  node_.brought_while_waiting_ = false;
  wait(Duration(0));
  return node_.brought_while_waiting_;
}

OffloadPool& offload_pool(Shard& shard) noexcept { return Home::of(shard).node().pool(); }

Node::Place::Place(Node& node, unsigned index)
    : waiter(index == 0 ? std::unique_ptr<Waiter>(std::make_unique<LinkWaiter>(node))
                        : std::unique_ptr<Waiter>(std::make_unique<ThreadWaiter>())),
      shard(index, node.clock(), node.random(), *waiter, &home),
      home(node, shard) {
  shard.on_stall([](void* log, const Shard::Report& report) { static_cast<StallLog*>(log)->held(report); },
                 &node.stalls_);
  shard.shuffle(node.options_.shuffle);
  shard.idle_poll(node.options_.idle_poll_max);
}

NodeOptions Node::complete(NodeOptions options) {
  while (options.id == NodeId::none) options.id = NodeId{options.random->next()};
  if (options.incarnation == 0) options.incarnation = static_cast<std::uint64_t>(options.clock->unix_us());
  options.shards = std::clamp(options.shards, 1U, 255U);
  return options;
}

Node::Node(NodeOptions options, link::Transport& transport, link::Identity identity)
    : options_(complete(std::move(options))),
      stalls_(options_.name, options_.shards),
      links_(transport, *options_.clock, *options_.random, *this, std::move(identity),
             link_options(options_)),
      pool_(options_.pool_threads),
      denials_(*options_.clock),
      rest_(options_.shards) {
  link::wipe(options_.token);  // the links have it
  for (unsigned i = 0; i < options_.shards; ++i) places_.push_back(std::make_unique<Place>(*this, i));
}

Node::~Node() {
  stop(Duration(0));
  // Before the services and methods that handlers refer to.
  for (auto& place : places_) place->home.end_all();
  while (!pool_.close(options_.stuck_after)) {
    if (const std::optional<OffloadPool::Running> running = pool_.longest_running()) {
      const auto since = std::chrono::steady_clock::now() - running->since;
      stuck(fmt::format("what worker {} ({}) gave to offload() has run for {} s", to_string(running->id),
                        running->kind, std::chrono::duration_cast<std::chrono::seconds>(since).count()));
    }
  }
}

void Node::add_service(std::unique_ptr<Service> service) {
  for (const Method& described : service->info().methods) {
    Method method = described;
    method.service = service.get();
    methods_.insert_or_assign(described.name, std::move(method));
  }
  services_.push_back(std::move(service));
}

const Method* Node::find_method(std::string_view name) const noexcept {
  const auto found = methods_.find(name);
  return found == methods_.end() ? nullptr : &found->second;
}

std::vector<const Service*> Node::services() const {
  std::vector<const Service*> all;
  for (const auto& service : services_) all.push_back(service.get());
  return all;
}

Result<NodeId> Node::choose(std::string_view method, const NodeFilter& eligible) const {
  if (find_method(method) != nullptr && (!eligible || eligible(id()))) return id();
  if (resolver_ != nullptr) return resolver_->choose_among(method, eligible);
  return fail(Code::not_found, "no node offers " + std::string(method));
}

MethodTerms Node::terms(NodeId node, std::string_view method) const {
  if (node != id()) return resolver_ != nullptr ? resolver_->terms(node, method) : MethodTerms{};
  const Method* const own = find_method(method);
  if (own == nullptr) return {};
  return {own->options.timeout_ms(), own->options.idempotent()};
}

void Node::unreached(NodeId node) const {
  if (resolver_ != nullptr) resolver_->unreached(node);
}

const Kind* Node::find_kind(std::string_view name) const noexcept {
  const auto found = kinds_.find(name);
  return found == kinds_.end() ? nullptr : &found->second;
}

std::vector<std::string> Node::kinds() const {
  std::vector<std::string> names;
  for (const auto& [name, kind] : kinds_) names.push_back(name);
  return names;
}

Result<NodeId> Node::choose_kind(std::string_view kind) const {
  if (resolver_ != nullptr) return resolver_->choose(kind);
  if (find_kind(kind) != nullptr) return id();
  return fail(Code::not_found, "no node makes workers of kind " + std::string(kind));
}

void Node::run_on(unsigned shard, std::move_only_function<void(Home&)> function) {
  places_[shard]->shard.post(new Posted(std::move(function)));
}

unsigned Node::place() noexcept {
  unsigned best = 0;
  std::size_t fewest = places_[0]->home.load();
  for (unsigned i = 1; i < places_.size(); ++i) {
    const std::size_t count = places_[i]->home.load();
    if (count < fewest || (best == 0 && count == fewest)) {
      best = i;
      fewest = count;
    }
  }
  places_[best]->home.expect();
  return best;
}

void Node::start() {
  stopping_.store(false);
  for (unsigned i = 0; i < shards(); ++i)
    run_thread([this, i] { run_shard(i); }, "cobus-shard-" + std::to_string(i));
  run_thread([this] { keep(); }, "cobus-keeper");
}

void Node::run_thread(std::function<void()> what, const std::string& name) {
  {
    const std::scoped_lock lock(threads_mutex_);
    ++threads_running_;
  }
  const auto ended = [this] {
    const std::scoped_lock lock(threads_mutex_);
    --threads_running_;
    thread_ended_.notify_all();
  };
  try {
    threads_.emplace_back([what = std::move(what), ended] {
      what();
      ended();
    });
  } catch (...) {
    ended();
    throw;
  }
  pthread_setname_np(threads_.back().native_handle(), name.c_str());
}

void Node::run_shard(unsigned index) {
  Place& place = *places_[index];
  if (index == 0) return run_shard0(place);
  while (!stopping_.load(std::memory_order_relaxed)) {
    const bool more = place.shard.turn();
    place.home.flush();
    // What woke it for the stop may have been taken in by that turn.
    if (more || stopping_.load(std::memory_order_relaxed)) continue;
    rest_.asleep(index);
    place.shard.wait();
    rest_.awake(index);
  }
}

// Which also attends to the link: whenever it has sent something there or has nothing else to do, and while
// it is busy with other things often enough that nobody at the other end notices.
void Node::run_shard0(Place& place) {
  const auto attended_at = [this](TimePoint when) {
    shard0_attended_ns_.store(when.time_since_epoch().count(), std::memory_order_relaxed);
  };
  TimePoint attended = clock().now();
  attended_at(attended);
  while (!stopping_.load(std::memory_order_relaxed)) {
    const bool more = place.shard.turn();
    place.home.flush();
    if (more) {
      // What was sent may wait a moment for what follows: together it costs less.
      if (clock().now() - attended < busy_poll_every) continue;
      links_.poll(Duration(0));
      attended = clock().now();
    } else if (!stopping_.load(std::memory_order_relaxed)) {
      shard0_attended_ns_.store(0, std::memory_order_relaxed);
      rest_.asleep(0);
      place.shard.wait();
      rest_.awake(0);
      attended = clock().now();
    }
    attended_at(attended);
  }
  shard0_attended_ns_.store(0, std::memory_order_relaxed);
}

// When shard 0 has been away from the link for too long, somebody else beats, drains and delivers.
void Node::keep() {
  while (!stopping_.load(std::memory_order_relaxed)) {
    rest_.wait(limits::keeper_after);
    for (const auto& place : places_) stalls_.look(place->shard, clock().now());
    run_watchdog_tasks();
    const std::int64_t attended_ns = shard0_attended_ns_.load(std::memory_order_relaxed);
    if (attended_ns == 0) continue;
    const Duration away = clock().now().time_since_epoch() - Duration(attended_ns);
    if (away < limits::keeper_after) continue;
    links_.poll(Duration(0), true);
    // That may have swallowed a wake that was meant for shard 0 on its way to sleep.
    links_.wake();
  }
}

void Node::run_watchdog_tasks() {
  for (WatchdogTask* task : watchdog_tasks_) task->watchdog_turn(clock().now());
}

void Node::step_watchdog() {
  run_watchdog_tasks();
  links_.poll(Duration(0));
}

void Node::stop(Duration grace) {
  if (threads_.empty()) return;
  draining_.store(true);
  const auto until = [this](TimePoint end, const auto& done) {
    while (!done() && clock().now() < end) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  };
  const auto workers = [this] {
    std::size_t count = 0;
    for (const auto& place : places_) count += place->home.workers();
    return count;
  };
  const TimePoint end = clock().now() + grace;
  for (unsigned i = 0; i < shards(); ++i) run_on(i, [](Home& home) { home.stop_idle(); });
  until(end, [&] { return workers() == 0; });
  for (unsigned i = 0; i < shards(); ++i) run_on(i, [](Home& home) { home.stop_all(); });
  until(std::max(end, clock().now() + stop_notice), [&] { return workers() == 0; });
  stopping_.store(true);
  // Not waiter->wake(), which may be taken for one of the link's.
  for (unsigned i = 0; i < shards(); ++i) run_on(i, [](Home& /*home*/) {});
  rest_.end();
  await_threads();
  for (auto& place : places_) {
    place->home.end_all();
    place->home.flush();
  }
  links_.shut(clock().now() + std::min<Duration>(grace, std::chrono::milliseconds(500)));
}

// Nothing can end a thread that somebody's code does not give back, so whoever runs the node is told.
void Node::await_threads() {
  std::unique_lock lock(threads_mutex_);
  while (!thread_ended_.wait_for(lock, options_.stuck_after, [this] { return threads_running_ == 0; })) {
    lock.unlock();  // whoever is told may wait for one of them
    std::string all;
    for (const auto& place : places_) {
      const std::string who = StallLog::who_holds(place->shard, clock().now());
      if (!who.empty()) all += (all.empty() ? "" : "; ") + who;
    }
    stuck(all.empty() ? "one of its threads" : all);
    lock.lock();
  }
  lock.unlock();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void Node::stuck(const std::string& who) const {
  spdlog::error("node {} cannot stop: {} and does not return", name(), who);
  if (options_.on_stuck) options_.on_stuck(who);
}

bool Node::step() {
  const auto busy = [this] {
    return std::any_of(places_.begin(), places_.end(), [](const auto& place) { return place->shard.busy(); });
  };
  for (auto& place : places_) {
    place->shard.turn();
    place->home.flush();
  }
  links_.poll(Duration(0));
  return busy();
}

TimePoint Node::next_due() const {
  TimePoint next = links_.next_due();
  for (const auto& place : places_) next = std::min(next, place->shard.timers().next());
  return next;
}

Status Node::register_name(const std::string& name, Address worker) {
  if (name.empty() || name.size() > limits::name_bytes_max)
    return {Code::invalid_argument, fmt::format("a name has 1 to {} bytes", limits::name_bytes_max)};
  const std::scoped_lock lock(names_mutex_);
  const auto [found, added] = names_.try_emplace(name, worker);
  if (added) return {};
  return {Code::already_exists,
          fmt::format("worker {} is registered as '{}'", to_string(found->second), name)};
}

void Node::forget_name(const std::string& name, Address worker) noexcept {
  const std::scoped_lock lock(names_mutex_);
  const auto found = names_.find(name);
  if (found != names_.end() && found->second == worker) names_.erase(found);
}

Address Node::whereis(std::string_view name) const {
  const std::scoped_lock lock(names_mutex_);
  const auto found = names_.find(name);
  return found == names_.end() ? Address{} : found->second;
}

}  // namespace cobus
