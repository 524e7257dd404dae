// SPDX-License-Identifier: Apache-2.0
//
// Every option of the sockets on the network, read back; and that the door's options together do
// what they are for.
#include "node/link/socket_factory.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <zmq.h>

#include <array>
#include <string>

namespace cobus::link {
namespace {

template <class Value>
Value option(void* socket, int name) {
  Value value{};
  std::size_t size = sizeof value;
  EXPECT_EQ(zmq_getsockopt(socket, name, &value, &size), 0) << "option " << name;
  return value;
}

void expect_common(void* socket, const CurvePair& own) {
  EXPECT_EQ(option<int>(socket, ZMQ_TYPE), ZMQ_ROUTER);
  EXPECT_EQ(option<std::int64_t>(socket, ZMQ_MAXMSGSIZE), 1024 * 1024 + 33);
  EXPECT_EQ(option<int>(socket, ZMQ_SNDHWM), 256);
  EXPECT_EQ(option<int>(socket, ZMQ_RCVHWM), 256);
  EXPECT_EQ(option<int>(socket, ZMQ_LINGER), 500);
  EXPECT_EQ(option<int>(socket, ZMQ_SNDTIMEO), 0);
  EXPECT_EQ(option<int>(socket, ZMQ_RCVTIMEO), 0);
  EXPECT_EQ(option<int>(socket, ZMQ_HANDSHAKE_IVL), 5000);
  EXPECT_EQ(option<int>(socket, ZMQ_CONNECT_TIMEOUT), 5000);
  EXPECT_EQ(option<int>(socket, ZMQ_BACKLOG), 1024);
  EXPECT_EQ(option<int>(socket, ZMQ_RECONNECT_IVL), -1);
  EXPECT_EQ(option<int>(socket, ZMQ_HEARTBEAT_IVL), 0);
  EXPECT_EQ(option<int>(socket, ZMQ_TCP_MAXRT), 15'000);
  EXPECT_EQ(option<int>(socket, ZMQ_TCP_KEEPALIVE), 1);
  EXPECT_EQ(option<int>(socket, ZMQ_TCP_KEEPALIVE_IDLE), 30);
  EXPECT_EQ(option<int>(socket, ZMQ_TCP_KEEPALIVE_INTVL), 10);
  EXPECT_EQ(option<int>(socket, ZMQ_TCP_KEEPALIVE_CNT), 3);
  EXPECT_EQ(option<int>(socket, ZMQ_IMMEDIATE), 0);
  using Key = std::array<std::uint8_t, 32>;
  EXPECT_EQ(option<Key>(socket, ZMQ_CURVE_PUBLICKEY), own.key.bytes);
  EXPECT_EQ(option<Key>(socket, ZMQ_CURVE_SECRETKEY), own.secret.bytes());
  EXPECT_EQ(option<int>(socket, ZMQ_MECHANISM), ZMQ_CURVE);
}

TEST(SocketFactory, GivesTheDoorEveryOption) {
  const auto context = make_context();
  const CurvePair own = make_curve_pair();
  const auto door = make_door(context.value().get(), own, false);
  ASSERT_TRUE(door) << door.error().message();
  expect_common(door->get(), own);
  EXPECT_EQ(option<int>(door->get(), ZMQ_CURVE_SERVER), 1);
  EXPECT_EQ(option<int>(door->get(), ZMQ_IPV6), 0);
  std::array<char, 64> domain{};
  std::size_t size = domain.size();
  ASSERT_EQ(zmq_getsockopt(door->get(), ZMQ_ZAP_DOMAIN, domain.data(), &size), 0);
  EXPECT_STREQ(domain.data(), "cobus");
  EXPECT_EQ(option<int>(door->get(), zap_enforce_domain_option), 1);
  EXPECT_EQ(option<int>(make_door(context.value().get(), own, true)->get(), ZMQ_IPV6), 1);
}

TEST(SocketFactory, GivesTheDiallerEveryOption) {
  const auto context = make_context();
  const CurvePair own = make_curve_pair();
  const auto dialler = make_dialler(context.value().get(), own);
  ASSERT_TRUE(dialler) << dialler.error().message();
  expect_common(dialler->get(), own);
  EXPECT_EQ(option<int>(dialler->get(), ZMQ_CURVE_SERVER), 0);
}

TEST(SocketFactory, MakesRoutersThatSayWhenAPeerIsUnknown) {
  // ROUTER_MANDATORY cannot be read back, but shows.
  const auto context = make_context();
  const auto dialler = make_dialler(context.value().get(), make_curve_pair());
  EXPECT_EQ(zmq_send(dialler.value().get(), "nobody", 6, ZMQ_SNDMORE | ZMQ_DONTWAIT), -1);
  EXPECT_EQ(zmq_errno(), EHOSTUNREACH);
}

TEST(SocketFactory, MakesADoorThatStaysShutWithoutAHandler) {
  // The trap of libzmq 4.3.4: CURVE and a domain alone let everybody in when no handler answers.
  const auto context = make_context();
  const CurvePair own = make_curve_pair();
  const auto door = make_door(context.value().get(), own, false);
  ASSERT_EQ(zmq_bind(door->get(), "tcp://127.0.0.1:*"), 0);
  std::array<char, 64> endpoint{};
  std::size_t size = endpoint.size();
  ASSERT_EQ(zmq_getsockopt(door->get(), ZMQ_LAST_ENDPOINT, endpoint.data(), &size), 0);

  const auto stranger = make_dialler(context.value().get(), make_curve_pair());
  ASSERT_EQ(zmq_setsockopt(stranger->get(), ZMQ_CURVE_SERVERKEY, own.key.bytes.data(), 32), 0);
  const auto monitor = make_monitor(context.value().get(), stranger->get(), "stranger",
                                    ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED);
  ASSERT_TRUE(monitor);
  ASSERT_EQ(zmq_connect(stranger->get(), endpoint.data()), 0);
  zmq_pollitem_t item{monitor->get(), 0, ZMQ_POLLIN, 0};
  ASSERT_EQ(zmq_poll(&item, 1, 5'000), 1);
  std::array<char, 6> event{};
  ASSERT_EQ(zmq_recv(monitor->get(), event.data(), event.size(), 0), 6);
  std::uint16_t number = 0;
  std::memcpy(&number, event.data(), sizeof number);
  EXPECT_EQ(number, ZMQ_EVENT_DISCONNECTED);
  stop_monitor(stranger->get(), monitor->get());
}

TEST(SocketFactory, ArmsTheDescriptorOfAMonitor) {
  const auto context = make_context();
  const auto dialler = make_dialler(context.value().get(), make_curve_pair());
  const auto monitor = make_monitor(context.value().get(), dialler->get(), "dialler", ZMQ_EVENT_CLOSED);
  ASSERT_TRUE(monitor);
  pollfd ready{descriptor_of(monitor->get()), POLLIN, 0};
  EXPECT_EQ(::poll(&ready, 1, 0), 0);
  const CurveKey key = make_curve_pair().key;
  ASSERT_EQ(zmq_setsockopt(dialler->get(), ZMQ_CURVE_SERVERKEY, key.bytes.data(), 32), 0);
  ASSERT_EQ(zmq_connect(dialler->get(), "tcp://127.0.0.1:1"), 0);  // refused
  EXPECT_EQ(::poll(&ready, 1, 5'000), 1);
  EXPECT_TRUE(has_input(monitor->get()));
  stop_monitor(dialler->get(), monitor->get());
}

}  // namespace
}  // namespace cobus::link
