// SPDX-License-Identifier: Apache-2.0
//
// on_shards: runs a coroutine on shards of a node and gathers what each gave. Each runs there as a worker of
// its own. A shard that some worker holds does not answer; whoever asks goes on without it after a while.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "node/observe/worker_row.hpp"
#include "node/runtime/signal.hpp"
#include "node/worker/node.hpp"
#include "node/worker/self.hpp"

namespace cobus::detail {

template <class T>
struct Gathering {
  Gathering(unsigned asking_shard, std::size_t count) : asker(asking_shard), given(count), missing(count) {}
  const unsigned asker;
  Signal came;  // the asker's shard only
  std::mutex mutex;
  std::vector<std::optional<T>> given;  // guarded by mutex, as is the next
  std::size_t missing;
};

template <class T, class... Arguments>
Task<> gather_one(Self self, std::shared_ptr<Gathering<T>> gathering, std::size_t place,
                  Task<T> (*function)(Self, Arguments...), Arguments... arguments) {
  T value = co_await function(self, std::move(arguments)...);
  {
    const std::scoped_lock lock(gathering->mutex);
    gathering->given[place] = std::move(value);
    --gathering->missing;
  }
  self.node().run_on(gathering->asker, [gathering](Home& /*home*/) { gathering->came.notify(); });
}

}  // namespace cobus::detail

namespace cobus {

// What `function(Self, arguments...)` gave on each of `shards`, in their order; nothing of those that did not
// answer within `patience`, or before this worker was asked to stop.
template <class T, class... Arguments>
[[nodiscard]] Task<std::vector<std::optional<T>>> on_shards(Self self, std::vector<unsigned> shards,
                                                            Duration patience,
                                                            Task<T> (*function)(Self, Arguments...),
                                                            std::type_identity_t<Arguments>... arguments) {
  Node& node = self.node();
  const auto gathering =
      std::make_shared<detail::Gathering<T>>(self.worker().home().shard().index(), shards.size());
  for (std::size_t place = 0; place < shards.size(); ++place) {
    node.run_on(shards[place], [gathering, place, function, arguments...](Home& home) {
      auto entry = &detail::gather_one<T, Arguments...>;
      home.spawn(inspecting_kind, entry, gathering, place, function, arguments...);
    });
  }
  const TimePoint until = node.clock().now() + patience;
  for (;;) {
    {
      const std::scoped_lock lock(gathering->mutex);
      if (gathering->missing == 0) break;
    }
    const Duration left = until - node.clock().now();
    if (left <= Duration(0)) break;
    if ((co_await gathering->came.wait(left)).code() == Code::cancelled) break;
  }
  const std::scoped_lock lock(gathering->mutex);
  co_return std::exchange(gathering->given, std::vector<std::optional<T>>(shards.size()));
}

// All of them.
[[nodiscard]] inline std::vector<unsigned> every_shard(const Node& node) {
  std::vector<unsigned> all(node.shards());
  for (unsigned i = 0; i < all.size(); ++i) all[i] = i;
  return all;
}

}  // namespace cobus
