// SPDX-License-Identifier: Apache-2.0
#include "node/observe/log.hpp"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

namespace cobus {
namespace {

class JsonFormatter final : public spdlog::formatter {
 public:
  explicit JsonFormatter(std::string program) : program_(std::move(program)) {}

  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& into) override {
    spdlog::memory_buf_t time;
    time_.format(message, time);
    nlohmann::ordered_json line;
    line["time"] = std::string(time.data(), time.size());
    line["level"] = std::string(spdlog::level::to_string_view(message.level).data());
    line["program"] = program_;
    line["message"] = std::string(message.payload.data(), message.payload.size());
    const std::string text = line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + '\n';
    into.append(text.data(), text.data() + text.size());
  }
  [[nodiscard]] std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<JsonFormatter>(program_);
  }

 private:
  std::string program_;
  spdlog::pattern_formatter time_{"%Y-%m-%dT%H:%M:%S.%fZ", spdlog::pattern_time_type::utc, ""};
};

}  // namespace

void change_log(const std::string& level, const std::string& format) {
  // The logger stays the same one, since other threads are using it; a sink locks itself.
  const std::shared_ptr<spdlog::logger> logger = spdlog::default_logger();
  if (format == "json" || (format == "auto" && isatty(STDERR_FILENO) == 0)) {
    logger->set_formatter(std::make_unique<JsonFormatter>(logger->name()));
  } else {
    logger->set_pattern("%H:%M:%S.%e %^%-5l%$ %v");
  }
  logger->set_level(spdlog::level::from_str(level == "warn" ? "warning" : level));
}

void set_up_log(const std::string& program, const std::string& level, const std::string& format) {
  auto logger = spdlog::stderr_color_mt(program);
  logger->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(std::move(logger));
  change_log(level, format);
}

}  // namespace cobus
