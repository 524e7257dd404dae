// SPDX-License-Identifier: Apache-2.0
//
// Scope: children that run side by side inside one worker and end before their parent goes on. Start
// them with spawn(), wait for all with `co_await scope.join()`. Destroying a scope early destroys the
// children that still run, wherever they wait. One worker only.
//
// A stop of whoever joins asks the children to stop, and join() goes on when they have ended: what it
// promises is that none is left, and somebody who goes on without them would break that for the code behind
// it. So it is as prompt as the slowest child; a child that does not hear its stop is ended with the scope.
//
// The children of a scope share a strand of their own: what waits takes its stop from the strand that runs,
// so cancel() reaches every await of a child and none of the parent, and no await looks at more than one
// stop. It is chained to the stop of whoever spawned first, once a scope and not once a child.
#pragma once

#include <coroutine>
#include <cstdint>
#include <exception>
#include <type_traits>
#include <utility>
#include <vector>

#include "node/runtime/await.hpp"
#include "node/runtime/list.hpp"
#include "node/runtime/task.hpp"
#include "proto/status.hpp"

namespace cobus {

class Scope final : detail::AwaitGroup {
 public:
  // What becomes of the others when a child fails: it throws, or gives a Status or Result that is not ok.
  enum class OnFailure : std::uint8_t { cancel_others, supervise };
  struct Failure {
    std::size_t child;  // counted from 0 in the order of spawning
    Status status;      // INTERNAL with its text for an exception
  };

  explicit Scope(OnFailure policy = OnFailure::cancel_others) noexcept : policy_(policy) {}
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
  ~Scope() {
    while (Node* child = children_.pop_front()) child->frame.destroy();
  }

  // Starts `task` at once, up to its first wait. Of a Task<Result<T>> only the error is kept. After
  // cancel() it starts all the same, and hears of the stop in its first wait.
  template <class T>
  void spawn(Task<T> task) {
    if (strand_.shard == nullptr) belong_to(Shard::strand());
    Child child = run(std::move(task));
    child.frame.promise().scope = this;
    child.frame.promise().number = spawned_++;
    children_.push_back(child.frame.promise());
    ++running_;
    strand_.shard->resume(strand_, child.frame);
  }
  [[nodiscard]] std::size_t running() const noexcept { return running_; }

  // Asks all children to stop, those of their scopes too: whatever they wait for now or later answers
  // CANCELLED. Once and for good. join() tells when they have ended.
  void cancel() noexcept { strand_.stop.request(); }

  class [[nodiscard]] Join : Wakeup, StopCallback {
   public:
    static constexpr AwaitKind awaits = AwaitKind::scope;
    explicit Join(Scope& scope) noexcept
        : StopCallback([](StopCallback& stop) { static_cast<Join&>(stop).scope_.cancel(); }), scope_(scope) {}
    [[nodiscard]] bool await_ready() const noexcept { return scope_.running_ == 0; }
    bool await_suspend(std::coroutine_handle<> waiting) noexcept {
      coroutine = waiting;
      strand = &Shard::strand();
      waits_for_itself_ = scope_.has_within(*strand);
      if (waits_for_itself_) return false;
      scope_.joiners_.push_back(*this);
      if (strand->stop.requested()) {
        scope_.cancel();
      } else {
        strand->stop.add(*this);
      }
      return true;
    }
    [[nodiscard]] Status await_resume() {
      StopCallback::unlink();
      if (waits_for_itself_)
        return {Code::failed_precondition,
                "a child of the scope cannot join it: it would wait for its own end"};
      if (scope_.thrown_) std::rethrow_exception(std::exchange(scope_.thrown_, nullptr));
      return std::exchange(scope_.first_failure_, Status());
    }

   private:
    friend class List<Wakeup>;
    Scope& scope_;
    bool waits_for_itself_ = false;
  };
  // Resumes when no child runs any more. Ok, or the first failure since the last join(): its status, or
  // rethrown when it was an exception and the policy is cancel_others. A stop of whoever waits is a cancel();
  // a child that gives CANCELLED because of it has failed as well. FAILED_PRECONDITION, at once, in a child
  // of this scope or in a child of a child.
  [[nodiscard]] Join join() noexcept { return Join(*this); }

