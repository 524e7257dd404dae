// SPDX-License-Identifier: Apache-2.0
#include "node/worker/provider_search.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/support/test_node.hpp"

namespace cobus {
namespace {

// Knows nodes 1 to `count`, all of which offer everything.
class Providers final : public Resolver {
 public:
  explicit Providers(std::uint64_t count) : count_(count) {}
  Result<NodeId> choose_among(std::string_view name, const NodeFilter& eligible) override {
    for (std::uint64_t id = 1; id <= count_; ++id) {
      if (!eligible || eligible(NodeId{id})) return NodeId{id};
    }
    return fail(Code::not_found, "no node that is up offers " + std::string(name));
  }
  MethodTerms terms(NodeId /*node*/, std::string_view /*method*/) const override { return {0, idempotent}; }
  void unreached(NodeId node) override { avoided.insert(node); }

  bool idempotent = false;
  std::set<NodeId> avoided;

 private:
  std::uint64_t count_;
};

Status lost() { return Status(Code::unavailable, "lost node").with("cause", "connection"); }
Status refused(Code code) { return Status(code, "not now").with("started", "no"); }

class ProviderSearchTest : public TestNode {
 protected:
  void know(std::uint64_t count) {
    providers_.emplace(count);
    node_->use_resolver(&*providers_);
  }
  ProviderSearch search(NodeFilter eligible = {}) { return {*node_, "a.B/C", std::move(eligible)}; }
  std::optional<Providers> providers_;
};

TEST_F(ProviderSearchTest, AsksEachNodeOnce) {
  know(3);
  ProviderSearch all = search();
  EXPECT_EQ(all.next().value_or(NodeId::none), NodeId{1});
  EXPECT_EQ(all.next().value_or(NodeId::none), NodeId{2});
  EXPECT_EQ(all.next().value_or(NodeId::none), NodeId{3});
  const Result<NodeId> none = all.next();
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code(), Code::not_found);
}

TEST_F(ProviderSearchTest, AsksOnlyEligibleNodes) {
  know(4);
  ProviderSearch even = search([](NodeId node) { return static_cast<std::uint64_t>(node) % 2 == 0; });
  EXPECT_EQ(even.next().value_or(NodeId::none), NodeId{2});
  EXPECT_EQ(even.next().value_or(NodeId::none), NodeId{4});
  EXPECT_FALSE(even.next());
}

TEST_F(ProviderSearchTest, GoesOnWhileNothingWasBegun) {
  know(2);
  ProviderSearch first = search();
  EXPECT_FALSE(first.goes_on_after(refused(Code::unavailable))) << "no node was asked yet";
  ASSERT_TRUE(first.next());
  for (const Code code :
       {Code::unavailable, Code::resource_exhausted, Code::unimplemented, Code::not_found, Code::cancelled}) {
    EXPECT_TRUE(first.goes_on_after(refused(code))) << code_name(code);
    EXPECT_FALSE(first.goes_on_after(Status(code, "said by the handler"))) << code_name(code);
  }
  for (const Code code : {Code::invalid_argument, Code::out_of_range, Code::deadline_exceeded,
                          Code::permission_denied, Code::internal})
    EXPECT_FALSE(first.goes_on_after(refused(code))) << code_name(code);
}

TEST_F(ProviderSearchTest, GoesOnAfterALossOnlyWhenIdempotent) {
  know(2);
  ProviderSearch first = search();
  ASSERT_TRUE(first.next());
  EXPECT_FALSE(first.goes_on_after(lost()));
  EXPECT_TRUE(providers_->avoided.contains(NodeId{1}));
  providers_->idempotent = true;
  EXPECT_TRUE(first.goes_on_after(lost()));
  EXPECT_TRUE(first.goes_on_after(Status(Code::unavailable, "the node stops")));
  EXPECT_FALSE(first.goes_on_after(Status(Code::internal, "the handler threw")));
  EXPECT_FALSE(first.goes_on_after(Status(Code::deadline_exceeded, "late")));
}

TEST_F(ProviderSearchTest, EndsAfterFiveNodes) {
  know(100);
  ProviderSearch many = search();
  int asked = 0;
  do {
    ASSERT_TRUE(many.next());
    ++asked;
  } while (many.goes_on_after(refused(Code::resource_exhausted)));
  EXPECT_EQ(asked, 5);
}

}  // namespace
}  // namespace cobus
