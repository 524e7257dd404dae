// SPDX-License-Identifier: Apache-2.0
//
// The log of a program: to stderr, text for people on a terminal, one JSON object a line otherwise. A thread
// of its own writes it, so that nobody who logs, perhaps with a lock held, waits for whoever reads stderr;
// lines that the reader does not take in time are dropped and counted, and the log says so (LogWriter).
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace cobus {

class LogSink;

// The log from main's first lines to its last. Everything else that main says on stderr goes through
// say_on_stderr(), so that it keeps its order with the log and waits for no reader. One at a time in a
// process.
class OpenLog {
 public:
  // Logs at the level info in the format auto, until change_log(). `program` stands in each JSON line. After
  // SignalGate, since it starts a thread.
  explicit OpenLog(const std::string& program);
  // Writes what waits, as long as the reader takes it; a reader that stalls gets a second.
  ~OpenLog();
  OpenLog(const OpenLog&) = delete;
  OpenLog& operator=(const OpenLog&) = delete;

 private:
  std::shared_ptr<LogSink> sink_;
};

// `level`: debug, info, warn, error. `format`: text, json, auto. From now on. Any thread, while an OpenLog
// exists.
void change_log(const std::string& level, const std::string& format);

// Writes `line` to stderr as it is, behind what has been logged so far; directly where no OpenLog exists. Any
// thread.
void say_on_stderr(std::string line);

// Lines of this process's log that were dropped because nobody read stderr in time, or could not be written.
// Any thread.
[[nodiscard]] std::uint64_t log_lines_dropped();

}  // namespace cobus
