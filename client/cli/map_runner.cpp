// SPDX-License-Identifier: Apache-2.0
#include "client/cli/map_runner.hpp"

#include <fmt/format.h>

#include <vector>

#include "client/cli/job_json.hpp"
#include "client/cli/request_input.hpp"
#include "client/cli/run.hpp"
#include "node/runtime/offload.hpp"
#include "proto/limits.hpp"
#include "proto/similar.hpp"
#include "proto/utf8.hpp"

namespace cobus::client {
namespace {

using google::protobuf::FieldDescriptor;

constexpr int losses_max = 5;  // nodes that one request may lose: it may be what kills them
constexpr Duration patience = std::chrono::seconds(30);  // for a node that can take it
constexpr Duration said_after = std::chrono::seconds(1);
constexpr Duration said_again = std::chrono::seconds(10);
constexpr Duration pause_first = std::chrono::milliseconds(50);
constexpr Duration pause_max = std::chrono::seconds(1);

// Whether the request itself was lost, rather than answered.
bool lost(Code code) { return code == Code::unavailable || code == Code::cancelled; }

// Waits longer each time, until its patience ends.
class Backoff {
 public:
  // The next pause; nothing when it has been too long.
  std::optional<Duration> next(TimePoint now) {
    if (!since_) since_ = now;
    if (now - *since_ > patience) return std::nullopt;
    return std::exchange(pause_, std::min(pause_ * 2, pause_max));
  }
  void reset() { *this = Backoff(); }
  [[nodiscard]] Duration waited(TimePoint now) const { return since_ ? now - *since_ : Duration(0); }

 private:
  std::optional<TimePoint> since_;
  Duration pause_ = pause_first;
};

std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes + static_cast<char>(value);
}

// The caller knows the line: "column 9: malformed JSON: ..." instead of "malformed JSON at line 1, column 9:
// ...".
Status of_one_line(const Status& status) {
  std::string text = status.message();
  constexpr std::string_view line = " at line 1, ";
  const std::size_t at = text.find(line);
  if (at == std::string::npos) return status;
  const std::size_t end = std::min(text.find_first_of(":;", at), text.size());
  const std::string column = text.substr(at + line.size(), end - at - line.size());
  return {status.code(), fmt::format("{}: {}", column, text.erase(at, end - at))};
}

Result<const FieldDescriptor*> field_of(const google::protobuf::Descriptor* type, const std::string& name) {
  const FieldDescriptor* field = type->FindFieldByName(name);
  if (field == nullptr) field = type->FindFieldByCamelcaseName(name);
  if (field != nullptr) return field;
  std::vector<std::string> known;
  for (int i = 0; i < type->field_count(); ++i) known.push_back(type->field(i)->name());
  const std::string similar = most_similar(name, known);
  return fail(Code::invalid_argument,
              fmt::format("--files: {} has no field '{}'; {}", type->full_name(), name,
                          similar.empty() ? "see: cobus describe " + type->full_name()
                                          : "did you mean '" + similar + "'?"));
}

// Of a field of wire type 2, or of a group: its start and its end are around the content.
std::string enclosed(const FieldDescriptor& field, const std::string& content) {
  const std::uint64_t number = static_cast<std::uint64_t>(field.number()) << 3;
  if (field.type() == FieldDescriptor::TYPE_GROUP) return varint(number | 3) + content + varint(number | 4);
  return varint(number | 2) + varint(content.size()) + content;
}

}  // namespace

Result<FieldPath> text_field(const google::protobuf::Descriptor* type, const std::string& name) {
  FieldPath path;
  for (std::size_t from = 0, to = 0; to != std::string::npos; from = to + 1) {
    to = name.find('.', from);
    const auto field = field_of(type, name.substr(from, to == std::string::npos ? to : to - from));
    if (!field) return fail(field.error());
    path.push_back(*field);
    type = (*field)->message_type();
    if (to != std::string::npos && (type == nullptr || (*field)->is_repeated())) {
      return fail(Code::invalid_argument,
                  fmt::format("--files: '{}' of {} is no single message, so '{}' has no fields in it",
                              (*field)->name(), (*field)->containing_type()->full_name(), name));
    }
  }
  const FieldDescriptor* const field = path.back();
  if (field->type() != FieldDescriptor::TYPE_STRING && field->type() != FieldDescriptor::TYPE_BYTES) {
    return fail(Code::invalid_argument,
                fmt::format("--files: the field '{}' of {} is a {} and takes no text", name,
                            field->containing_type()->full_name(), field->type_name()));
  }
  return path;
}

