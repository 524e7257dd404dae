// SPDX-License-Identifier: Apache-2.0
#include "client/cli/run.hpp"

#include <gtest/gtest.h>

namespace cobus::client {
namespace {

Status of(Code code) { return {code, "text"}; }

TEST(ExitCodes, OfJoiningSayThatNoBrokerIsReached) {
  EXPECT_EQ(join_exit_code(of(Code::unavailable)), 69);
  EXPECT_EQ(join_exit_code(of(Code::permission_denied)), 77);
  EXPECT_EQ(join_exit_code(of(Code::invalid_argument)), 2);
}

TEST(ExitCodes, OfWhatCameBeforeACallSayWhetherItWasAWrongUsage) {
  EXPECT_EQ(setup_exit_code(of(Code::ok)), 0);
  EXPECT_EQ(setup_exit_code(of(Code::invalid_argument)), 2);
  EXPECT_EQ(setup_exit_code(of(Code::unavailable)), 1) << "a broker answered";
  EXPECT_EQ(setup_exit_code(of(Code::permission_denied)), 77);
  EXPECT_EQ(setup_exit_code(of(Code::unauthenticated)), 77);
  EXPECT_EQ(setup_exit_code(of(Code::resource_exhausted)), 75) << "a full disk";
  EXPECT_EQ(setup_exit_code(of(Code::not_found)), 1);
}

TEST(ExitCodes, OfACallAreItsOwnFailureNotAWrongUsage) {
  EXPECT_EQ(call_exit_code(of(Code::invalid_argument)), 1);
  EXPECT_EQ(call_exit_code(of(Code::internal)), 1);
  EXPECT_EQ(call_exit_code(of(Code::cancelled)), 3);
  EXPECT_EQ(call_exit_code(of(Code::unavailable)), 1) << "a node was lost, not the cluster";
  EXPECT_EQ(call_exit_code(of(Code::resource_exhausted)), 75);
  EXPECT_EQ(call_exit_code(of(Code::permission_denied)), 77);
  EXPECT_EQ(call_exit_code(of(Code::deadline_exceeded)), 124);
}

TEST(UnknownNode, NamesTheOneThatWasProbablyMeant) {
  View view(system_clock());
  EXPECT_EQ(unknown_node(view, "n1").code(), Code::unavailable) << "no node is up at all";
  v1::DirectoryEvent event;
  event.set_snapshot(true);
  v1::NodeRecord& record = *event.add_changed();
  record.set_node(1);
  record.set_incarnation(1);
  record.set_name("alpha");
  static_cast<void>(view.apply(NodeId{9}, event));
  EXPECT_EQ(unknown_node(view, "alfa"),
            Status(Code::not_found, "there is no node 'alfa'; did you mean alpha?"));
  EXPECT_EQ(unknown_node(view, "omega-7"),
            Status(Code::not_found, "there is no node 'omega-7'; see: cobus nodes"));
}

TEST(TemplateHint, IsGivenOnceOnly) {
  EXPECT_EQ(with_template_hint(of(Code::invalid_argument), "a.B/C").message(),
            "text; for the fields see: cobus template a.B/C");
  const Status better(Code::invalid_argument, "no field 'x'; did you mean 'y'?");
  EXPECT_EQ(with_template_hint(better, "a.B/C"), better);
}

}  // namespace
}  // namespace cobus::client
