// SPDX-License-Identifier: Apache-2.0
//
// Kind: a sort of worker that others can have made by name, also from another node (spawn.hpp): a coroutine
// function whose argument is a message, so that it can travel. A node makes the kinds that it was given
// before it started; a module brings its own with COBUS_WORKER.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "node/worker/self.hpp"

namespace cobus {

// On whose behalf a worker is made, and how the two are bound from its first instant.
struct Birth {
  Address spawner;
  std::uint64_t monitor = 0;  // the spawner's number for it; 0: none
  bool link = false;
};

struct Kind {
  std::string name;  // "package.Worker"
  // Makes one on the shard of `home`, from the encoded argument; it runs when the shard comes to it. `name`
  // outlives it. INVALID_ARGUMENT when the argument is malformed; throws what Home::spawn does.
  std::function<Result<WorkerId>(Home& home, const char* name, std::string_view argument, const Birth& birth)>
      make;
};

namespace detail {

template <class Argument>
[[nodiscard]] Kind kind_of(std::string name, Task<> (*function)(Self, Argument)) {
  const auto make = [function](Home& home, const char* its_name, std::string_view encoded,
                               const Birth& birth) -> Result<WorkerId> {
    Argument argument;
    if (!argument.ParseFromArray(encoded.data(), static_cast<int>(encoded.size()))) {
      return fail(Code::invalid_argument, std::string(its_name) + " is made from a " +
                                              Argument::descriptor()->full_name() +
                                              ", and the bytes are not one");
    }
    Task<> (*body)(Self, Argument) = function;
    Worker& made = home.spawn(its_name, body, std::move(argument));
    home.bind(made, birth.spawner, birth.monitor, birth.link);
    return made.id;
  };
  return Kind{std::move(name), make};
}

}  // namespace detail

// A kind whose workers run `function`: a Task<>(Self, Message).
template <KindFunction Function>
[[nodiscard]] Kind make_kind(std::string name, Function function) {
  return detail::kind_of(std::move(name), function);
}

}  // namespace cobus
