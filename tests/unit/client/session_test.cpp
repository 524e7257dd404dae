// SPDX-License-Identifier: Apache-2.0
#include "client/session.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

namespace cobus::client {
namespace {

class SessionTest : public testing::Test {
 protected:
  SessionTest() {
    std::string name = (std::filesystem::temp_directory_path() / "cobus-session.XXXXXX").string();
    state_ = ::mkdtemp(name.data());
  }
  ~SessionTest() override { std::filesystem::remove_all(state_); }

  // Why it could not be opened.
  [[nodiscard]] Status open(const std::string& join, Duration timeout = std::chrono::seconds(5)) const {
    SessionOptions options;
    options.state = state_.string();
    options.join = join;
    options.connect_timeout = timeout;
    const auto session = Session::open(options);
    return session ? Status() : session.error();
  }
  [[nodiscard]] static std::string join_string(std::uint16_t port) {
    return "cobus://127.0.0.1:" + std::to_string(port) +
           "?cluster=" + link::fingerprint(link::ClusterSecret::make().key());
  }

  std::filesystem::path state_;
};

// A port that answers to connections but never says anything, or one that was just given back.
class Port {
 public:
  Port() {
    descriptor_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(descriptor_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    number_ = ntohs(address.sin_port);
  }
  ~Port() { ::close(descriptor_); }
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;
  void listen() const { EXPECT_EQ(::listen(descriptor_, 8), 0); }
  [[nodiscard]] std::uint16_t number() const { return number_; }

 private:
  int descriptor_;
  std::uint16_t number_;
};

TEST_F(SessionTest, WithoutAClusterTheNextStepIsNamed) {
  const Status status = open("");
  EXPECT_EQ(status.code(), Code::unavailable);
  for (const char* step : {"cobus up", "cobus-broker", "--join"}) {
    EXPECT_NE(status.message().find(step), std::string::npos) << status.message();
  }
  EXPECT_FALSE(std::filesystem::exists(state_ / "client")) << "nothing is left behind";
}

TEST_F(SessionTest, WhereNobodyListensItSaysSoAtOnce) {
  const Port port;  // bound, but it does not listen
  const TimePoint begun = system_clock().now();
  const Status status = open(join_string(port.number()), std::chrono::seconds(30));
  EXPECT_EQ(status.code(), Code::unavailable);
  EXPECT_NE(status.message().find("nobody listens"), std::string::npos) << status.message();
  EXPECT_NE(status.message().find("cobus-broker"), std::string::npos) << status.message();
  EXPECT_LT(system_clock().now() - begun, std::chrono::seconds(15)) << "it does not wait for the timeout";
}

TEST_F(SessionTest, WhoAcceptsAndIsSilentIsGivenUpInTime) {
  const Port port;
  port.listen();
  const Status status = open(join_string(port.number()), std::chrono::milliseconds(300));
  EXPECT_EQ(status.code(), Code::unavailable) << status.to_string();
}

TEST_F(SessionTest, AMalformedJoinStringIsAWrongUsageAndAFingerprintThatNoClusterHasIsRefused) {
  EXPECT_EQ(open("tcp://127.0.0.1:7700").code(), Code::invalid_argument);
  EXPECT_EQ(open("cobus://127.0.0.1:7700?cluster=abc").code(), Code::permission_denied);
  EXPECT_EQ(open("@/no/such/file").code(), Code::invalid_argument);
}

TEST_F(SessionTest, AFolderThatOthersCanReadIsRefusedWithTheMend) {
  std::filesystem::create_directory(state_ / "client");
  ::chmod((state_ / "client").c_str(), 0755);
  const Status status = open(join_string(1));
  EXPECT_EQ(status.code(), Code::permission_denied);
  EXPECT_NE(status.message().find("chmod 700"), std::string::npos) << status.message();
}

TEST_F(SessionTest, ANameThatDoesNotResolveIsNamed) {
  const Status status = open("cobus://no-such-host.invalid:7700?cluster=" +
                             link::fingerprint(link::ClusterSecret::make().key()));
  EXPECT_EQ(status.code(), Code::unavailable);
  EXPECT_NE(status.message().find("no-such-host.invalid"), std::string::npos) << status.message();
}

}  // namespace
}  // namespace cobus::client
