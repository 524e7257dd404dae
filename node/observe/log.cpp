// SPDX-License-Identifier: Apache-2.0
#include "node/observe/log.hpp"

#include <fmt/format.h>
#include <spdlog/details/os.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdio>
#include <mutex>
#include <nlohmann/json.hpp>
#include <utility>

#include "node/observe/log_writer.hpp"
#include "node/runtime/protobuf_log.hpp"
#include "proto/log_text.hpp"

namespace cobus {
namespace {

// Of the text of one line. What a peer gave is part of it, and may be long or hold anything.
constexpr std::size_t line_bytes_max = std::size_t{8} * 1024;
// How long a flush waits for whoever reads stderr.
constexpr Duration flush_patience = std::chrono::seconds(2);

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

// How a line looks. Shared with the writer's thread, which tells of dropped lines.
class Format {
 public:
  Format(std::string program, bool colors) : program_(std::move(program)), colors_(colors) {}

  void use(std::unique_ptr<spdlog::formatter> formatter) {
    const std::scoped_lock lock(mutex_);
    formatter_ = std::move(formatter);
  }
  std::string line(const spdlog::details::log_msg& message) {
    const std::scoped_lock lock(mutex_);
    spdlog::memory_buf_t text;
    message.color_range_start = message.color_range_end = 0;
    formatter_->format(message, text);
    std::string line(text.data(), text.size());
    if (!colors_ || message.color_range_end <= message.color_range_start) return line;
    line.insert(message.color_range_end, "\x1b[m");
    line.insert(message.color_range_start, color_of(message.level));
    return line;
  }
  std::string missing_line(std::uint64_t count) {
    const std::string text =
        fmt::format("{} line{} of this log {} dropped here: whoever reads stderr did not take them in time",
                    count, count == 1 ? "" : "s", count == 1 ? "was" : "were");
    return line(spdlog::details::log_msg(program_, spdlog::level::warn, text));
  }

 private:
  static const char* color_of(spdlog::level::level_enum level) {
    if (level >= spdlog::level::err) return "\x1b[31m\x1b[1m";
    if (level == spdlog::level::warn) return "\x1b[33m\x1b[1m";
    return level == spdlog::level::info ? "\x1b[32m" : "\x1b[36m";
  }

  const std::string program_;
  const bool colors_;
  std::mutex mutex_;
  std::unique_ptr<spdlog::formatter> formatter_ = text_formatter();
};

}  // namespace

// Between spdlog and the LogWriter.
class LogSink final : public spdlog::sinks::sink {
 public:
  explicit LogSink(const std::string& program)
      : format_(std::make_shared<Format>(
            program, spdlog::details::os::in_terminal(stderr) && spdlog::details::os::is_color_terminal())),
        writer_(STDERR_FILENO,
                [format = format_](std::uint64_t count) { return format->missing_line(count); }, {}) {}

  void log(const spdlog::details::log_msg& message) override {
    const std::scoped_lock lock(order_);
    writer_.put(format_->line(message));
  }
  void say(std::string line) {
    const std::scoped_lock lock(order_);
    writer_.put(std::move(line));
  }
  void flush() override { writer_.flush(flush_patience); }
  void close() { writer_.close(); }
  void set_pattern(const std::string& pattern) override {
    format_->use(std::make_unique<spdlog::pattern_formatter>(pattern));
  }
  void set_formatter(std::unique_ptr<spdlog::formatter> formatter) override {
    format_->use(std::move(formatter));
  }
  [[nodiscard]] std::uint64_t dropped() const { return writer_.dropped(); }

 private:
  std::mutex order_;  // of lines; held for the time of a copy
  const std::shared_ptr<Format> format_;
  LogWriter writer_;
};

namespace {

std::mutex current_mutex;
std::shared_ptr<LogSink> current_sink;  // guarded by current_mutex

std::shared_ptr<LogSink> current() {
  const std::scoped_lock lock(current_mutex);
  return current_sink;
}

void make_current(std::shared_ptr<LogSink> sink) {
  const std::scoped_lock lock(current_mutex);
  current_sink = std::move(sink);
}

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

OpenLog::OpenLog(const std::string& program) : sink_(std::make_shared<LogSink>(program)) {
  spdlog::set_default_logger(std::make_shared<spdlog::logger>(program, sink_));
  make_current(sink_);
  change_log("info", "auto");
  route_protobuf_log();
}

OpenLog::~OpenLog() {
  make_current(nullptr);
  sink_->close();
}

void say_on_stderr(std::string line) {
  line += '\n';
  if (const auto sink = current()) {
    sink->say(std::move(line));
  } else {
    std::fputs(line.c_str(), stderr);
  }
}

std::uint64_t log_lines_dropped() {
  const auto sink = current();
  return sink ? sink->dropped() : 0;
}

}  // namespace cobus
