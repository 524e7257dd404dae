// SPDX-License-Identifier: Apache-2.0
//
// What the ledger promises when its process is killed and when the disk is full.
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <set>

#include "node/job/ulid.hpp"
#include "tests/unit/node/job/ledger_fixture.hpp"

namespace cobus::job {
namespace {

// Submits without end, and writes the id of each confirmed job to `out`.
[[noreturn]] void submit_for_ever(const std::filesystem::path& folder, int out) {
  auto ledger = SqliteLedger::open({.file = folder / "ledger.db", .home = "home"});
  if (!ledger) _exit(1);
  std::function<void()> another = [&] {
    (*ledger)->submit(echo(), [&](const Result<Submitted>& result) {
      if (!result || write(out, result->id.data(), ulid_length) != ulid_length) _exit(2);
      another();
    });
  };
  for (int i = 0; i < 32; ++i) another();
  for (;;) pause();
}

// Reads whole ids until there are `count`, or to the end if `count` is 0.
void read_ids(int in, std::size_t count, std::set<std::string>& ids) {
  while (count == 0 || ids.size() < count) {
    std::string id(ulid_length, '\0');
    std::size_t have = 0;
    while (have < ulid_length) {
      const ssize_t got = read(in, id.data() + have, ulid_length - have);
      if (got <= 0) return;
      have += static_cast<std::size_t>(got);
    }
    ids.insert(id);
  }
}

TEST(LedgerDurability, J1_EveryConfirmedJobSurvivesKillNine) {
  const PrivateFolder folder;
  std::set<std::string> confirmed;
  for (std::size_t life = 1; life <= 5; ++life) {
    int pipe_ends[2];
    ASSERT_EQ(pipe2(pipe_ends, O_CLOEXEC), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) submit_for_ever(folder.path(), pipe_ends[1]);
    close(pipe_ends[1]);
    read_ids(pipe_ends[0], confirmed.size() + 300 * life, confirmed);
    kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself: " << status;
    read_ids(pipe_ends[0], 0, confirmed);
    close(pipe_ends[0]);
  }
  const auto ledger = open_ledger(folder.path());
  ASSERT_NE(ledger, nullptr);
  for (const std::string& id : confirmed) {
    const auto jobs = get(*ledger, id);
    ASSERT_TRUE(jobs);
    ASSERT_EQ(jobs->size(), 1U) << id << " was confirmed and is gone";
    ASSERT_EQ(jobs->front().state(), v1::READY);
  }
  EXPECT_GE(counts(*ledger).value().jobs[v1::READY], confirmed.size());
}

// A file system of 4 MiB, seen by this process only. Says why when there can be none.
std::string mount_small(const std::filesystem::path& folder) {
  const uid_t user = geteuid();
  const gid_t group = getegid();
  if (unshare(user == 0 ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER) != 0) {
    return std::string("no mount namespace: ") + std::strerror(errno);
  }
  if (user != 0) {  // in a user namespace of its own, where it stays who it is
    std::ofstream("/proc/self/setgroups") << "deny";
    std::ofstream("/proc/self/uid_map") << user << ' ' << user << " 1";
    std::ofstream("/proc/self/gid_map") << group << ' ' << group << " 1";
  }
  if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      mount("cobus-test", folder.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "size=4m,mode=0777") != 0) {
    return std::string("no mount: ") + std::strerror(errno);
  }
  return {};
}

TEST(LedgerDurability, J6_AFullDiskRefusesLosesNothingAndWorksAgainByItself) {
  const PrivateFolder folder;
  if (const std::string reason = mount_small(folder.path()); !reason.empty()) {
    GTEST_SKIP() << "THE FULL DISK IS NOT TESTED HERE: " << reason;
  }
  {
    const auto filler = folder.path() / "filler";
    std::ofstream(filler) << std::string(std::size_t{2} * 1024 * 1024, 'x');
    auto ledger = open_ledger(folder.path());
    ASSERT_NE(ledger, nullptr);
    const auto running_id = submit(*ledger, echo()).value().id;
    const ClaimedJob running = claim(*ledger, 1).value().at(0);

    std::set<std::string> confirmed{running_id};
    Status refused;
    while (refused.ok()) {
      const auto submitted = submit(*ledger, echo(std::string(20'000, 'p')));
      if (submitted) {
        confirmed.insert(submitted->id);
      } else {
        refused = submitted.error();
      }
    }
    EXPECT_EQ(refused.code(), Code::resource_exhausted) << refused.to_string();
    EXPECT_NE(refused.message().find("disk full"), std::string::npos) << refused.message();
    EXPECT_NE(refused.message().find("MiB free"), std::string::npos) << refused.message();
    EXPECT_EQ(counts(*ledger).value().jobs[v1::READY], confirmed.size() - 1) << "reading goes on";
    const auto not_yet = finish(*ledger, running, Succeeded{std::string(100'000, 'r')});
    ASSERT_FALSE(not_yet);
    EXPECT_EQ(not_yet.error().code(), Code::resource_exhausted);

    std::filesystem::remove(filler);
    const auto again = submit(*ledger, echo());
    ASSERT_TRUE(again) << again.error().to_string();
    confirmed.insert(again->id);
    EXPECT_EQ(finish(*ledger, running, Succeeded{std::string(100'000, 'r')}), v1::SUCCEEDED);

    ledger.reset();
    ledger = open_ledger(folder.path());
    ASSERT_NE(ledger, nullptr);
    for (const std::string& id : confirmed) EXPECT_EQ(get(*ledger, id).value().size(), 1U) << id;
    EXPECT_EQ(get(*ledger, running_id).value().at(0).result().size(), 100'000U);
  }
  umount2(folder.path().c_str(), MNT_DETACH);
}

}  // namespace
}  // namespace cobus::job
