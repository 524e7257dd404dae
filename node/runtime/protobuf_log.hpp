// SPDX-License-Identifier: Apache-2.0
//
// ProtobufLog: libprotobuf writes lines of its own to stderr, such as the name of a field that is not UTF-8
// in what a peer sent. They go into the log of the program instead, one line each, at the level debug unless
// libprotobuf calls them fatal.
#pragma once

namespace cobus {

// From now on, for the whole process. Before other threads use messages.
void route_protobuf_log() noexcept;

}  // namespace cobus
