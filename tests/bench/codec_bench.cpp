// SPDX-License-Identifier: Apache-2.0
//
// What it costs to put one message into a frame and to take it out again. A budget of 40 ns each
// with 100 bytes of payload leaves the link far below what CURVE costs.
#include <benchmark/benchmark.h>

#include "proto/codec.hpp"
#include "proto/limits.hpp"

namespace cobus {
namespace {

const EnvelopeHeader plain{.to = 0x0000'0001'0100'002aULL,
                           .from = 0x0000'0003'0200'0007ULL,
                           .kind = v1::MESSAGE,
                           .type = 0x9e37'79b9'7f4a'7c15ULL};

const EnvelopeHeader request{.to = 0x0000'0001'0100'002aULL,
                             .from = 0x0000'0003'0200'0007ULL,
                             .kind = v1::REQUEST,
                             .type = 0x9e37'79b9'7f4a'7c15ULL,
                             .call = 123'456,
                             .time_left_us = 5'000'000,
                             .to_name = "text.Text/WordCount",
                             .trace_high = 0x9e37'79b9'7f4a'7c15ULL,
                             .trace_low = 0xbf58'476d'1ce4'e5b9ULL,
                             .trace_span = 0x94d0'49bb'1331'11ebULL,
                             .trace_flags = 1};

void encode(benchmark::State& state, const EnvelopeHeader& header) {
  const std::string payload(static_cast<std::size_t>(state.range(0)), 'x');
  std::string frame;
  frame.reserve(limits::frame_bytes_max);
  for ([[maybe_unused]] auto _ : state) {
    if (frame.size() >= limits::frame_bytes_target) frame.clear();
    append_envelope(frame, header, payload);
    benchmark::DoNotOptimize(frame.data());
  }
  state.SetItemsProcessed(state.iterations());
}

// The time is that of one whole frame; items per second say what one envelope costs.
void decode(benchmark::State& state, const EnvelopeHeader& header) {
  const std::string payload(static_cast<std::size_t>(state.range(0)), 'x');
  std::string frame;
  std::int64_t count = 0;
  for (; frame.size() < limits::frame_bytes_target; ++count) append_envelope(frame, header, payload);
  std::uint64_t sum = 0;
  for ([[maybe_unused]] auto _ : state) {
    const auto read = read_frame(
        frame, [&](const EnvelopeView& envelope) { sum += envelope.header.to + envelope.payload.size(); });
    benchmark::DoNotOptimize(sum);
    if (!read) state.SkipWithError("the frame is malformed");
  }
  state.SetItemsProcessed(state.iterations() * count);
}

BENCHMARK_CAPTURE(encode, plain, plain)->Arg(100);
BENCHMARK_CAPTURE(encode, request, request)->Arg(100);
BENCHMARK_CAPTURE(decode, plain, plain)->Arg(100);
BENCHMARK_CAPTURE(decode, request, request)->Arg(100);

}  // namespace
}  // namespace cobus

BENCHMARK_MAIN();
