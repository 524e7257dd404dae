// SPDX-License-Identifier: Apache-2.0
//
// The three descriptors that a program is started with. Where one was closed (cobus-node 2>&-), the first
// file, socket or eventfd that the program opens would take its number, and what is meant for stderr would be
// written into a lock file or a database. So each main opens those that are closed, on /dev/null.
#pragma once

namespace cobus {

// First thing in main, before any thread and any other descriptor. A closed stdin is opened for writing only
// and a closed stdout for reading only, so that using them fails with EBADF as it did; what is written to a
// closed stderr is discarded. Where /dev/null cannot be opened, the process ends with exit code 1.
void open_standard_descriptors() noexcept;

}  // namespace cobus
