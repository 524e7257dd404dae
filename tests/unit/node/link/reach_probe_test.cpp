// SPDX-License-Identifier: Apache-2.0
//
// ReachProbe: "nobody listens" is told apart from everything else, and only numeric TCP is dialled.
#include "node/link/reach_probe.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <optional>
#include <string>

namespace cobus::link {
namespace {

CloseReason wait_for(ReachProbe probe) {
  pollfd ready{probe.descriptor(), POLLOUT, 0};
  std::optional<CloseReason> outcome = probe.outcome();
  while (!outcome && ::poll(&ready, 1, 5'000) > 0) outcome = probe.outcome();
  return outcome.value_or(CloseReason::disconnected);
}

TEST(ReachProbe, TellsARefusalFromALackOfAWay) {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(descriptor, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size), 0);
  const std::string endpoint = "tcp://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  EXPECT_EQ(wait_for(ReachProbe(endpoint)), CloseReason::refused);
  ASSERT_EQ(::listen(descriptor, 1), 0);
  EXPECT_EQ(wait_for(ReachProbe(endpoint)), CloseReason::timed_out);  // somebody listens by now
  ::close(descriptor);
  EXPECT_EQ(wait_for(ReachProbe("tcp://255.255.255.255:9")), CloseReason::timed_out);
}

TEST(ReachProbe, KnowsNumericEndpoints) {
  for (const char* good : {"tcp://127.0.0.1:1", "tcp://[::1]:65535", "tcp://10.0.0.7:7700"}) {
    EXPECT_TRUE(is_numeric_endpoint(good)) << good;
  }
  for (const char* bad :
       {"", "tcp://", "tcp://:1", "127.0.0.1:1", "tcp://127.0.0.1", "tcp://127.0.0.1:0",
        "tcp://127.0.0.1:65536", "tcp://127.0.0.1:1x", "tcp://localhost:1", "tcp://::1:1", "tcp://[::1:1",
        "tcp://[127.0.0.1]:1", "ipc:///tmp/x:1", "tcp://127.0.0.1:-1", "tcp://127.0.0.1;127.0.0.1:1"}) {
    EXPECT_FALSE(is_numeric_endpoint(bad)) << bad;
  }
  EXPECT_TRUE(check_listen("tcp://127.0.0.1:0").ok());
  EXPECT_TRUE(check_listen("tcp://0.0.0.0:7700").ok());
  EXPECT_EQ(check_listen("bogus").code(), Code::invalid_argument);
  EXPECT_TRUE(check_advertise("tcp://10.0.0.7:7701").ok());
  for (const char* bad : {"tcp://somewhere:7701", "tcp://10.0.0.7", "tcp://10.0.0.7:0", "tcp://0.0.0.0:7701",
                          "tcp://[::]:7701", "10.0.0.7:7701"}) {
    EXPECT_EQ(check_advertise(bad).code(), Code::invalid_argument) << bad;
  }
  EXPECT_TRUE(is_ipv6_endpoint("tcp://[::1]:1"));
  EXPECT_FALSE(is_ipv6_endpoint("tcp://127.0.0.1:1"));
}

}  // namespace
}  // namespace cobus::link
