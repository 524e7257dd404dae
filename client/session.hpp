// SPDX-License-Identifier: Apache-2.0
//
// Session: this program's part in a cluster. It is a node that offers nothing and has no door: keys and
// certificate from the state folder, links to the brokers, and a view of who is there. Made and ended by
// one ordinary thread; what it runs are coroutines on its single shard.
#pragma once

#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "node/cluster/broker_addresses.hpp"
#include "node/cluster/membership.hpp"
#include "node/cluster/view.hpp"
#include "node/link/join_string.hpp"
#include "node/runtime/flat_result.hpp"
#include "node/worker/fulfil.hpp"
#include "node/worker/node.hpp"

namespace cobus::client {

struct SessionOptions {
  std::string state;  // folder; empty: $COBUS_STATE or the user's own
  std::string join;   // join string or @FILE; empty: what a broker or an earlier --join left there
  Duration connect_timeout = std::chrono::seconds(5);
  std::function<void()> while_waiting = {};  // called again and again until it has joined
};

namespace detail {

// What a coroutine gave, as something that can be stored.
template <class T>
using Value = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

}  // namespace detail

// What one coroutine that an ordinary thread waits for came to. Shared by both.
template <class T>
class Outcome {
 public:
  using Value = detail::Value<T>;
  void settle(std::optional<Value> value, std::exception_ptr thrown) {
    const std::scoped_lock lock(mutex_);
    value_ = std::move(value);
    thrown_ = std::move(thrown);
    settled_ = true;
    changed_.notify_all();
  }
  // Makes a wait() look again.
  void nudge() {
    const std::scoped_lock lock(mutex_);
    changed_.notify_all();
  }
  // Until it is settled, `enough()`, or `until`. True when it is settled.
  template <class Predicate>
  bool wait_until(TimePoint until, Predicate enough) {
    std::unique_lock lock(mutex_);
    const auto over = [&] { return settled_ || enough(); };
    if (until == never) {
      changed_.wait(lock, over);
    } else {
      changed_.wait_until(lock, until, over);
    }
    return settled_;
  }
  // Once settled. Rethrows what the coroutine threw; nothing when it was ended before it was done.
  std::optional<Value> take() {
    const std::scoped_lock lock(mutex_);
    if (thrown_) std::rethrow_exception(std::exchange(thrown_, nullptr));
    return std::move(value_);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool settled_ = false;  // guarded by mutex_, as are the next
  std::optional<Value> value_;
  std::exception_ptr thrown_;
};

class Session {
 public:
  // Joins the cluster and learns who is there; waits for a broker that has just started until it knows every
  // node, or until `connect_timeout`. UNAVAILABLE when no cluster is known or no broker answers in
  // time, PERMISSION_DENIED and UNAUTHENTICATED when the brokers refuse us or are not of the cluster of the
  // join string, INVALID_ARGUMENT for a malformed join string or a file of it that is not there,
  // PERMISSION_DENIED for a state folder that others can read; each with the next step.
  [[nodiscard]] static Result<std::unique_ptr<Session>> open(const SessionOptions& options);
  // The join string that it would use. Errors as of open().
  [[nodiscard]] static Result<link::JoinString> find_join(const SessionOptions& options);
  // Ends what runs, says goodbye. Any coroutine that is still running is destroyed.
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  [[nodiscard]] Node& node() noexcept { return *node_; }
  [[nodiscard]] View& view() noexcept { return *view_; }
  // Whether the brokers have just started, and may not know every node yet.
  [[nodiscard]] bool is_filling() const { return !view_->complete(); }

  // The brokers of the join string, in its order, once each has answered or failed, or after `patience`.
  struct Broker {
    std::string address;         // HOST:PORT, as written
    NodeId node = NodeId::none;  // none: it does not answer
    std::string build = {};
    Status trouble = {};  // why it does not answer
  };
  [[nodiscard]] std::vector<Broker> brokers(Duration patience);
  [[nodiscard]] const link::JoinString& join() const noexcept { return join_; }

