// SPDX-License-Identifier: Apache-2.0
#include "client/cli/joblog.hpp"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <vector>

namespace cobus::client {
namespace {

constexpr std::string_view header_columns =
    "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\tJobId\tAttempt";
constexpr std::string_view run_column = "\tmap=";
enum : std::size_t {
  at_seq,
  at_host,
  at_start,
  at_runtime,
  at_sent,
  at_received,
  at_exit,
  at_signal,
  at_command,
  at_job,
  at_attempt,
  columns
};

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '\t':
        out += "\\t";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\\':
        out += "\\\\";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    const char c = text[++i];
    out += c == 't' ? '\t' : c == 'n' ? '\n' : c == 'r' ? '\r' : c;
  }
  return out;
}

std::vector<std::string_view> split(std::string_view line) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t tab = line.find('\t');
    parts.push_back(line.substr(0, tab));
    if (tab == std::string_view::npos) return parts;
    line.remove_prefix(tab + 1);
  }
}

template <class Number>
bool read_number(std::string_view text, Number& number) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

std::unexpected<Status> unavailable(const std::string& what, const std::string& path) {
  return fail(Code::unavailable,
              fmt::format("cannot {} the joblog {}: {}", what, path, std::strerror(errno)));
}

// Takes off what a crash left of the last line.
void cut_to_whole_lines(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::uintmax_t whole = 0;
  for (std::string line; std::getline(file, line) && !file.eof();) whole += line.size() + 1;
  std::error_code ignored;  // opening it for writing says what is wrong
  if (std::filesystem::is_regular_file(path, ignored) && std::filesystem::file_size(path, ignored) > whole) {
    std::filesystem::resize_file(path, whole, ignored);
  }
}

}  // namespace

std::string joblog_header(const std::string& run) {
  return std::string(header_columns) + std::string(run_column) + run;
}

std::string joblog_line(const JoblogEntry& entry) {
  return fmt::format("{}\t{}\t{:.3f}\t{:10.3f}\t{}\t{}\t{}\t0\t{}\t{}\t{}", entry.sequence,
                     escaped(entry.host), entry.start_s, entry.runtime_s, entry.sent, entry.received,
                     entry.exit, escaped(entry.command), escaped(entry.job), entry.attempt);
}

Result<JoblogEntry> parse_joblog_line(std::string_view line) {
  const std::vector<std::string_view> parts = split(line);
  if (parts.size() != columns) {
    return fail(Code::invalid_argument,
                fmt::format("it has {} columns, not {}", parts.size(), std::size_t{columns}));
  }
  JoblogEntry entry;
  const std::array<std::pair<bool, std::string_view>, 7> read = {{
      {read_number(parts[at_seq], entry.sequence) && entry.sequence > 0, "Seq"},
      {read_number(parts[at_start], entry.start_s), "Starttime"},
      {read_number(parts[at_runtime], entry.runtime_s), "JobRuntime"},
      {read_number(parts[at_sent], entry.sent), "Send"},
      {read_number(parts[at_received], entry.received), "Receive"},
      {read_number(parts[at_exit], entry.exit), "Exitval"},
      {read_number(parts[at_attempt], entry.attempt), "Attempt"},
  }};
  for (const auto& [ok, name] : read) {
    if (!ok) return fail(Code::invalid_argument, fmt::format("its column {} is not a number", name));
  }
  entry.host = unescaped(parts[at_host]);
  entry.command = unescaped(parts[at_command]);
  entry.job = unescaped(parts[at_job]);
  return entry;
}

Result<Joblog> read_joblog(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return fail(errno == ENOENT ? Code::not_found : Code::unavailable,
                fmt::format("cannot read the joblog {}: {}", path, std::strerror(errno)));
  }
  Joblog joblog;
  std::string line;
  for (std::size_t number = 1; std::getline(file, line); ++number) {
    const bool whole = !file.eof();  // a line without an end was cut off by a crash
    if (!whole) break;
    if (line.empty()) continue;
    if (number == 1 && line.starts_with(header_columns)) {
      const std::string rest = line.substr(header_columns.size());
      if (rest.starts_with(run_column)) joblog.run = rest.substr(run_column.size());
      continue;
    }
    Result<JoblogEntry> entry = parse_joblog_line(line);
    if (!entry) {
      return fail(Code::invalid_argument, fmt::format("{} is not a joblog of cobus map: line {}: {}", path,
                                                      number, entry.error().message()));
    }
    const std::uint64_t sequence = entry->sequence;
    joblog.entries.insert_or_assign(sequence, std::move(*entry));
  }
  return joblog;
}

Result<std::unique_ptr<JoblogWriter>> JoblogWriter::open(const std::string& path, bool go_on,
                                                         const std::string& run) {
  if (go_on) cut_to_whole_lines(path);
  // "e": not for the programs that we start.
  std::FILE* file = std::fopen(path.c_str(), go_on ? "ae" : "we");
  if (file == nullptr) return unavailable("write", path);
  std::unique_ptr<JoblogWriter> writer(new JoblogWriter(file, path));
  const bool empty = std::fseek(file, 0, SEEK_END) == 0 && std::ftell(file) == 0;
  if (empty && std::fputs((joblog_header(run) + '\n').c_str(), file) == EOF)
    return unavailable("write", path);
  if (std::fflush(file) != 0) return unavailable("write", path);
  return writer;
}

JoblogWriter::~JoblogWriter() { std::fclose(file_); }

Status JoblogWriter::add(const JoblogEntry& entry) {
  const std::string line = joblog_line(entry) + '\n';
  if (std::fwrite(line.data(), 1, line.size(), file_) == line.size() && std::fflush(file_) == 0) return {};
  return unavailable("write", path_).error();
}

}  // namespace cobus::client
