// SPDX-License-Identifier: Apache-2.0
#include "node/cluster/revocation_writer.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>

#include "node/runtime/offload.hpp"

namespace cobus {
namespace {

// Pauses between tries: short at first, for what is over at once, and never so long that a disk which has
// space again waits for minutes.
constexpr Duration first_pause = std::chrono::seconds(1);
constexpr Duration longest_pause = std::chrono::seconds(30);

}  // namespace

Task<Status> RevocationWriter::write_once() {
  auto saved = co_await offload([list = &list_] { return list->save(); });
  co_return saved ? *saved : saved.error();
}

Task<Status> RevocationWriter::write() {
  Status written = co_await write_once();
  if (written.ok() || retrying_.exchange(true)) co_return written;
  spdlog::error(
      "what was revoked could not be written down, so a restart of this process does not know it until "
      "others tell it; it is tried again until it works: {}",
      written.message());
  node_.spawn("cobus.revocations", &RevocationWriter::write_again, this);
  co_return written;
}

Task<> RevocationWriter::write_again(Self self, RevocationWriter* writer) {
  Duration pause = first_pause;
  while (!self.stop_requested()) {
    if (!(co_await sleep(pause)).ok()) co_return;
    pause = std::min(2 * pause, longest_pause);
    if (!(co_await writer->write_once()).ok()) continue;
    writer->retrying_ = false;
    // A write() may have failed between the two lines above, and left the next try to this worker.
    if (writer->list_.written()) {
      spdlog::info("what was revoked is written down now");
      co_return;
    }
    if (writer->retrying_.exchange(true)) co_return;
  }
}

}  // namespace cobus