  // supervise: every failure so far in the order it happened; each is given once.
  [[nodiscard]] std::vector<Failure> take_failures() noexcept { return std::exchange(failures_, {}); }

 private:
  struct Node : ListHook, detail::AwaitLink {
    std::coroutine_handle<> frame;
    std::size_t number = 0;
  };
  struct Child {
    struct promise_type : Node {
      Scope* scope = nullptr;
      static void* operator new(std::size_t size) { return pool_allocate(size); }
      static void operator delete(void* frame, std::size_t size) noexcept { pool_free(frame, size); }
      Child get_return_object() noexcept {
        this->frame = std::coroutine_handle<promise_type>::from_promise(*this);
        return Child{std::coroutine_handle<promise_type>::from_promise(*this)};
      }
      [[nodiscard]] std::suspend_always initial_suspend() const noexcept { return {}; }
      // The frame destroys itself: the child is over.
      [[nodiscard]] std::suspend_never final_suspend() const noexcept {
        scope->ended();
        return {};
      }
      void return_value(Status status) noexcept {
        if (!status.ok()) scope->failed(this->number, std::move(status), nullptr);
      }
      void unhandled_exception() noexcept { scope->threw(this->number); }
    };
    std::coroutine_handle<promise_type> frame;
  };
  struct OnStop : StopCallback {
    explicit OnStop(Scope& of) noexcept
        : StopCallback([](StopCallback& stop) { static_cast<OnStop&>(stop).scope.cancel(); }), scope(of) {}
    Scope& scope;
  };

  static Child run(Task<> task) {
    co_await std::move(task);
    co_return Status();
  }
  static Child run(Task<Status> task) { co_return co_await std::move(task); }
  template <class T>
  static Child run(Task<Result<T>> task) {
    Result<T> result = co_await std::move(task);
    co_return result ? Status() : std::move(result).error();
  }

  void belong_to(Strand& parent) noexcept {
    strand_.shard = parent.shard;
    strand_.whole = parent.whole != nullptr ? parent.whole : &parent;
    strand_.kind = parent.kind;
    strand_.id = parent.id;
    enter(parent.scopes);
    if (parent.stop.requested()) {
      cancel();
    } else {
      parent.stop.add(on_stop_);
    }
  }
  void each_running(const Visit& visit) override {
    children_.each([&visit](const Node& child) { visit(child.number, child.inner); });
  }
  [[nodiscard]] const Strand* own_strand() const noexcept override { return &strand_; }
  // Whether `running` is that of the children, or of theirs.
  [[nodiscard]] bool has_within(const Strand& running) const noexcept {
    return running.whole != nullptr && holds(strand_, running);
  }
  [[nodiscard]] static bool holds(const Strand& strand, const Strand& sought) noexcept {
    if (&strand == &sought) return true;
    for (const AwaitGroup* scope = strand.scopes; scope != nullptr; scope = scope->next()) {
      if (scope->own_strand() != nullptr && holds(*scope->own_strand(), sought)) return true;
    }
    return false;
  }
  void threw(std::size_t child) noexcept {
    try {
      throw;
    } catch (const std::exception& error) {
      failed(child, Status(Code::internal, error.what()), std::current_exception());
    } catch (...) {
      failed(child, Status(Code::internal, "an exception of unknown type"), std::current_exception());
    }
  }
  void failed(std::size_t child, Status status, std::exception_ptr exception) noexcept {
    const bool first = first_failure_.ok();
    if (first) first_failure_ = status;
    if (policy_ == OnFailure::supervise) return failures_.push_back(Failure{child, std::move(status)});
    if (first) thrown_ = std::move(exception);
    cancel();
  }
  void ended() noexcept {
    if (--running_ > 0) return;
    while (Wakeup* joiner = joiners_.pop_front()) joiner->strand->shard->ready(*joiner);
  }

  Strand strand_;  // outlives the children
  OnStop on_stop_{*this};
  List<Node> children_;
  List<Wakeup> joiners_;
  std::size_t running_ = 0;
  std::size_t spawned_ = 0;
  const OnFailure policy_;
  Status first_failure_;
  std::exception_ptr thrown_;
  std::vector<Failure> failures_;
};

}  // namespace cobus
