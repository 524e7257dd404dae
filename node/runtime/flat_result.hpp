// SPDX-License-Identifier: Apache-2.0
//
// FlatResult: what becomes of a T that may be missing for another reason: Result<T>, but a Result stays as it
// is, so that nobody has to look into one Result for another. Of with_timeout, offload and Session::run.
#pragma once

#include "proto/status.hpp"

namespace cobus {

namespace detail {

template <class T>
struct Flat {
  using Value = Result<T>;
};
template <class T>
struct Flat<Result<T>> {
  using Value = Result<T>;
};

}  // namespace detail

template <class T>
using FlatResult = typename detail::Flat<T>::Value;

}  // namespace cobus
