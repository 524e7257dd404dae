// SPDX-License-Identifier: Apache-2.0
//
// The probe that decides whether a compiler may build cobus. Several releases of GCC compile
// ordinary coroutines into programs that skip a body or destroy a temporary twice, without a word.
// Each shape below is one they got wrong, written as a user would write it; it runs in a child
// process, so one that crashes does not hide the rest. Configuration compiles and runs this file
// (CobusCompiler.cmake) and shows what it prints; the exit code is the number of broken shapes.
// It must compile with the compilers it refuses, so it includes nothing of cobus.
#include <sys/wait.h>
#include <unistd.h>

#include <fcntl.h>
#include <coroutine>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <string>
#include <utility>
#include <version>

#ifndef __cpp_lib_expected
#error "this compiler and its library have no std::expected (C++23), which cobus needs"
#endif

namespace {

// What is alive at this moment. Both must be back at zero when a shape has run.
int tracked_alive = 0;
int frames_alive = 0;

// Counts itself. Destroyed twice, the count ends below zero; never destroyed, above.
class Tracked {
 public:
  Tracked() { ++tracked_alive; }
  Tracked(const Tracked&) { ++tracked_alive; }
  Tracked(Tracked&&) noexcept { ++tracked_alive; }
  Tracked& operator=(const Tracked&) = default;
  Tracked& operator=(Tracked&&) noexcept = default;
  ~Tracked() { --tracked_alive; }
};

// A lazy coroutine with one awaiter, as cobus::Task is: it starts when awaited and hands control
// back by symmetric transfer. `drive` starts it from outside.
template <class T>
class Task {
 public:
  struct promise_type {
    T value{};
    std::coroutine_handle<> continuation = std::noop_coroutine();

    static void* operator new(std::size_t size) {
      ++frames_alive;
      return ::operator new(size);
    }
    static void operator delete(void* frame, std::size_t) {
      --frames_alive;
      ::operator delete(frame);
    }
    Task get_return_object() { return Task(std::coroutine_handle<promise_type>::from_promise(*this)); }
    std::suspend_always initial_suspend() noexcept { return {}; }
    auto final_suspend() noexcept {
      struct Final {
        bool await_ready() noexcept { return false; }
        std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> self) noexcept {
          return self.promise().continuation;
        }
        void await_resume() noexcept {}
      };
      return Final{};
    }
    void return_value(T result) { value = std::move(result); }
    std::suspend_always yield_value(T item) {
      value = std::move(item);
      return {};
    }
    void unhandled_exception() { std::terminate(); }
  };

  explicit Task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&&) = delete;
  ~Task() {
    if (handle_) handle_.destroy();
  }

  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> caller) noexcept {
    handle_.promise().continuation = caller;
    return handle_;
  }
  T await_resume() { return std::move(handle_.promise().value); }

  T drive() {
    handle_.resume();
    return std::move(handle_.promise().value);
  }

 private:
  std::coroutine_handle<promise_type> handle_;
};

struct Message {  // an aggregate, as options and messages often are
  Tracked tracked;
  std::string text;
  Task<int> size() const;
};

struct Pair {
  int first = 0;
  int second = 0;
};

Task<int> one() { co_return 1; }
Task<bool> yes() { co_return true; }
Task<int> by_value(Message message) { co_return static_cast<int>(message.text.size()); }
Task<int> by_reference(const Message& message) { co_return static_cast<int>(message.text.size()); }
Task<int> by_rvalue(Message&& message) { co_return static_cast<int>(message.text.size()); }
Task<int> Message::size() const { co_return static_cast<int>(text.size()); }
template <class F>
Task<int> apply(F function) {
  co_return function();
}
Task<int> apply_function(std::function<int()> function) { co_return function(); }
Task<Tracked> make_tracked() { co_return Tracked(); }
Task<int> take_tracked(Tracked) { co_return 1; }

