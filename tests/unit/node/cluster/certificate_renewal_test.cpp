// SPDX-License-Identifier: Apache-2.0
#include "node/cluster/certificate_renewal.hpp"

#include <gtest/gtest.h>

#include "node/link/sim_transport.hpp"

namespace cobus {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

// A node on a simulated network, without a broker, that runs its certificate's renewal.
class CertificateRenewalTest : public ::testing::Test {
 protected:
  CertificateRenewalTest() : transport_(network_.attach("node", "tcp://10.0.0.1:7000", pair_.key)) {}

  void start(std::optional<v1::Certificate> certificate) {
    NodeOptions options;
    options.name = "node";
    options.pool_threads = 0;
    options.clock = &network_.clock();
    link::Identity identity{link::CurvePair{pair_.key, pair_.secret.clone()}, cluster_.key(),
                            std::move(certificate)};
    node_ = std::make_unique<Node>(std::move(options), *transport_, std::move(identity));
    renewal_ = std::make_unique<CertificateRenewal>(*node_, [] { return std::vector<NodeId>(); });
    node_->spawn("cobus.renew", &CertificateRenewal::run, renewal_.get());
    run_for(seconds(1));
  }
  v1::Certificate valid_for(seconds life) {
    v1::CertificateBody body;
    body.set_name("node");
    body.set_role(v1::NODE);
    body.set_curve_key(pair_.key.bytes.data(), pair_.key.bytes.size());
    body.set_not_before(network_.clock().unix_us() / 1'000'000);
    body.set_not_after(body.not_before() + life.count());
    return cluster_.sign(body);
  }
  void run_for(Duration time) {
    const TimePoint end = network_.clock().now() + time;
    while (network_.clock().now() < end) {
      while (node_->step()) {
      }
      network_.clock().advance_to(
          std::min(end, std::max(node_->next_due(), network_.clock().now() + std::chrono::milliseconds(1))));
    }
    while (node_->step()) {
    }
  }

  link::SimNetwork network_{1};
  link::ClusterSecret cluster_ = link::ClusterSecret::make();
  link::CurvePair pair_ = link::make_curve_pair();
  std::unique_ptr<link::Transport> transport_;
  std::unique_ptr<Node> node_;
  std::unique_ptr<CertificateRenewal> renewal_;
};

TEST_F(CertificateRenewalTest, WaitsForACertificateInsteadOfEnding) {
  start(std::nullopt);
  run_for(seconds(10));
  EXPECT_NE(renewal_->trouble().find("no certificate"), std::string::npos) << renewal_->trouble();
  node_->links().use_certificate(valid_for(hours(1)));
  run_for(seconds(3));
  EXPECT_EQ(renewal_->trouble(), "");
}

TEST_F(CertificateRenewalTest, SaysWhyACertificateIsNotRenewed) {
  start(valid_for(hours(3)));
  run_for(hours(1));
  EXPECT_EQ(renewal_->trouble(), "") << "two thirds of its time have not passed";
  run_for(hours(1) + std::chrono::minutes(20));
  EXPECT_NE(renewal_->trouble().find("no broker"), std::string::npos) << renewal_->trouble();
}

TEST_F(CertificateRenewalTest, SaysThatNothingRenewsItOnceItsWorkerHasEnded) {
  start(valid_for(hours(3)));
  node_->home(0).stop_all();
  run_for(seconds(1));
  EXPECT_NE(renewal_->trouble().find("has ended"), std::string::npos) << renewal_->trouble();
}

}  // namespace
}  // namespace cobus