  // Starts `function(Self, arguments...)`, a coroutine function that gives a Task<T>. Arguments by value.
  template <class T, class Function, class... Arguments>
    requires WorkerFunction<Function, Arguments...>
  [[nodiscard]] std::shared_ptr<Outcome<T>> start(Function function, Arguments... arguments);

  // Runs `function(Self, arguments...)`, a coroutine function that gives a Task<T>, and waits for its T, as a
  // Result<T>, or as it is when T is a Result itself. UNAVAILABLE when the session ended first, or the worker
  // was ended. Rethrows what it threw.
  template <class Function, class... Arguments>
    requires WorkerFunction<Function, Arguments...>
  [[nodiscard]] auto run(Function function, Arguments... arguments)
      -> FlatResult<cobus::detail::WorkerValue<Function, Arguments...>>;

  // From now on calls `told` when the last broker has ended the session and refuses another one, as when our
  // key was revoked. It must not call back; empty: nobody is told.
  void when_shut_out(std::function<void(const Status& why)> told);
  // Asks all that runs here to end soon. Any thread.
  void ask_to_stop();

 private:
  class Watch;
  Session() = default;
  Status dial(const link::JoinString& join, const SessionOptions& options);

  link::JoinString join_;                                                // without its token
  std::vector<std::pair<std::string, Result<link::TargetId>>> targets_;  // of each broker in it
  std::unique_ptr<link::Transport> transport_;
  std::unique_ptr<Node> node_;
  std::unique_ptr<View> view_;
  std::unique_ptr<Watch> watch_;
  std::unique_ptr<Membership> membership_;
  std::unique_ptr<BrokerAddresses> addresses_;
};

namespace detail {

// Settles an outcome even if its coroutine is destroyed while it waits.
template <class T>
class Settler {
 public:
  explicit Settler(std::shared_ptr<Outcome<T>> outcome) noexcept : outcome_(std::move(outcome)) {}
  Settler(const Settler&) = delete;
  Settler& operator=(const Settler&) = delete;
  ~Settler() {
    if (outcome_) outcome_->settle(std::nullopt, nullptr);
  }
  void settle(std::optional<Value<T>> value, std::exception_ptr thrown) {
    std::exchange(outcome_, nullptr)->settle(std::move(value), std::move(thrown));
  }

 private:
  std::shared_ptr<Outcome<T>> outcome_;
};

template <class T, class Function, class... Arguments>
Task<> run_and_settle(Self self, std::shared_ptr<Outcome<T>> outcome, Function function,
                      Arguments... arguments) {
  Settler<T> settler(std::move(outcome));
  std::optional<Value<T>> value;
  std::exception_ptr thrown;
  try {
    if constexpr (std::is_void_v<T>) {
      co_await function(self, std::move(arguments)...);
      value.emplace();
    } else {
      value.emplace(co_await function(self, std::move(arguments)...));
    }
  } catch (...) {
    thrown = std::current_exception();
  }
  settler.settle(std::move(value), std::move(thrown));
}

}  // namespace detail

template <class T, class Function, class... Arguments>
  requires WorkerFunction<Function, Arguments...>
std::shared_ptr<Outcome<T>> Session::start(Function function, Arguments... arguments) {
  auto outcome = std::make_shared<Outcome<T>>();
  node_->spawn("cobus.client", &detail::run_and_settle<T, Function, Arguments...>, outcome, function,
               std::move(arguments)...);
  return outcome;
}

template <class Function, class... Arguments>
  requires WorkerFunction<Function, Arguments...>
auto Session::run(Function function, Arguments... arguments)
    -> FlatResult<cobus::detail::WorkerValue<Function, Arguments...>> {
  using Value = cobus::detail::WorkerValue<Function, Arguments...>;
  auto outcome = start<Value>(function, std::move(arguments)...);
  outcome->wait_until(never, [] { return false; });
  auto value = outcome->take();
  if (!value) return fail(Code::unavailable, "the session ended before the work was done");
  if constexpr (std::is_void_v<Value>) {
    return {};
  } else {
    return std::move(*value);
  }
}

}  // namespace cobus::client
