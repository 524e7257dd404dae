// SPDX-License-Identifier: Apache-2.0
//
// ToldLog: what is written to the log while it exists, at every level.
#pragma once

#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>

namespace cobus {

class ToldLog {
 public:
  ToldLog() : before_(spdlog::default_logger()) {
    auto logger =
        std::make_shared<spdlog::logger>("told", std::make_shared<spdlog::sinks::ostream_sink_mt>(text_));
    logger->set_level(spdlog::level::trace);
    spdlog::set_default_logger(std::move(logger));
  }
  ToldLog(const ToldLog&) = delete;
  ToldLog& operator=(const ToldLog&) = delete;
  ~ToldLog() { spdlog::set_default_logger(before_); }

  [[nodiscard]] std::string text() const { return text_.str(); }
  [[nodiscard]] bool says(std::string_view part) const { return text().find(part) != std::string::npos; }
  void clear() { text_.str({}); }

 private:
  std::ostringstream text_;
  std::shared_ptr<spdlog::logger> before_;
};

}  // namespace cobus
