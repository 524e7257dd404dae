// SPDX-License-Identifier: Apache-2.0
#include "broker/issued.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "node/link/identity.hpp"
#include "tests/support/private_folder.hpp"

namespace cobus::broker {
namespace {

constexpr std::int64_t now_s = 1'700'000'000;
constexpr std::int64_t day_s = 86'400;

link::CurveKey key(std::uint32_t number) {
  link::CurveKey made;
  for (std::size_t i = 0; i < 4; ++i) made.bytes[i] = static_cast<std::uint8_t>(number >> (8 * i));
  return made;
}

class IssuedTest : public testing::Test {
 protected:
  [[nodiscard]] IssuedStore open(std::size_t entries_max = 100) const {
    auto store = IssuedStore::open(file_, entries_max);
    EXPECT_TRUE(store) << store.error().to_string();
    return std::move(store.value());
  }
  static v1::CertificateBody body(std::uint32_t number, const std::string& name, std::uint64_t serial,
                                  std::int64_t not_after_s = now_s + day_s) {
    v1::CertificateBody made;
    made.set_name(name);
    made.set_role(v1::NODE);
    made.set_curve_key(key(number).bytes.data(), key(number).bytes.size());
    made.set_serial(serial);
    made.set_not_before(now_s);
    made.set_not_after(not_after_s);
    return made;
  }
  static std::vector<std::uint64_t> serials(const Result<std::vector<Issued>>& found) {
    std::vector<std::uint64_t> all;
    for (const Issued& issued : found.value()) all.push_back(issued.serial);
    return all;
  }
  using Serials = std::vector<std::uint64_t>;

