// SPDX-License-Identifier: Apache-2.0
//
// What reads bytes of strangers, one function for each kind: given any bytes it returns, and neither crashes
// nor says anything that cannot be. libFuzzer looks for bytes that it does not hold for (libfuzzer.cpp);
// those that were worth keeping are in corpus/ and run as a test (replay_test.cpp).
#pragma once

#include <array>
#include <string_view>

namespace cobus::fuzz {

void frame(std::string_view bytes);          // of a peer within a session
void envelope(std::string_view bytes);       // in such a frame
void hello(std::string_view bytes);          // the first frame of somebody who has proved a key
void certificate(std::string_view bytes);    // in a Hello
void join_string(std::string_view bytes);    // what a user types
void tap_filter(std::string_view bytes);     // of who watches
void configuration(std::string_view bytes);  // a file of a daemon

struct Target {
  const char* name;
  void (*run)(std::string_view bytes);
};
inline constexpr std::array<Target, 7> targets{{{"frame", &frame},
                                                {"envelope", &envelope},
                                                {"hello", &hello},
                                                {"certificate", &certificate},
                                                {"join_string", &join_string},
                                                {"tap_filter", &tap_filter},
                                                {"configuration", &configuration}}};

}  // namespace cobus::fuzz
