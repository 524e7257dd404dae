// SPDX-License-Identifier: Apache-2.0
//
// Similar: the name that somebody who mistyped one probably meant, for "did you mean". Pure
// functions; upper and lower case count as the same letter.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace cobus {

// Letters to insert, delete, replace or swap with their neighbour to turn one into the other.
[[nodiscard]] std::size_t edit_distance(std::string_view left, std::string_view right);

// The candidate nearest to `name`, the first of several; empty when none is near enough to be what was
// meant (more than two edits, and more than a third of the name).
[[nodiscard]] std::string most_similar(std::string_view name, std::span<const std::string> candidates);

}  // namespace cobus
