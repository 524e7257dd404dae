// SPDX-License-Identifier: Apache-2.0
//
// CallItems: the requests of a call that takes a stream of them, and the call itself: items go out as they
// come in, no faster than the callee takes them, while answers are printed. Used by `cobus call`.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "client/cli/catalog.hpp"
#include "client/cli/map_source.hpp"
#include "client/cli/request_input.hpp"
#include "client/cli/run.hpp"

namespace cobus::client {

// The JSON lines of a file or stdin, or the elements of a JSON array on the command line, or the one request
// that stands there. INVALID_ARGUMENT when it is no JSON.
[[nodiscard]] Result<std::unique_ptr<MapSource>> open_items(const NamedInput& input);

// Calls `method` with all that `source` gives and prints what it answers. Gives the exit code. A line that
// is no request ends the call, with its number.
[[nodiscard]] Task<int> call_with_items(Self self, Context* context, Catalog* catalog,
                                        const google::protobuf::MethodDescriptor* method, NodeId node,
                                        MapSource* source, CallOptions options);

// As fail_call(), of a call that had `timeout`: when its time ran out, says how long it had and how to give
// it longer. Not positive: it had no bound. None: it had what the method says, or the default.
int fail_timed_call(Context& context, const std::string& method, const Status& status,
                    std::optional<Duration> timeout);

}  // namespace cobus::client