Result<std::string> file_payload(const FieldPath& field, const std::string& path) {
  auto text = read_whole_file(path, limits::payload_bytes_max);
  if (!text) return fail(text.error());
  if (field.back()->type() == FieldDescriptor::TYPE_STRING) {
    const std::size_t valid = utf8_valid_bytes(*text);
    if (valid != text->size()) {
      return fail(
          Code::invalid_argument,
          fmt::format("{} is not UTF-8 (at byte {}), which the field '{}' has to be; convert it, if it is "
                      "Latin-1 with: iconv -f LATIN1 -t UTF-8 {}",
                      path, valid + 1, field.back()->name(), path));
    }
  }
  std::string payload = std::move(*text);
  for (auto level = field.rbegin(); level != field.rend(); ++level) payload = enclosed(**level, payload);
  return payload;
}

MapRunner::MapRunner(const MapOptions& options, Console& console, View& view, Catalog& catalog,
                     const google::protobuf::MethodDescriptor* method, FieldPath field, std::string run_id)
    : options_(options),
      console_(console),
      view_(view),
      catalog_(catalog),
      jobs_(view, console),
      method_(method),
      field_(std::move(field)),
      method_name_(method_name(method)),
      run_id_(std::move(run_id)) {}

double MapRunner::running_part() const {
  double sum = 0;
  for (const auto& [sequence, part] : parts_) sum += part;
  return sum;
}

void MapRunner::reported(std::uint64_t sequence, const v1::Progress& progress) {
  if (progress.fraction() >= 0) parts_[sequence] = std::min<double>(progress.fraction(), 1);
}

void MapRunner::say_what_it_waits_for(const Status& failed) {
  const TimePoint now = system_clock().now();
  if (now - waiting_said_ < said_again) return;
  waiting_said_ = now;
  console_.note(printable(fmt::format("waiting: {}; a request waits {} s at most", failed.message(),
                                      std::chrono::duration_cast<std::chrono::seconds>(patience).count())));
}

Task<Result<std::string>> MapRunner::payload_of(Self self, MapInput input) {
  if (!input.unusable.ok()) co_return fail(input.unusable);
  Result<std::string> payload;
  if (input.file) {
    const auto read = [field = field_, path = input.text](OffloadStop /*stop*/) {
      return file_payload(field, path);
    };
    payload = co_await offload(read);
  } else {
    payload = co_await catalog_.encode(self, method_->input_type(), input.text);
    if (!payload) payload = fail(of_one_line(payload.error()));
  }
  if (payload && payload->size() > limits::payload_bytes_max) {
    co_return fail(Code::invalid_argument, fmt::format("it has {} bytes; one request holds at most {}",
                                                       payload->size(), limits::payload_bytes_max));
  }
  co_return payload;
}

MapOutcome MapRunner::begun(const MapOptions& options, const MapInput& input) {
  MapOutcome outcome;
  outcome.sequence = input.sequence;
  if (input.file) {
    outcome.file = input.text;
  } else {
    outcome.request = input.text;
  }
  outcome.place = place_of(options, input);
  outcome.command = request_command(options, input);
  outcome.start_s = static_cast<double>(system_clock().unix_us()) / 1e6;
  return outcome;
}

Task<std::optional<MapOutcome>> MapRunner::run(Self self, MapInput input) {
  MapOutcome outcome = begun(options_, input);
  const TimePoint started = system_clock().now();
  std::string failed_job = std::move(input.failed_job);
  Result<std::string> payload = co_await payload_of(self, std::move(input));
  if (payload) {
    outcome.sent = payload->size();
    outcome.error = options_.ledger
                        ? co_await as_job(self, std::move(*payload), std::move(failed_job), &outcome)
                        : co_await as_call(self, std::move(*payload), &outcome);
  } else {
    outcome.error = payload.error();
    outcome.exit = 1;
  }
  parts_.erase(outcome.sequence);
  if (self.stop_requested()) co_return std::nullopt;
  outcome.runtime_s = std::chrono::duration<double>(system_clock().now() - started).count();
  co_return outcome;
}

