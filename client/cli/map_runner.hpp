// SPDX-License-Identifier: Apache-2.0
//
// MapRunner: makes one request of a map after the other into an outcome, several at once: as durable jobs, or
// as plain calls. What is lost with a node is asked for again elsewhere, under the same key. Used by one
// verb's coroutines, on the session's shard.
#pragma once

#include <google/protobuf/descriptor.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "client/cli/catalog.hpp"
#include "client/cli/job_client.hpp"
#include "client/cli/map_report.hpp"
#include "client/cli/map_source.hpp"

namespace cobus::client {

// A field, or one inside of messages inside of another: the outermost first.
using FieldPath = std::vector<const google::protobuf::FieldDescriptor*>;

// The field of `type` that --files names, "text" or "document.text". INVALID_ARGUMENT when there is none,
// with the one that was probably meant, or when it takes no text.
[[nodiscard]] Result<FieldPath> text_field(const google::protobuf::Descriptor* type, const std::string& name);

// The message that has only `field`, with the text of the file. INVALID_ARGUMENT naming the file when it
// cannot be read, is too large for a request, or is not UTF-8 where the field must be.
[[nodiscard]] Result<std::string> file_payload(const FieldPath& field, const std::string& path);

class MapRunner {
 public:
  // All must outlive it. `field` is empty unless the requests are files.
  MapRunner(const MapOptions& options, Console& console, View& view, Catalog& catalog,
            const google::protobuf::MethodDescriptor* method, FieldPath field, std::string run_id);

  // The label that the jobs of this run have.
  static constexpr const char* label = "map";
  // The outcome of a request that nothing is known of yet.
  [[nodiscard]] static MapOutcome begun(const MapOptions& options, const MapInput& input);
  // The outcome of one request; nothing when it was asked to stop before there was one.
  [[nodiscard]] Task<std::optional<MapOutcome>> run(Self self, MapInput input);
  // How much of those that run now is done, by what their workers report: 1 is one whole request.
  [[nodiscard]] double running_part() const;

 private:
  void reported(std::uint64_t sequence, const v1::Progress& progress);
  void say_what_it_waits_for(const Status& failed);
  [[nodiscard]] Task<Result<std::string>> payload_of(Self self, MapInput input);
  // Makes the answer that the request got the result. Gives what is wrong with it.
  [[nodiscard]] Task<Status> take_result(Self self, std::string bytes, MapOutcome* outcome);
  [[nodiscard]] Task<Status> as_job(Self self, std::string payload, std::string failed_job,
                                    MapOutcome* outcome);
  [[nodiscard]] Task<Status> as_call(Self self, std::string payload, MapOutcome* outcome);

  const MapOptions& options_;
  Console& console_;
  View& view_;
  Catalog& catalog_;
  JobClient jobs_;
  const google::protobuf::MethodDescriptor* const method_;
  const FieldPath field_;
  const std::string method_name_;
  const std::string run_id_;
  TimePoint waiting_said_{};
  std::map<std::uint64_t, double> parts_;  // of requests that run, as far as they report it
};

}  // namespace cobus::client
