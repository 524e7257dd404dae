// SPDX-License-Identifier: Apache-2.0
//
// One program for each target, with libFuzzer's main; COBUS_FUZZ_TARGET is its name. Only with the preset
// `fuzz`.
#include <cstddef>
#include <cstdint>

#include "tests/fuzz/targets.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  cobus::fuzz::COBUS_FUZZ_TARGET({reinterpret_cast<const char*>(data), size});
  return 0;
}