Task<Status> MapRunner::take_result(Self self, std::string bytes, MapOutcome* outcome) {
  Decoded decoded = co_await catalog_.decode(self, method_->output_type(), "", std::move(bytes));
  if (decoded.is_message) outcome->result = std::move(decoded.json);
  if (!decoded.problem.ok()) outcome->exit = call_exit_code(decoded.problem);
  co_return decoded.problem;
}

Task<Status> MapRunner::as_job(Self self, std::string payload, std::string failed_job, MapOutcome* outcome) {
  v1::SubmitRequest request;
  request.set_method(method_name_);
  // A run that goes on asks for the jobs it left; for others where a file has changed or a job has failed.
  request.set_key(
      fmt::format("map-{}-{}-{:016x}-{}", run_id_, outcome->sequence, fnv1a(payload), failed_job));
  request.set_payload(std::move(payload));
  (*request.mutable_labels())[label] = run_id_;
  if (options_.timeout) {
    request.set_timeout_us(static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(*options_.timeout).count()));
  }
  const auto on_job = [this, sequence = outcome->sequence](const v1::Job& job) {
    if (job.state() == v1::RUNNING && job.has_progress()) {
      reported(sequence, job.progress());
    } else {
      parts_.erase(sequence);
    }
  };
  Backoff backoff;
  int losses = 0;
  for (;;) {
    const auto submitted = co_await jobs_.submit(self, request);
    Status failed;
    if (submitted) {
      outcome->job = submitted->id;
      const auto job = co_await jobs_.follow(self, submitted->id, submitted->home, false, on_job);
      if (job) {
        outcome->node = job->node();
        outcome->state = state_name(job->state());
        outcome->attempt = job->attempt();
        outcome->received = job->result().size();
        outcome->exit = job_exit_code(*job);
        const Status status = job_status(*job);
        if (!status.ok()) co_return status;
        co_return co_await take_result(self, job->result(), outcome);
      }
      failed = job.error();
      backoff.reset();
      if (!lost(failed.code()) || ++losses > losses_max) {
        outcome->exit = call_exit_code(failed);
        co_return failed;
      }
    } else {
      failed = submitted.error();
    }
    const bool again = lost(failed.code()) || failed.code() == Code::resource_exhausted ||
                       failed.code() == Code::deadline_exceeded;
    const auto pause = again && !self.stop_requested() ? backoff.next(system_clock().now()) : std::nullopt;
    if (pause && backoff.waited(system_clock().now()) > said_after) say_what_it_waits_for(failed);
    if (!pause || !(co_await sleep(*pause)).ok()) {
      outcome->exit = call_exit_code(failed);
      co_return failed;
    }
  }
}

Task<Status> MapRunner::as_call(Self self, std::string payload, MapOutcome* outcome) {
  const TypeId type = type_id(method_->input_type()->full_name());
  CallOptions options;
  options.trace = new_trace();
  options.on_progress = [this, sequence = outcome->sequence](const v1::Progress& progress) {
    reported(sequence, progress);
  };
  Backoff backoff;
  int losses = 0;
  for (;;) {
    ++outcome->attempt;
    Status failed;
    const auto node = view_.choose(method_name_);
    if (node) {
      outcome->node = view_.name_of(*node);
      options.timeout = options_.timeout ? *options_.timeout : method_timeout(view_, *node, method_name_);
      auto reply = co_await call_envelope(self, *node, method_name_,
                                          std::make_unique<EncodedEnvelope>(type, payload), options);
      if (reply) {
        outcome->state = "succeeded";
        outcome->received = (*reply)->encoded().size();
        co_return co_await take_result(self, std::string((*reply)->encoded()), outcome);
      }
      failed = reply.error();
      if (lost(failed.code())) view_.lost(*node);
      const bool busy = failed.code() == Code::resource_exhausted;
      if (!busy) backoff.reset();
      if (!busy && (!lost(failed.code()) || ++losses > losses_max)) {
        outcome->exit = call_exit_code(failed);
        co_return failed;
      }
    } else {
      failed = node.error();
    }
    const auto pause = self.stop_requested() ? std::nullopt : backoff.next(system_clock().now());
    if (pause && backoff.waited(system_clock().now()) > said_after) say_what_it_waits_for(failed);
    if (!pause || !(co_await sleep(*pause)).ok()) {
      outcome->exit = call_exit_code(failed);
      co_return failed;
    }
  }
}

}  // namespace cobus::client
