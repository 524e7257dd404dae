// SPDX-License-Identifier: Apache-2.0
#include "client/cli/node_json.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace cobus::client {
namespace {

v1::NodeRecord sample(const std::string& name) {
  v1::NodeRecord record;
  record.set_node(0xab);
  record.set_name(name);
  record.set_state(v1::UP);
  record.add_endpoints("tcp://127.0.0.1:7000");
  record.set_build("0.1.0");
  (*record.mutable_labels())["zone"] = "a";
  record.mutable_load()->set_shards(2);
  v1::ServiceRecord& jobs = *record.add_services();
  jobs.set_name("cobus.v1.Jobs");
  jobs.set_internal(true);
  v1::ServiceRecord& text = *record.add_services();
  text.set_name("text.Text");
  v1::MethodRecord& grep = *text.add_methods();
  grep.set_name("text.Text/Grep");
  grep.set_input("text.GrepRequest");
  grep.set_output("text.Line");
  grep.set_streaming(true);
  return record;
}

TEST(NodeJson, HasTheFieldsThatScriptsRelyOn) {
  v1::NodeRecord aged = sample("n1");
  aged.set_age_ms(5);
  EXPECT_EQ(
      one_line(node_json(aged, false)),
      R"({"name":"n1","id":"00000000000000ab","state":"up","address":"tcp://127.0.0.1:7000","services":["text.Text"],)"
      R"("labels":{"zone":"a"},"load":{"shards":2,"pool_threads":0,"workers":0,"calls_running":0,"cpu":0.0,)"
      R"("memory_bytes":0,"dead_letters":{}},"version":"0.1.0","age_ms":5,"suspected_by":[],"unconfirmed":false})");
}

TEST(NodeJson, ANodeThatIsDownOffersNothing) {
  v1::NodeRecord record = sample("n1");
  record.set_state(v1::DEPARTED);
  EXPECT_EQ(one_line(node_json(record, true)["services"]), "[]");
}

TEST(NodeJson, SaysWhoSuspectsANodeThatCountsAsUpStill) {
  const auto state_of = [](const Json& node) { return node_columns()[1].cell(node); };
  EXPECT_EQ(state_of(node_json(sample("n1"), false)), "up");
  const Json node = node_json(sample("n1"), false, {"10.0.0.1:7700", "10.0.0.2:7700"});
  EXPECT_EQ(node["state"], "up") << "for scripts";
  EXPECT_EQ(one_line(node["suspected_by"]), R"(["10.0.0.1:7700","10.0.0.2:7700"])");
  EXPECT_EQ(state_of(node), "up, suspected");
  const auto fields = node_fields(node);
  const auto found = std::find_if(fields.begin(), fields.end(),
                                  [](const auto& line) { return line.first == "suspected by"; });
  ASSERT_NE(found, fields.end());
  EXPECT_EQ(found->second,
            "10.0.0.1:7700 10.0.0.2:7700: nothing came from it for 3 s or more; after 5 s it counts as down");
}

TEST(NodeJson, D6_MarksANodeThatNoBrokerVouchesFor) {
  v1::NodeRecord record = sample("n1");
  record.set_unconfirmed(true);
  const Json node = node_json(record, false);
  EXPECT_EQ(node["state"], "up") << "for scripts";
  EXPECT_EQ(node["unconfirmed"], true);
  EXPECT_EQ(node_columns()[1].cell(node), "up, unconfirmed");
}

TEST(NodeJson, TellsWhatBecameOfDeadLetters) {
  v1::NodeRecord record = sample("n1");
  (*record.mutable_load()->mutable_dead_letters())["no such worker"] = 2;
  (*record.mutable_load()->mutable_dead_letters())["late answer"] = 1;
  const Json node = node_json(record, false);
  EXPECT_EQ(one_line(node["load"]["dead_letters"]), R"({"late answer":1,"no such worker":2})");
  const auto fields = node_fields(node);
  const auto found = std::find_if(fields.begin(), fields.end(),
                                  [](const auto& line) { return line.first == "dead letters"; });
  ASSERT_NE(found, fields.end());
  EXPECT_EQ(found->second, "3 (1 late answer, 2 no such worker)");
}

TEST(NodeJson, ServicesOfCobusItselfAreShownOnDemand) {
  EXPECT_EQ(node_json(sample("n1"), true)["services"].size(), 2U);
}

TEST(NodeJson, ANodeThatSaysLittleIsShownAsWell) {
  const Json node = node_json(v1::NodeRecord(), false);
  EXPECT_EQ(node["state"], "unknown");
  EXPECT_EQ(node["address"], "");
  for (const OutputColumn& column : node_columns())
    EXPECT_NO_THROW(static_cast<void>(column.cell(node))) << column.title;
}

TEST(ServicesJson, JoinsWhatTheNodesOffer) {
  const auto services = services_json({sample("n1"), sample("n2")}, false);
  ASSERT_EQ(services.size(), 1U);
  EXPECT_EQ(
      one_line(services[0]),
      R"({"name":"text.Text","internal":false,"methods":[{"name":"text.Text/Grep","input":"text.GrepRequest",)"
      R"("output":"text.Line","streaming":true,"client_streaming":false}],"nodes":["n1","n2"],)"
      R"("versions":[{"schema":"","nodes":["n1","n2"]}]})");
  EXPECT_EQ(service_columns()[1].cell(services[0]), "Grep*");
  EXPECT_EQ(services_json({sample("n1")}, true).size(), 2U);
}

TEST(ServicesJson, TellsTheVersionsOfAServiceApart) {
  std::vector<v1::NodeRecord> nodes = {sample("n1"), sample("n2"), sample("n3")};
  for (v1::NodeRecord& node : nodes) {
    for (v1::ServiceRecord& service : *node.mutable_services())
      service.set_schema_digest(node.name() == "n3" ? "\x02new!" : "\x01old!");
  }
  const Json service = services_json(nodes, false).front();
  EXPECT_EQ(one_line(service["versions"]),
            R"([{"schema":"016f6c64","nodes":["n1","n2"]},{"schema":"026e6577","nodes":["n3"]}])");
  EXPECT_EQ(service_columns()[3].cell(service), "2");
  EXPECT_EQ(service_columns()[4].cell(service), "016f6c64: n1 n2; 026e6577: n3");
}

}  // namespace
}  // namespace cobus::client
