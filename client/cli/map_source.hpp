// SPDX-License-Identifier: Apache-2.0
//
// MapSource: the requests of a map, one after the other and no sooner than they are asked for, so that a
// million lines need no memory. Lines come from a descriptor and are waited for on the pool, not on the
// shard. Used by one coroutine; cancel() by any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/cli/map_options.hpp"
#include "node/runtime/offload.hpp"
#include "node/runtime/task.hpp"

namespace cobus::client {

enum class Framing : std::uint8_t { lines, values };

class MapSource {
 public:
  // Lines of `descriptor`, which it closes unless it is stdin. `name` is for errors.
  MapSource(int descriptor, std::string name);
  // A request is a line; or, with Framing::values, a JSON object or array, however many lines it takes,
  // several on a line too. Another line stays a request, so that whoever reads it says what is wrong.
  MapSource(int descriptor, std::string name, Framing framing);
  // What is known already, in this order.
  explicit MapSource(std::vector<MapInput> inputs);
  ~MapSource();
  MapSource(const MapSource&) = delete;
  MapSource& operator=(const MapSource&) = delete;

  // The next request; nothing at the end, after cancel(), and once status() says what went wrong. Lines that
  // are blank are no requests. A line that is too long is a request that is not usable.
  [[nodiscard]] Task<std::optional<MapInput>> next();
  void cancel() noexcept { shared_->cancelled = true; }
  [[nodiscard]] const Status& status() const noexcept { return status_; }

  // How many there are, if that can be said; reads a regular file once for it. Blocks.
  [[nodiscard]] std::optional<std::uint64_t> count() const;

 private:
  // Outlives this object while the pool reads.
  struct Shared {
    std::atomic<bool> cancelled{false};
  };
  struct Chunk {
    std::string bytes;
    int error = 0;
    bool end = false;
  };
  static Chunk read_chunk(int descriptor, const Shared& shared, OffloadStop stop);
  // A line out of what was read, if there is a whole one.
  std::optional<MapInput> take_line();
  // The same for a value.
  std::optional<MapInput> take_value();
  std::optional<MapInput> take_framed() { return framing_ == Framing::lines ? take_line() : take_value(); }
  MapInput value_of(std::string text);
  std::optional<MapInput> input_of(std::string line);

  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
  std::vector<MapInput> inputs_;
  std::size_t next_input_ = 0;
  int descriptor_ = -1;
  std::string name_;
  std::string buffer_;
  std::size_t from_ = 0;  // of what is in the buffer and not taken
  std::uint64_t sequence_ = 0;
  std::uint64_t line_ = 0;  // the last one taken, blank ones counted
  bool skipping_ = false;   // the rest of a line that is too long
  const Framing framing_ = Framing::lines;
  std::size_t looked_at_ = 0;  // of the buffer, for the end of a value
  std::uint64_t depth_ = 0;    // of brackets there
  bool quoted_ = false;
  bool escaped_ = false;
  bool at_end_ = false;
  Status status_;
};

}  // namespace cobus::client