  PrivateFolder folder_;
  std::filesystem::path file_ = folder_.path() / "certificates";
};

TEST_F(IssuedTest, IsThereAgainAfterARestartInAPrivateFile) {
  {
    IssuedStore store = open();
    ASSERT_TRUE(store.add(body(1, "n1", UINT64_MAX), now_s).ok());
    for (const char* name : {"certificates", "certificates-wal"}) {
      struct stat facts{};
      ASSERT_EQ(::stat((folder_.path() / name).c_str(), &facts), 0) << name;
      EXPECT_EQ(facts.st_mode & 0777, 0600U) << name;
    }
  }
  IssuedStore store = open();
  EXPECT_EQ(store.size(), 1U);
  const auto found = store.find(key(1), "n1", v1::NODE);
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->serial, UINT64_MAX);
  EXPECT_EQ((*found)->not_before_s, now_s);
  EXPECT_EQ((*found)->not_after_s, now_s + day_s);
  ASSERT_EQ(::chmod(file_.c_str(), 0644), 0);
  EXPECT_EQ(IssuedStore::open(file_).error().code(), Code::permission_denied);
}

TEST_F(IssuedTest, A6_ALaterCertificateReplacesTheEntryOfItsKey) {
  IssuedStore store = open();
  for (std::uint64_t i = 1; i <= 1'000; ++i) ASSERT_TRUE(store.add(body(1, "n1", i), now_s).ok());
  EXPECT_EQ(store.size(), 1U);
  EXPECT_EQ(serials(store.of_key(key(1), now_s)), Serials{1'000});
  ASSERT_TRUE(store.add(body(1, "n1", 1'001, now_s + 10), now_s).ok());
  const Issued entry = store.of_key(key(1), now_s).value().at(0);
  EXPECT_EQ(entry.not_after_s, now_s + 10);
  EXPECT_EQ(entry.valid_until_s, now_s + day_s) << "the one before is valid for longer";
}

TEST_F(IssuedTest, AKeyHasAFewNamesAndNoMore) {
  IssuedStore store = open();
  for (std::uint64_t i = 0; i < issued_per_key_max; ++i)
    ASSERT_TRUE(store.add(body(1, fmt::format("n{}", i), 1 + i), now_s).ok());
  EXPECT_EQ(store.add(body(1, "one-more", 99), now_s).code(), Code::resource_exhausted);
  EXPECT_TRUE(store.add(body(1, "n3", 100), now_s).ok()) << "what it has may be renewed";
  EXPECT_TRUE(store.add(body(2, "one-more", 101), now_s).ok()) << "another key";
  EXPECT_EQ(store.size(), issued_per_key_max + 1);
}

TEST_F(IssuedTest, ForgetsNothingThatIsValidAndMakesSpaceOfTheRest) {
  IssuedStore store = open(3);
  ASSERT_TRUE(store.add(body(1, "n1", 1, now_s + 10), now_s).ok());
  ASSERT_TRUE(store.add(body(2, "n2", 2), now_s).ok());
  ASSERT_TRUE(store.add(body(3, "n3", 3), now_s).ok());
  EXPECT_EQ(store.add(body(4, "n4", 4), now_s + 9).code(), Code::resource_exhausted);
  EXPECT_TRUE(store.add(body(3, "n3", 5), now_s + 9).ok()) << "it takes no more space";
  EXPECT_EQ(serials(store.after(0, now_s + 9, 10)), (Serials{1, 2, 5}));
  EXPECT_TRUE(store.add(body(4, "n4", 4), now_s + 10).ok());
  EXPECT_EQ(serials(store.after(0, now_s + 10, 10)), (Serials{2, 5, 4}));
  // What expired long ago goes anyway.
  EXPECT_TRUE(store.add(body(5, "n5", 6, now_s + 99 * day_s), now_s + day_s + issued_kept_s).ok());
  EXPECT_EQ(store.size(), 1U);
}

TEST_F(IssuedTest, FindsByNameSerialAndBeginningOfTheKey) {
  IssuedStore store = open();
  for (std::uint32_t i = 0; i < 50; ++i)
    ASSERT_TRUE(store.add(body(1 + i * 1'000'003, i % 2 == 0 ? "even" : "odd", 100 + i), now_s).ok());
  EXPECT_EQ(store.search("even", now_s, 100).value().size(), 25U);
  EXPECT_EQ(store.search("even", now_s, 7).value().size(), 7U);
  EXPECT_EQ(serials(store.search("107", now_s, 100)), Serials{107});
  const std::string fingerprint = link::fingerprint(key(1 + 3 * 1'000'003));
  EXPECT_EQ(serials(store.search(fingerprint, now_s, 100)), Serials{103});
  EXPECT_EQ(serials(store.search(fingerprint.substr(0, 8), now_s, 100)), Serials{103});
  EXPECT_TRUE(store.search(fingerprint.substr(0, 7), now_s, 100).value().empty()) << "too short to be sure";
  for (const char* nothing : {"", "~", "'", "\"", "0", "-1"})
    EXPECT_TRUE(store.search(nothing, now_s, 100).value().empty()) << nothing;
  EXPECT_TRUE(store.search("even", now_s + day_s, 100).value().empty()) << "expired";
}

TEST_F(IssuedTest, IsReadPageByPage) {
  IssuedStore store = open();
  for (std::uint32_t i = 1; i <= 10; ++i) ASSERT_TRUE(store.add(body(i, "n", i), now_s).ok());
  Serials all;
  std::int64_t at = 0;
  for (;;) {
    const auto page = store.after(at, now_s, 4);
    ASSERT_TRUE(page);
    if (page->empty()) break;
    for (const Issued& issued : *page) all.push_back(issued.serial);
    at = page->back().sequence;
  }
  EXPECT_EQ(all, (Serials{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}));
}

TEST_F(IssuedTest, TakesOverTheTextOfAnEarlierRelease) {
  std::string text = "cobus certificates v1\n";
  const auto line = [](std::uint32_t number, std::uint64_t serial, std::int64_t not_after_s) {
    return fmt::format("{} node {} {} {} n{}\n", serial, link::fingerprint(key(number)), now_s, not_after_s,
                       number);
  };
  for (std::uint64_t i = 1; i <= 500; ++i) text += line(1, i, now_s + static_cast<std::int64_t>(i));
  text += line(2, 900, now_s + day_s);
  ASSERT_TRUE(link::write_private_file(file_, text).ok());
  ASSERT_TRUE(link::write_private_file(file_.string() + ".new", "of a start that was cut off").ok());
  {
    IssuedStore store = open();
    EXPECT_EQ(store.size(), 2U);
    EXPECT_EQ(serials(store.after(0, now_s, 10)), (Serials{500, 900}));
  }
  EXPECT_EQ(open().size(), 2U) << "once";
  EXPECT_FALSE(std::filesystem::exists(file_.string() + ".new"));
  struct stat facts{};
  ASSERT_EQ(::stat(file_.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600U);
}

TEST_F(IssuedTest, WhatIsNoRecordIsRefusedAndLeftAlone) {
  for (const std::string text : {"something else\n", "cobus certificates v1\nnonsense\n"}) {
    ASSERT_TRUE(link::write_private_file(file_, text).ok());
    const auto store = IssuedStore::open(file_);
    ASSERT_FALSE(store) << text;
    EXPECT_EQ(store.error().code(), Code::failed_precondition) << store.error().message();
    EXPECT_NE(store.error().message().find(file_.string()), std::string::npos);
    EXPECT_EQ(link::read_private_file(file_).value(), text);
  }
}

TEST_F(IssuedTest, ARecordThatWasMovedAwayLeavesNothingToTheNext) {
  ASSERT_TRUE(link::write_private_file(file_.string() + "-wal", std::string(5'000, 'x')).ok());
  IssuedStore store = open();
  EXPECT_EQ(store.size(), 0U);
  EXPECT_TRUE(store.add(body(1, "n1", 1), now_s).ok());
}

TEST_F(IssuedTest, HasExactlyOneConnection) {
  const IssuedStore store = open();
  EXPECT_EQ(IssuedStore::open(file_).error().code(), Code::unavailable) << "it is held exclusively";
}

}  // namespace
}  // namespace cobus::broker
