// SPDX-License-Identifier: Apache-2.0
#include "client/cli/doctor_checks.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "node/link/identity.hpp"
#include "tests/support/private_folder.hpp"

namespace cobus::client {
namespace {

constexpr std::int64_t now_s = 1'700'000'000;
constexpr std::int64_t day_s = 86'400;
constexpr std::int64_t second_us = 1'000'000;

// A node with which nothing is wrong.
Examined well(const std::string& name, std::uint64_t id) {
  Examined node;
  node.record.set_name(name);
  node.record.set_node(id);
  node.record.set_build("1.0");
  node.record.add_endpoints("tcp://10.0.0.1:7000");
  node.asked_us = now_s * second_us;
  node.answered_us = node.asked_us + 1000;
  v1::HealthReply health;
  health.set_now_us(node.asked_us + 500);
  health.set_descriptors(100);
  health.set_descriptors_max(100'000);
  health.set_certificate_from(now_s - day_s);
  health.set_certificate_until(now_s + 364 * day_s);
  health.set_ledger(true);
  node.health = health;
  return node;
}

std::string codes(const std::vector<Finding>& findings) {
  std::string all;
  for (const Finding& finding : findings) {
    EXPECT_FALSE(finding.object.empty() || finding.cause.empty() || finding.mend.empty()) << finding.code;
    all += (all.empty() ? "" : " ") + finding.code;
  }
  return all;
}

std::string codes_of(const Examined& node) {
  return codes(check_nodes({node, well("other", 2)}, "1.0", now_s));
}

TEST(DoctorChecks, FindNothingWhereAllIsWell) {
  EXPECT_EQ(codes_of(well("alpha", 1)), "");
  EXPECT_EQ(codes(check_mesh({well("alpha", 1)})), "");
}

TEST(DoctorChecks, FindANodeThatDoesNotAnswer) {
  Examined node = well("alpha", 1);
  node.health.reset();
  node.trouble = Status(Code::unavailable, "no answer");
  EXPECT_EQ(codes_of(node), "D004");
  EXPECT_EQ(codes(check_nodes({}, "1.0", now_s)), "D013");
}

TEST(DoctorChecks, FindANodeThatWillNotRenewItsCertificate) {
  Examined node = well("alpha", 1);
  node.health->set_certificate_trouble("a broker does not renew it: UNAVAILABLE: gone");
  EXPECT_EQ(codes_of(node), "D016");
}

TEST(DoctorChecks, FindAnotherRelease) {
  Examined node = well("alpha", 1);
  node.record.set_build("0.9");
  EXPECT_EQ(codes_of(node), "D005");
  EXPECT_EQ(codes(check_brokers({{.address = "h:1", .node = NodeId{1}, .build = "0.9"}}, "1.0")), "D003");
  EXPECT_EQ(codes(check_brokers({{.address = "h:1", .node = NodeId{1}, .build = "1.0"}}, "1.0")), "");
  EXPECT_EQ(codes(check_brokers({{.address = "h:1", .trouble = {Code::unavailable, "no"}}}, "1.0")), "D002");
}

TEST(DoctorChecks, FindAClockThatIsOffForSure) {
  for (const std::int64_t off_us : {std::int64_t{-2'500'000}, std::int64_t{2'500'000}}) {
    Examined node = well("alpha", 1);
    node.health->set_now_us(node.health->now_us() + off_us);
    EXPECT_EQ(codes_of(node), "D006");
    node.answered_us += 4 * second_us;  // it was slow to answer: its clock may be right
    EXPECT_EQ(codes_of(node), off_us > 0 ? "" : "D006");
  }
}

TEST(DoctorChecks, FindACertificateThatShouldHaveBeenRenewed) {
  EXPECT_EQ(codes(check_validity("x", now_s - 351 * day_s, now_s + 15 * day_s, now_s)), "");
  EXPECT_EQ(codes(check_validity("x", now_s - 352 * day_s, now_s + 13 * day_s, now_s)), "D007");
  EXPECT_EQ(codes(check_validity("x", now_s - 2 * day_s, now_s, now_s)), "D007");
  EXPECT_EQ(codes(check_validity("x", now_s - day_s, now_s + 2 * day_s, now_s)), "") << "one of three days";
  EXPECT_EQ(codes(check_validity("x", 0, 0, now_s)), "") << "none";
}

TEST(DoctorChecks, FindWhatIsWrongWithAProcess) {
  Examined node = well("alpha", 1);
  node.health->set_ledger_trouble("it is in memory");
  EXPECT_EQ(codes_of(node), "D008");
  node = well("alpha", 1);
  node.health->set_descriptors(90'000);
  EXPECT_EQ(codes_of(node), "D009");
  node = well("alpha", 1);
  (*node.record.mutable_load()->mutable_dead_letters())["no such worker"] = 3;
  EXPECT_EQ(codes_of(node), "D010");
}

TEST(DoctorChecks, FindAnAddressForItsOwnHostOnlyWhereThereAreOthers) {
  for (const char* endpoint : {"tcp://127.0.0.1:7000", "tcp://[::1]:7000"}) {
    Examined node = well("alpha", 1);
    node.record.set_endpoints(0, endpoint);
    EXPECT_EQ(codes_of(node), "D011");
    EXPECT_EQ(codes(check_nodes({node}, "1.0", now_s)), "") << "all on one host";
  }
}

// One in another language: it answers, and does not let itself be looked into.
Examined foreign(const std::string& name, std::uint64_t id) {
  Examined node = well(name, id);
  node.health.reset();
  node.trouble = Status(Code::unimplemented, "there is no method cobus.v1.Inspect/Health here");
  node.record.set_build("python 0.3");
  node.record.add_services()->set_name("greeter.Greeter");
  return node;
}

TEST(DoctorChecks, JudgeANodeByWhatItOffers) {
  EXPECT_EQ(codes_of(foreign("snake", 1)), "");
  Examined node = foreign("snake", 1);
  node.trouble = Status(Code::unavailable, "no answer");
  EXPECT_EQ(codes_of(node), "D004 D005");
  node = foreign("snake", 1);
  node.record.add_services()->set_name("cobus.v1.Inspect");
  EXPECT_EQ(codes_of(node), "D004 D005") << "it does not do what it offers";
  Examined alpha = well("alpha", 1);
  v1::Reached& reached = *alpha.reached.add_nodes();
  reached.set_node(2);
  reached.set_code(static_cast<std::int32_t>(Code::unimplemented));
  EXPECT_EQ(codes(check_mesh({alpha, foreign("snake", 2)})), "") << "it answered";
}

TEST(DoctorChecks, SayNothingOfAnswersToClientsThatLeft) {
  Examined node = well("alpha", 1);
  (*node.record.mutable_load()->mutable_dead_letters())["late"] = 3;
  EXPECT_EQ(codes_of(node), "");
}

TEST(DoctorChecks, NameNodesThatWereLost) {
  const auto lost = [](const std::string& name, std::uint64_t ago_ms) {
    v1::LostReply reply;
    v1::LostNode& node = *reply.add_nodes();
    node.set_name(name);
    node.set_reason("connection lost");
    node.set_ago_ms(ago_ms);
    return reply;
  };
  const std::vector<v1::LostReply> all = {lost("beta", 600'000), lost("beta", 180'000), lost("alpha", 1000)};
  const auto findings = check_lost(all, {well("alpha", 1)});  // which has come back
  ASSERT_EQ(codes(findings), "D015");
  EXPECT_EQ(findings[0].object, "node beta");
  EXPECT_NE(findings[0].cause.find("3m"), std::string::npos) << findings[0].cause;
  EXPECT_NE(findings[0].cause.find("connection lost"), std::string::npos);
  EXPECT_EQ(codes(check_lost({}, {})), "");
}

TEST(DoctorChecks, FindLinesOfALogThatWereDropped) {
  Examined node = well("alpha", 1);
  node.health->set_log_lines_dropped(7);
  EXPECT_EQ(codes_of(node), "D014");
}

TEST(DoctorChecks, FindACutOfOneDirection) {
  Examined alpha = well("alpha", 1);
  const Examined beta = well("beta", 2);
  v1::Reached& reached = *alpha.reached.add_nodes();
  reached.set_node(2);
  reached.set_code(static_cast<std::int32_t>(Code::unavailable));
  const auto findings = check_mesh({alpha, beta});
  ASSERT_EQ(codes(findings), "D012");
  EXPECT_EQ(findings[0].object, "alpha -> beta");
}

TEST(DoctorChecks, FindAFileThatOthersCanRead) {
  const PrivateFolder folder;
  EXPECT_EQ(codes(check_files(folder.path())), "");
  ASSERT_TRUE(link::make_private_folder(folder.path() / "join").ok());
  const auto file = folder.path() / "join" / "submit";
  ASSERT_TRUE(link::write_private_file(file, "x").ok());
  EXPECT_EQ(codes(check_files(folder.path())), "");
  ASSERT_EQ(::chmod(file.c_str(), 0644), 0);
  const auto findings = check_files(folder.path());
  ASSERT_EQ(codes(findings), "D001");
  EXPECT_EQ(findings[0].object, file.string());
  ASSERT_EQ(::chmod(folder.path().c_str(), 0755), 0);
  EXPECT_EQ(codes(check_files(folder.path())), "D001 D001");
}

}  // namespace
}  // namespace cobus::client
