// SPDX-License-Identifier: Apache-2.0
//
// What remains when memory cannot be had: the k-th allocation fails, for k = 1, 2, 3 ... until the operation
// needs no more. In a program of its own, since it replaces operator new.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>
#include <string>

#include "echo.cobus.h"
#include "node/worker/self.hpp"
#include "tests/support/test_node.hpp"

namespace {

thread_local int allocations_until_failure = 0;  // 0: none fails
thread_local bool failed = false;

void* allocate(std::size_t size, std::size_t alignment) {
  if (allocations_until_failure > 0 && --allocations_until_failure == 0) {
    failed = true;
    throw std::bad_alloc();
  }
  void* block = nullptr;
  if (alignment <= __STDCPP_DEFAULT_NEW_ALIGNMENT__) {
    block = std::malloc(size == 0 ? 1 : size);
  } else {
    block = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  }
  if (block == nullptr) throw std::bad_alloc();
  return block;
}

}  // namespace

void* operator new(std::size_t size) { return allocate(size, 0); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return allocate(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* block) noexcept { std::free(block); }
void operator delete(void* block, std::size_t /*size*/) noexcept { std::free(block); }
void operator delete(void* block, std::align_val_t /*alignment*/) noexcept { std::free(block); }
void operator delete(void* block, std::size_t /*size*/, std::align_val_t /*alignment*/) noexcept {
  std::free(block);
}

namespace cobus {
namespace {

using echo::EchoRequest;

// Lets the k-th allocation of `operation` fail, for every k; true each time that it went well all the same.
template <class Operation>
bool with_failure_at(int k, Operation operation) {
  failed = false;
  allocations_until_failure = k;
  bool done = false;
  try {
    done = operation();
  } catch (const std::bad_alloc&) {
    done = false;
  }
  allocations_until_failure = 0;
  return done;
}

class AllocationFailure : public TestNode {
 protected:
  ~AllocationFailure() override { node_.reset(); }  // workers that still run count themselves in `alive_`
  int alive_ = 0;
  // Long enough that neither string nor worker lies in what is at hand.
  static std::string long_text() { return std::string(3000, 'x'); }
};

Task<> idle(Self self, std::string text, int* alive) {
  struct Alive {
    explicit Alive(int* of) : count(of) { ++*count; }
    Alive(const Alive&) = delete;
    Alive& operator=(const Alive&) = delete;
    ~Alive() { --*count; }
    int* count;
  } const here(alive);
  static_cast<void>(co_await self.receive<EchoRequest>());
  static_cast<void>(text);
}

TEST_F(AllocationFailure, ASpawnThatFindsNoMemoryThrowsAndLeavesNobodyBehind) {
  int made = 0;
  int failures = 0;
  spawn(
      [](Self self, int* count, int* running, int* missed) -> Task<> {
        for (int k = 1; k < 60; ++k) {
          // A kind of its own each time, so that no size is known and no block kept.
          const std::string text = long_text();
          const bool done =
              with_failure_at(k, [&] { return static_cast<bool>(self.spawn("idle", &idle, text, running)); });
          *count += done ? 1 : 0;
          *missed += failed ? 1 : 0;
          EXPECT_TRUE(done || failed);
        }
        co_return;
      },
      &made, &alive_, &failures);
  EXPECT_GT(failures, 0) << "else this shows nothing";
  EXPECT_GT(made, 0);
  EXPECT_EQ(alive_, made);
  EXPECT_EQ(workers(), static_cast<std::size_t>(made));
}

TEST_F(AllocationFailure, ASendThatFindsNoMemoryThrowsAndWhatItSaysIsSentArrives) {
  int heard = 0;
  int sent = 0;
  int failures = 0;
  spawn(
      [](Self self, int* got, int* count, int* missed) -> Task<> {
        const Address to = self.spawn(
            "listener",
            +[](Self its, int* into) -> Task<> {
              for (;;) {
                auto message = co_await its.receive<EchoRequest>();
                if (!message) co_return;
                ++*into;
              }
            },
            got);
        EchoRequest request;
        request.set_text(long_text());
        // Once as it should be: what is made at the first use is not what is looked at.
        EXPECT_TRUE(self.try_send(to, request).ok());
        co_await yield();
        for (int k = 1; k < 30; ++k) {
          const bool done = with_failure_at(k, [&] { return self.try_send(to, request).ok(); });
          *count += done ? 1 : 0;
          *missed += failed ? 1 : 0;
          EXPECT_TRUE(done || failed);
          co_await yield();
        }
      },
      &heard, &sent, &failures);
  EXPECT_GT(failures, 0) << "else this shows nothing";
  EXPECT_GT(sent, 0);
  EXPECT_EQ(heard, sent + 1);
}

TEST_F(AllocationFailure, M3_AnEnvelopeThatThereIsNoMemoryForIsCounted) {
  auto request = std::make_unique<SignalEnvelope>();
  request->kind = v1::REQUEST;
  request->from = Address{NodeId{77}, WorkerId::make(0, 1, 1)};
  node_->home(0).expect();
  EXPECT_TRUE(with_failure_at(1, [&] {
    node_->home(0).receive(std::move(request));
    return true;
  }));
  EXPECT_TRUE(failed);
  EXPECT_EQ(node_->dead_letters().count(DeadLetter::no_memory), 1U);
}

}  // namespace
}  // namespace cobus