// --- A co_await in a condition, in a coroutine without locals ---------------------------------

Task<int> await_in_if() {
  if (co_await yes()) co_return 7;
  co_return 0;
}
Task<int> await_in_and() {
  if (co_await yes() && co_await yes()) co_return 7;
  co_return 0;
}
Task<int> await_in_switch() {
  switch (co_await one()) {
    case 1:
      co_return 7;
    default:
      co_return 0;
  }
}
Task<int> await_in_while(int turns) {
  while (co_await yes())
    if (--turns == 0) co_return 7;
  co_return 0;
}
bool runs_await_in_condition() {
  return await_in_if().drive() == 7 && await_in_and().drive() == 7 && await_in_switch().drive() == 7 &&
         await_in_while(3).drive() == 7;
}

// --- Temporaries with captures in a statement that awaits ---------------------------------------

Task<int> lambda_argument(Tracked tracked) {
  int result = co_await apply([tracked] { return tracked_alive > 0 ? 7 : 0; });
  co_return result;
}
bool runs_lambda_argument() { return lambda_argument(Tracked()).drive() == 7; }

Task<int> function_argument(Tracked tracked) {
  int result = co_await apply_function([tracked] { return tracked_alive > 0 ? 7 : 0; });
  co_return result;
}
bool runs_function_argument() { return function_argument(Tracked()).drive() == 7; }

Task<int> lambda_coroutine(Tracked tracked) {
  int result = co_await [tracked]() -> Task<int> { co_return tracked_alive > 0 ? 7 : 0; }();
  co_return result;
}
bool runs_lambda_coroutine() { return lambda_coroutine(Tracked()).drive() == 7; }

// --- Aggregate temporaries in a statement that awaits -------------------------------------------

const char* const text = "a text that is too long for the small string optimisation";

Task<int> aggregate_by_value() {
  int size = co_await by_value(Message{{}, text});
  co_return size;
}
bool runs_aggregate_by_value() { return aggregate_by_value().drive() == 57; }

Task<int> aggregate_by_reference() {
  int size = co_await by_reference(Message{{}, text});
  co_return size;
}
bool runs_aggregate_by_reference() { return aggregate_by_reference().drive() == 57; }

Task<int> aggregate_by_rvalue() {
  int size = co_await by_rvalue(Message{.tracked = {}, .text = text});
  co_return size;
}
bool runs_aggregate_by_rvalue() { return aggregate_by_rvalue().drive() == 57; }

Task<int> aggregate_member() {
  int size = co_await Message{{}, text}.size();
  co_return size;
}
bool runs_aggregate_member() { return aggregate_member().drive() == 57; }

struct AggregateAwaiter {
  Tracked tracked;
  bool await_ready() { return true; }
  void await_suspend(std::coroutine_handle<>) {}
  int await_resume() { return 7; }
};
Task<int> aggregate_awaiter() {
  int result = co_await AggregateAwaiter{Tracked()};
  co_return result;
}
bool runs_aggregate_awaiter() { return aggregate_awaiter().drive() == 7; }

Task<Message> aggregate_yield() {
  co_yield Message{{}, text};
  co_return Message{};
}
bool runs_aggregate_yield() { return aggregate_yield().drive().text.size() == 57; }

// --- A conditional operator with class types ----------------------------------------------------

Task<int> conditional_await(bool awaited) {
  Tracked tracked = awaited ? co_await make_tracked() : Tracked();
  co_return 7;
}
Task<int> conditional_argument(bool first) {
  int result = co_await take_tracked(first ? Tracked() : Tracked(Tracked()));
  co_return result;
}
bool runs_conditional() {
  return conditional_await(true).drive() == 7 && conditional_await(false).drive() == 7 &&
         conditional_argument(true).drive() == 1 && conditional_argument(false).drive() == 1;
}

// --- Shapes of newer releases -------------------------------------------------------------------

