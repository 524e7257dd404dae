// SPDX-License-Identifier: Apache-2.0
#include "client/cli/map_input.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "client/cli/json.hpp"
#include "client/cli/request_input.hpp"
#include "node/runtime/offload.hpp"
#include "proto/limits.hpp"
#include "proto/utf8.hpp"

namespace cobus::client {

Result<std::unique_ptr<MapInput>> MapInput::open(const Arguments& arguments) {
  std::unique_ptr<MapInput> input(new MapInput());
  if (arguments.has("files")) {
    const std::vector<std::string>& words = arguments.list("files");
    if (!arguments.text("FILE").empty()) {
      return fail(Code::invalid_argument, "--files FIELD PATH... and FILE are two inputs: give one of them");
    }
    if (words.size() < 2)
      return fail(Code::invalid_argument,
                  "--files: give a field and at least one path: --files FIELD PATH...");
    input->field_ = words.front();
    input->paths_.assign(words.begin() + 1, words.end());
    return input;
  }
  const std::string& file = arguments.text("FILE");
  if (file.empty()) {
    return fail(
        Code::invalid_argument,
        "no requests: give a FILE with one JSON request a line, - for stdin, or --files FIELD PATH...");
  }
  input->lines_ = file == "-" ? stdin : std::fopen(file.c_str(), "re");
  if (input->lines_ == nullptr) return fail(Code::invalid_argument, file + ": " + std::strerror(errno));
  return input;
}

MapInput::~MapInput() {
  if (lines_ != nullptr && lines_ != stdin) std::fclose(lines_);
}

Status MapInput::check_field(const google::protobuf::Descriptor* request) const {
  if (field_.empty()) return {};
  const google::protobuf::FieldDescriptor* field = request->FindFieldByName(field_);
  const auto is_text = [](const google::protobuf::FieldDescriptor* of) {
    return of->type() == google::protobuf::FieldDescriptor::TYPE_STRING && !of->is_repeated();
  };
  if (field != nullptr && is_text(field)) return {};
  std::string texts;
  for (int i = 0; i < request->field_count(); ++i) {
    if (is_text(request->field(i))) texts += (texts.empty() ? "" : ", ") + request->field(i)->name();
  }
  return {Code::invalid_argument, "--files: " + request->full_name() + " has no text field '" + field_ +
                                      "'; it has: " + (texts.empty() ? "none" : texts)};
}

std::optional<std::uint64_t> MapInput::total() const {
  if (lines_ != nullptr) return std::nullopt;
  return paths_.size();
}

MapRequest MapInput::read_file(std::string path, std::string field) {
  MapRequest request;
  request.name = path;
  Result<std::string> text = read_whole_file(path, limits::payload_bytes_max);
  if (!text) {
    request.problem = std::move(text).error();
  } else if (utf8_valid_bytes(*text) != text->size()) {
    request.problem =
        Status(Code::invalid_argument, path + " is not UTF-8, so it cannot be the text of " + field);
  } else {
    request.json = Json{{field, std::move(*text)}}.dump();
  }
  return request;
}

std::optional<std::string> MapInput::read_line(std::FILE* file) {
  char* line = nullptr;
  std::size_t room = 0;
  const ssize_t size = ::getline(&line, &room, file);
  std::optional<std::string> text;
  if (size >= 0) text.emplace(line, static_cast<std::size_t>(size) - (line[size - 1] == '\n' ? 1 : 0));
  std::free(line);  // NOLINT(cppcoreguidelines-no-malloc): getline's
  return text;
}

Task<std::optional<MapRequest>> MapInput::next() {
  if (lines_ == nullptr) {
    if (sequence_ == paths_.size()) co_return std::nullopt;
    const std::uint64_t sequence = ++sequence_;
    auto read = [path = paths_[sequence - 1], field = field_](OffloadStop) { return read_file(path, field); };
    Result<MapRequest> request = co_await offload(std::move(read));
    if (!request) co_return std::nullopt;
    request->sequence = sequence;
    co_return std::move(*request);
  }
  while (reading_) {
    if (!(co_await read_.wait()).ok()) co_return std::nullopt;
  }
  std::optional<MapRequest> request;
  reading_ = true;
  while (!request && !ended_) {
    auto read = [file = lines_](OffloadStop) { return read_line(file); };
    Result<std::optional<std::string>> line = co_await offload(std::move(read));
    if (!line || !*line) {
      ended_ = true;
    } else if ((*line)->find_first_not_of(" \t\r") != std::string::npos) {
      request.emplace();
      request->sequence = ++sequence_;
      request->json = std::move(**line);
    }
  }
  reading_ = false;
  read_.notify();
  co_return request;
}

}  // namespace cobus::client
