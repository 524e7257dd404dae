// SPDX-License-Identifier: Apache-2.0
//
// Service: what a node offers by name. Generated base classes (protoc-gen-cobus) derive from it and
// describe their methods; an author overrides the coroutines. One object serves all calls of a node,
// on every shard at once: state that calls share needs its own protection.
#pragma once

#include <cobus/v1/options.pb.h>
#include <google/protobuf/descriptor.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "node/runtime/stream.hpp"
#include "node/runtime/task.hpp"
#include "node/worker/call.hpp"
#include "node/worker/call_stream.hpp"
#include "node/worker/incoming.hpp"
#include "node/worker/self.hpp"

namespace cobus {

class Service;

// One method of a service, as the runtime needs it.
struct Method {
  // Runs one call of it: decodes the request, runs the handler, sends the answer.
  using Handle = Task<> (*)(Self self, Service* service, const Method* method, EnvelopePtr request);

  std::string name;  // "Method" while described, "package.Service/Method" once registered
  Handle handle = nullptr;
  bool streaming = false;                                          // the answer is a stream
  bool client_streaming = false;                                   // the request is one
  const google::protobuf::MethodDescriptor* descriptor = nullptr;  // set by make_service_info
  v1::MethodOptions options;                                       // set by make_service_info
  Service* service = nullptr;                                      // set by the node

  // Whether somebody with `role` may call it.
  [[nodiscard]] bool admits(v1::Role role) const noexcept;
};

// Whether `role` is among those that a method names; empty = node, submit and admin.
[[nodiscard]] bool admits(const google::protobuf::RepeatedField<int>& roles, v1::Role role) noexcept;

struct ServiceInfo {
  std::string name;  // "package.Service"
  const google::protobuf::ServiceDescriptor* descriptor = nullptr;
  std::vector<Method> methods;
};

class Service {
 public:
  virtual ~Service() = default;
  // What it offers. Constant for the life of the process.
  [[nodiscard]] virtual const ServiceInfo& info() const = 0;
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

 protected:
  Service() = default;
};

// Joins what the generated code says with the descriptors and options of the .proto.
[[nodiscard]] ServiceInfo make_service_info(std::string_view name, std::vector<Method> methods);

namespace detail {

// Turns the exception in flight into INTERNAL with its text.
[[nodiscard]] Status exception_status() noexcept;

template <class Base, class Request, class Reply, auto Handler>
Task<> handle_unary(Self self, Service* service, const Method* method, EnvelopePtr envelope) {
  CallState state(self, *method, *envelope);
  Result<Request> request = take_request<Request>(*envelope);
  envelope.reset();
  if (!request) {
    state.finish(std::move(request).error());
    co_return;
  }
  try {
    Result<Reply> reply = co_await (static_cast<Base*>(service)->*Handler)(Call(state), std::move(*request));
    if (reply) {
      state.reply(std::make_unique<TypedEnvelope<Reply>>(std::move(*reply)));
    } else {
      state.finish(std::move(reply).error());
    }
  } catch (...) {
    state.finish(exception_status());
  }
}

// Sends what a handler yields, and its end. Returns early when the caller wants no more.
template <class Item>
Task<> give_items(CallState* state, Stream<Item>* stream) {
  for (;;) {
    const bool wanted = co_await state->room();
    if (!wanted) co_return;
    std::optional<Item> item = co_await stream->next();
    if (!item) break;
    state->item(std::make_unique<TypedEnvelope<Item>>(std::move(*item)));
  }
  state->finish(stream->status());
}

template <class Base, class Request, class Item, auto Handler>
Task<> handle_stream(Self self, Service* service, const Method* method, EnvelopePtr envelope) {
  CallState state(self, *method, *envelope);
  Result<Request> request = take_request<Request>(*envelope);
  envelope.reset();
  if (!request) {
    state.finish(std::move(request).error());
    co_return;
  }
  try {
    Stream<Item> stream = (static_cast<Base*>(service)->*Handler)(Call(state), std::move(*request));
    co_await give_items(&state, &stream);
  } catch (...) {
    state.finish(exception_status());
  }
}

template <class Base, class Item, class Reply, auto Handler>
Task<> handle_incoming(Self self, Service* service, const Method* method, EnvelopePtr envelope) {
  CallState state(self, *method, *envelope);
  envelope.reset();
  Upstream upstream(state);
  Task<Result<Reply>>
      handler;  // outlives the answer, so that the end of its Incoming is no news for the caller
  try {
    handler = (static_cast<Base*>(service)->*Handler)(Call(state), Incoming<Item>(upstream));
    Result<Reply> reply = co_await std::move(handler);
    if (reply) {
      state.reply(std::make_unique<TypedEnvelope<Reply>>(std::move(*reply)));
    } else {
      state.finish(std::move(reply).error());
    }
  } catch (...) {
    state.finish(exception_status());
  }
}

template <class Base, class In, class Out, auto Handler>
Task<> handle_exchange(Self self, Service* service, const Method* method, EnvelopePtr envelope) {
  CallState state(self, *method, *envelope);
  envelope.reset();
  Upstream upstream(state);
  std::optional<Stream<Out>> stream;  // the same
  try {
    stream.emplace((static_cast<Base*>(service)->*Handler)(Call(state), Incoming<In>(upstream)));
    co_await give_items(&state, &*stream);
  } catch (...) {
    state.finish(exception_status());
  }
}

}  // namespace detail

// Used by generated code. `Handler` is a pointer to the coroutine member of `Base`.
template <class Base, class Request, class Reply, auto Handler>
[[nodiscard]] Method unary_method(std::string_view name) {
  Method method;
  method.name = name;
  method.handle = &detail::handle_unary<Base, Request, Reply, Handler>;
  return method;
}
template <class Base, class Request, class Item, auto Handler>
[[nodiscard]] Method stream_method(std::string_view name) {
  Method method;
  method.name = name;
  method.handle = &detail::handle_stream<Base, Request, Item, Handler>;
  method.streaming = true;
  return method;
}
template <class Base, class Item, class Reply, auto Handler>
[[nodiscard]] Method incoming_method(std::string_view name) {
  Method method;
  method.name = name;
  method.handle = &detail::handle_incoming<Base, Item, Reply, Handler>;
  method.client_streaming = true;
  return method;
}
template <class Base, class In, class Out, auto Handler>
[[nodiscard]] Method exchange_method(std::string_view name) {
  Method method;
  method.name = name;
  method.handle = &detail::handle_exchange<Base, In, Out, Handler>;
  method.streaming = true;
  method.client_streaming = true;
  return method;
}

}  // namespace cobus
