// SPDX-License-Identifier: Apache-2.0
//
// huge_page_bytes: for who maps memory itself, and spares it page faults (Pool, LargeBytes). Memory that is
// aligned to this, and of a multiple of it, can be mapped in huge pages (MADV_HUGEPAGE) where ordinary ones
// have 4 KiB: one page fault and one entry of the TLB instead of 512. Elsewhere it is only large.
#pragma once

#include <cstddef>

namespace cobus {

inline constexpr std::size_t huge_page_bytes = std::size_t{2} * 1024 * 1024;

}  // namespace cobus
