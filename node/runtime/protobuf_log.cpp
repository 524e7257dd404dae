// SPDX-License-Identifier: Apache-2.0
#include "node/runtime/protobuf_log.hpp"

#include <google/protobuf/stubs/logging.h>
#include <spdlog/spdlog.h>

#include "proto/log_text.hpp"

namespace cobus {
namespace {

constexpr std::size_t line_bytes_max = 512;

void into_the_log(google::protobuf::LogLevel level, const char* /*file*/, int /*line*/,
                  const std::string& text) {
  spdlog::log(level == google::protobuf::LOGLEVEL_FATAL ? spdlog::level::err : spdlog::level::debug,
              "libprotobuf: {}", log_text(text, line_bytes_max));
}

}  // namespace

void route_protobuf_log() noexcept { google::protobuf::SetLogHandler(&into_the_log); }

}  // namespace cobus
