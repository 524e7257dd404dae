// SPDX-License-Identifier: Apache-2.0
#include "node/observe/log.hpp"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "proto/log_text.hpp"

namespace cobus {
namespace {

// Of the text of one line. What a peer gave is part of it, and may be long or hold anything.
constexpr std::size_t line_bytes_max = std::size_t{8} * 1024;

std::string_view text_of(const spdlog::details::log_msg& message) {
  return {message.payload.data(), message.payload.size()};
}

// JSON escapes by itself.
std::string cut(std::string_view text) {
  if (text.size() <= line_bytes_max) return std::string(text);
  return std::string(text.substr(0, line_bytes_max)) + "... (" + std::to_string(text.size()) + " bytes)";
}

// The text of a message as one line.
class OneLine final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& into) override {
    const std::string text = log_text(text_of(message), line_bytes_max);
    into.append(text.data(), text.data() + text.size());
  }
  [[nodiscard]] std::unique_ptr<spdlog::custom_flag_formatter> clone() const override {
    return std::make_unique<OneLine>();
  }
};

std::unique_ptr<spdlog::formatter> text_formatter() {
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  formatter->add_flag<OneLine>('*').set_pattern("%H:%M:%S.%e %^%-5l%$ %*");
  return formatter;
}

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
    line["message"] = cut(text_of(message));
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
    logger->set_formatter(text_formatter());
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
