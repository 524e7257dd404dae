// SPDX-License-Identifier: Apache-2.0
//
// Rules: what spawn, run, send, receive and COBUS_WORKER take, as concepts, so that code which breaks a rule
// is refused when it is compiled. The compiler names the concept that was not met: its name is a sentence
// about the type, and its comment gives the reason.
#pragma once

#include <google/protobuf/message.h>

#include <concepts>
#include <type_traits>

#include "node/runtime/offload.hpp"

namespace cobus {

class Self;

namespace rule {

// A message is a class generated from a .proto: other nodes must be able to read it.
template <class T>
concept is_a_protobuf_message = std::derived_from<T, google::protobuf::Message>;

// The frame of a coroutine lambda refers to the lambda, not to a copy of it. The lambda is gone when the
// worker first waits, and its captures with it: pass what it needs as arguments, which are copied into the
// frame.
template <class T>
concept captures_nothing = std::is_pointer_v<T> || std::is_empty_v<T>;

template <class T, class... Arguments>
concept can_be_called_with_self_and_the_arguments = std::invocable<T&, Self, Arguments...>;

template <class T>
concept is_a_task = detail::is_task<T>;

// Nobody waits for what a spawned worker gives: it sends its results as messages.
template <class T>
concept is_a_task_without_a_value = std::same_as<T, Task<>>;

// The arguments are gone when the worker first waits; only its own copies live as long as it does.
template <class... Parameters>
inline constexpr bool by_value = (!std::is_reference_v<Parameters> && ...);
template <class T>
inline constexpr bool parameters_by_value = true;  // a template or an overload set: unknown
template <class Value, class... Parameters>
inline constexpr bool parameters_by_value<Value (*)(Parameters...)> = by_value<Parameters...>;
template <class Value, class T, class... Parameters>
inline constexpr bool parameters_by_value<Value (T::*)(Parameters...) const> = by_value<Parameters...>;
template <class Value, class T, class... Parameters>
inline constexpr bool parameters_by_value<Value (T::*)(Parameters...)> = by_value<Parameters...>;

template <class T>
[[nodiscard]] consteval bool parameters_are_values() {
  if constexpr (requires { &T::operator(); }) {
    return parameters_by_value<decltype(&T::operator())>;
  } else {
    return parameters_by_value<T>;
  }
}
template <class T>
concept takes_its_parameters_by_value = parameters_are_values<T>();

// Whoever has one made may be on another node, so what it is made from is one message.
template <class T>
inline constexpr bool kind_function = false;
template <class Argument>
inline constexpr bool kind_function<Task<> (*)(Self, Argument)> = is_a_protobuf_message<Argument>;
template <class T>
concept is_a_function_of_self_and_one_protobuf_message_that_gives_a_task = kind_function<T>;

}  // namespace rule

// What can be sent, received, asked and answered.
template <class T>
concept ProtobufMessage = rule::is_a_protobuf_message<std::remove_cvref_t<T>>;

// What LocalNode::run and its like take: a coroutine function, called with the Self of a new worker and these
// arguments.
template <class Function, class... Arguments>
concept WorkerFunction = rule::captures_nothing<Function> && rule::takes_its_parameters_by_value<Function> &&
                         rule::can_be_called_with_self_and_the_arguments<Function, Arguments...> &&
                         rule::is_a_task<std::invoke_result_t<Function&, Self, Arguments...>>;

// What spawn takes: such a function, whose task has no value.
template <class Function, class... Arguments>
concept SpawnFunction = WorkerFunction<Function, Arguments...> &&
                        rule::is_a_task_without_a_value<std::invoke_result_t<Function&, Self, Arguments...>>;

// What COBUS_WORKER and make_kind take.
template <class Function>
concept KindFunction = rule::is_a_function_of_self_and_one_protobuf_message_that_gives_a_task<Function>;

}  // namespace cobus
