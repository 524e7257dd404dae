// SPDX-License-Identifier: Apache-2.0
//
// math.Primes: a computation that takes long. Each piece runs in the pool, so the shard goes on with
// others; between two pieces the handler reports progress and can be cancelled.
#include <algorithm>
#include <string>

#include "node/services/prime_count.hpp"
#include "node/services/shipped.hpp"
#include "primes.cobus.h"

namespace cobus::services {
namespace {

constexpr std::uint64_t piece = 2'000'000;
constexpr std::uint64_t to_max = 10'000'000'000'000;  // base primes up to its root take some 10 ms

class Primes final : public math::PrimesService {
 public:
  Task<Result<math::CountReply>> Count(Call call, math::CountRequest request) override {
    const std::uint64_t from = request.from();
    const std::uint64_t to = request.to();
    if (from > to) {
      co_return fail(Code::invalid_argument,
                     "from: " + std::to_string(from) + " is above to: " + std::to_string(to));
    }
    if (to > to_max) co_return fail(Code::out_of_range, "to: above the limit of " + std::to_string(to_max));
    math::CountReply reply;
    for (std::uint64_t begin = from; begin < to;) {
      const std::uint64_t end = std::min(begin + piece, to);
      const Result<std::uint64_t> count =
          co_await offload([begin, end](OffloadStop stop) { return count_primes(begin, end, stop); });
      if (!count) co_return fail(count.error());
      if (call.stop_requested()) co_return fail(Code::cancelled, "cancelled at " + std::to_string(begin));
      reply.set_count(reply.count() + *count);
      begin = end;
      call.progress(static_cast<double>(begin - from) / static_cast<double>(to - from),
                    std::to_string(reply.count()) + " primes below " + std::to_string(begin));
    }
    co_return reply;
  }
};

}  // namespace

std::unique_ptr<Service> make_primes() { return std::make_unique<Primes>(); }

}  // namespace cobus::services
