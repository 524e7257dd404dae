// SPDX-License-Identifier: Apache-2.0
#include "node/runtime/timer_wheel.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "node/runtime/random.hpp"

namespace cobus {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

struct Recorded : Timer {
  explicit Recorded(std::vector<Recorded*>& log)
      : Timer([](Timer& timer) {
          auto& self = static_cast<Recorded&>(timer);
          self.into->push_back(&self);
        }),
        into(&log) {}
  std::vector<Recorded*>* into;
  TimePoint when{};
};

constexpr TimePoint start{std::chrono::seconds(1000)};

TEST(TimerWheel, FiresNeverEarlyAndAtMostOneTickLate) {
  SeededRandom random(7);
  TimerWheel wheel(start);
  std::vector<Recorded*> fired;
  std::vector<std::unique_ptr<Recorded>> timers;
  for (int i = 0; i < 20'000; ++i) {
    timers.push_back(std::make_unique<Recorded>(fired));
    const auto scale = std::uint64_t{1} << random.below(36);
    timers.back()->when = start + Duration(static_cast<std::int64_t>(random.below(scale * 1000)));
    wheel.start(*timers.back(), timers.back()->when);
  }
  TimePoint now = start;
  std::size_t checked = 0;
  while (wheel.size() > 0) {
    const TimePoint next = wheel.next();
    ASSERT_GT(next, now);
    now = next;
    wheel.advance(now);
    for (; checked < fired.size(); ++checked) {
      ASSERT_LE(fired[checked]->when, now);
      ASSERT_GE(fired[checked]->when, now - milliseconds(2));
    }
  }
  EXPECT_EQ(fired.size(), timers.size());
}

TEST(TimerWheel, FiresInOrderOfTimeAfterALongSleep) {
  TimerWheel wheel(start);
  std::vector<Recorded*> fired;
  Recorded late(fired);
  Recorded early(fired);
  wheel.start(late, start + hours(3));
  wheel.start(early, start + milliseconds(5));
  wheel.advance(start + hours(24));
  ASSERT_EQ(fired.size(), 2U);
  EXPECT_EQ(fired[0], &early);
  EXPECT_EQ(fired[1], &late);
}

TEST(TimerWheel, CancelledTimerNeverFires) {
  TimerWheel wheel(start);
  std::vector<Recorded*> fired;
  {
    Recorded destroyed(fired);
    Recorded cancelled(fired);
    wheel.start(destroyed, start + milliseconds(10));
    wheel.start(cancelled, start + milliseconds(10));
    cancelled.cancel();
    EXPECT_EQ(wheel.size(), 1U);
  }
  EXPECT_EQ(wheel.size(), 0U);
  EXPECT_EQ(wheel.next(), never);
  wheel.advance(start + hours(1));
  EXPECT_TRUE(fired.empty());
}

TEST(TimerWheel, MovesATimerThatIsStartedAgain) {
  TimerWheel wheel(start);
  std::vector<Recorded*> fired;
  Recorded timer(fired);
  wheel.start(timer, start + milliseconds(10));
  wheel.start(timer, start + hours(1));
  wheel.advance(start + milliseconds(20));
  EXPECT_TRUE(fired.empty());
  wheel.advance(start + hours(1) + milliseconds(1));
  EXPECT_EQ(fired.size(), 1U);
}

TEST(TimerWheel, NeverIsNotArmed) {
  TimerWheel wheel(start);
  std::vector<Recorded*> fired;
  Recorded timer(fired);
  wheel.start(timer, never);
  EXPECT_FALSE(timer.armed());
}

TEST(TimerWheel, ATimerMayCancelAnotherOfTheSameTick) {
  TimerWheel wheel(start);
  struct Killer : Timer {
    explicit Killer(Timer& other)
        : Timer([](Timer& timer) { static_cast<Killer&>(timer).victim.cancel(); }), victim(other) {}
    Timer& victim;
  };
  std::vector<Recorded*> fired;
  Recorded victim(fired);
  Killer killer(victim);
  wheel.start(killer, start + milliseconds(10));
  wheel.start(victim, start + milliseconds(10));
  wheel.advance(start + milliseconds(20));
  EXPECT_TRUE(fired.empty());
  EXPECT_EQ(wheel.size(), 0U);
}

}  // namespace
}  // namespace cobus