Task<Pair> make_pair() { co_return Pair{3, 4}; }
Task<int> structured_binding() {
  auto [first, second] = co_await make_pair();
  co_return first + second;
}
bool runs_structured_binding() { return structured_binding().drive() == 7; }

struct Detached {
  struct promise_type {
    Detached get_return_object() { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
  };
};
struct DestroyMe {
  bool await_ready() { return false; }
  void await_suspend(std::coroutine_handle<> self) { self.destroy(); }
  void await_resume() {}
};
Detached destroyed_while_suspending(Tracked tracked) {
  Tracked local = tracked;
  co_await DestroyMe();
}
bool runs_destroyed_while_suspending() {
  destroyed_while_suspending(Tracked());
  return true;
}

// --- Symmetric transfer must be a tail call -----------------------------------------------------

Task<int> complete_a_million_times() {
  int sum = 0;
  for (int i = 0; i < 1'000'000; ++i) sum += co_await one();
  co_return sum;
}
bool runs_a_million_completions() { return complete_a_million_times().drive() == 1'000'000; }

struct Shape {
  const char* bug;
  const char* what;
  bool (*run)();
};
constexpr Shape shapes[] = {
    {"GCC PR106188", "co_await in a condition of a coroutine without locals", runs_await_in_condition},
    {"GCC PR100611", "a temporary capturing lambda in a statement that awaits", runs_lambda_argument},
    {"GCC PR101367", "a std::function made of such a lambda", runs_function_argument},
    {"GCC PR99576", "a capturing lambda coroutine called and awaited at once", runs_lambda_coroutine},
    {"GCC PR101976", "an aggregate temporary passed by value", runs_aggregate_by_value},
    {"GCC PR101976", "an aggregate temporary passed by const reference", runs_aggregate_by_reference},
    {"GCC PR101976", "an aggregate temporary passed by rvalue reference", runs_aggregate_by_rvalue},
    {"GCC PR101976", "an aggregate temporary whose member is awaited", runs_aggregate_member},
    {"GCC PR101976", "an aggregate temporary as awaiter", runs_aggregate_awaiter},
    {"GCC PR101976", "an aggregate temporary that is yielded", runs_aggregate_yield},
    {"GCC PR101976 (same family)", "a conditional operator with class types", runs_conditional},
    {"GCC PR124584", "a structured binding of an awaited value", runs_structured_binding},
    {"GCC PR121961", "a frame destroyed in await_suspend", runs_destroyed_while_suspending},
    {"GCC PR100897", "a million synchronous completions", runs_a_million_completions},
};

enum Outcome { right = 0, wrong_result = 1, destroyed_twice = 2, never_destroyed = 3, crashed = 4 };
constexpr const char* outcome_text[] = {"works", "its body was not run as written",
                                        "an object is destroyed twice", "an object or its frame leaks",
                                        "it crashes"};

// In a child, whose last words (glibc's, on a double free) nobody needs to see.
Outcome run_apart(const Shape& shape) {
  const pid_t child = fork();
  if (child < 0) {
    std::perror("coroutine probe: fork");
    std::exit(125);
  }
  if (child == 0) {
    if (const int null = open("/dev/null", O_WRONLY); null >= 0) dup2(null, STDERR_FILENO);
    const bool result = shape.run();
    if (tracked_alive < 0 || frames_alive < 0) _exit(destroyed_twice);
    if (!result) _exit(wrong_result);
    _exit(tracked_alive > 0 || frames_alive > 0 ? never_destroyed : right);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? static_cast<Outcome>(WEXITSTATUS(status)) : crashed;
}

}  // namespace

int main() {
  int broken = 0;
  for (const Shape& shape : shapes) {
    const Outcome outcome = run_apart(shape);
    if (outcome == right) continue;
    ++broken;
    std::printf("  %s: %s: %s\n", shape.bug, shape.what, outcome_text[outcome]);
  }
  return broken;
}
