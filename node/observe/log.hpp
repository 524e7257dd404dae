// SPDX-License-Identifier: Apache-2.0
//
// Log set-up: to stderr, text for people on a terminal, one JSON object a line otherwise.
#pragma once

#include <string>

namespace cobus {

// `level`: debug, info, warn, error. `format`: text, json, auto. `program` stands in each line. Once, at
// start.
void set_up_log(const std::string& program, const std::string& level, const std::string& format);
// Changes how it logs from now on. Any thread, after set_up_log().
void change_log(const std::string& level, const std::string& format);

}  // namespace cobus
