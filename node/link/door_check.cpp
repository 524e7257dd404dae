// SPDX-License-Identifier: Apache-2.0
#include "node/link/door_check.hpp"

#include <string>
#include <utility>

#include "node/link/reach_probe.hpp"
#include "node/link/socket_factory.hpp"
#include "node/link/zmq_message.hpp"

namespace cobus::link {
namespace {

constexpr std::chrono::seconds patience{5};
constexpr std::chrono::milliseconds glance{1};
constexpr int watched_events = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
                               ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL;

// Nobody else knows the door yet; whoever finds it in these milliseconds redials.
class Nobody final : public TransportEvents {
 public:
  void on_open(ConnectionId /*connection*/) override {}
  void on_frame(ConnectionId /*connection*/, const CurveKey& /*key*/, FrameIn /*frame*/) override {}
  void on_closed(ConnectionId /*connection*/, CloseReason /*reason*/) override {}
};

std::string reachable(std::string endpoint) {
  for (const auto& [wildcard, loopback] :
       {std::pair<std::string, std::string>{"tcp://0.0.0.0:", "tcp://127.0.0.1:"},
        {"tcp://[::]:", "tcp://[::1]:"}}) {
    if (endpoint.starts_with(wildcard)) endpoint.replace(0, wildcard.size(), loopback);
  }
  return endpoint;
}

Status connect(void* stranger, const std::string& endpoint, const CurveKey& door_key) {
  const int ipv6 = is_ipv6_endpoint(endpoint) ? 1 : 0;
  if (zmq_setsockopt(stranger, ZMQ_IPV6, &ipv6, sizeof ipv6) != 0 ||
      zmq_setsockopt(stranger, ZMQ_CURVE_SERVERKEY, door_key.bytes.data(), door_key.bytes.size()) != 0 ||
      zmq_connect(stranger, endpoint.c_str()) != 0) {
    return zmq_failure("cannot dial our own door at " + endpoint);
  }
  return {};
}

}  // namespace

Status check_door(Transport& transport, Access& access, void* context, const CurveKey& door_key) {
  const CurvePair key = make_curve_pair();
  access.expect_stranger(key.key);
  auto stranger = make_dialler(context, key);
  if (!stranger) return stranger.error();
  auto monitor = make_monitor(context, stranger->get(), "stranger", watched_events);
  if (!monitor) return monitor.error();
  const std::string endpoint = reachable(transport.listening());
  Status result = connect(stranger->get(), endpoint, door_key);
  const TimePoint give_up = system_clock().now() + patience;
  Nobody nobody;
  MonitorEvent event;
  while (result.ok() && event.event == 0 && system_clock().now() < give_up) {
    transport.poll(nobody, glance);
    while (event.event == 0 && receive_event(monitor->get(), event)) {
    }
  }
  stop_monitor(stranger->get(), monitor->get());
  if (!result.ok()) return result;
  if (event.event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
    return {Code::failed_precondition, "the door at " + endpoint +
                                           " lets strangers in: this libzmq does not ask the ZAP handler; "
                                           "install libzmq 4.3.4 or later built with CURVE"};
  }
  if (event.event == 0) {
    return {Code::failed_precondition,
            "the door at " + endpoint + " did not answer its own test within 5 s; is the address filtered?"};
  }
  return {};
}

}  // namespace cobus::link
