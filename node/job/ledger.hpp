// SPDX-License-Identifier: Apache-2.0
//
// Ledger: the written record of the jobs of one node. What it has confirmed survives kill -9 and,
// where the disk honours sync, loss of power. A seam: SQLite here, other stores behind the same
// calls. It decides nothing about where a job runs; the dispatcher does.
//
// Every call may be made from any thread and returns at once. `done` runs later, on the ledger's
// own thread and only after the commit, so it must be short and must not throw. Operations of one
// caller take effect in the order of the calls. Every operation can answer RESOURCE_EXHAUSTED (disk
// or queue full) or UNAVAILABLE (I/O error, or the ledger is closed): then it changed nothing and
// may be repeated.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include <cobus/v1/job.pb.h>
#include <cobus/v1/session.pb.h>
#include "proto/limits.hpp"
#include "proto/status.hpp"

namespace cobus::job {

template <class T>
using Done = std::move_only_function<void(Result<T>)>;

// Told of a job after the commit that changed it, on the ledger's thread; `job` is complete, its
// result included.
using Observer = std::function<void(const v1::Job& job)>;

// Attempts of a job whose submitter named no number.
inline constexpr std::uint32_t attempts_max_default = 5;
// The longest time that an attempt may be given: a year, which every clock and sum of times can hold.
inline constexpr std::uint64_t timeout_us_max = 31'557'600'000'000;
// Jobs that `list` gives when no limit is asked for, and at most; `get` gives at most the former.
inline constexpr std::uint32_t list_limit_default = 100;
inline constexpr std::uint32_t list_limit_max = 10'000;
// What is read from the ledger at once: jobs of about so many bytes.
inline constexpr std::size_t page_bytes_max = 256 * 1024;

// What a submission may hold, so that a job always fits into one message: package.Service/Method ...
inline constexpr std::size_t method_bytes_max = 2 * limits::name_bytes_max + 1;
// ... its key and its labels as they are written down ...
inline constexpr std::size_t key_and_labels_bytes_max = 16 * 1024;
// ... its request, which is written down with it ...
inline constexpr std::size_t request_bytes_max = limits::payload_bytes_max;
// ... and its result, which leaves room for those and for what is said of the job.
inline constexpr std::size_t result_bytes_max = limits::payload_bytes_max - 2 * key_and_labels_bytes_max;
// What a worker says of a job, a reason or a note, is cut to this.
inline constexpr std::size_t text_bytes_max = 1024;
static_assert(key_and_labels_bytes_max + method_bytes_max + limits::status_bytes_max + 2 * text_bytes_max +
                      4 * limits::name_bytes_max <
                  2 * key_and_labels_bytes_max,
              "a job with everything but its result fits into what the result leaves");

struct NewJob {
  std::string method;  // package.Service/Method
  std::string payload;
  std::string key;                 // idempotency key; empty = none
  std::string canonical = {};      // the payload as equal requests have it; empty: as it is
  std::uint32_t attempts_max = 0;  // 0 = attempts_max_default
  std::map<std::string, std::string> labels;
  std::uint64_t timeout_us = 0;  // of each attempt; 0 = none
  v1::Role role = v1::SUBMIT;    // of whoever submitted it, in whose name it runs
};

struct Submitted {
  std::string id;
  bool existed = false;  // the key was known, and with the same request
};

struct ClaimRequest {
  std::uint32_t limit = 0;
  std::uint64_t owner = 0;           // incarnation of the node that claims
  std::vector<std::string> methods;  // only jobs of these; empty = of any method
};

struct ClaimedJob {
  std::string id;
  std::string method;
  std::string payload;
  std::uint32_t attempt = 0;  // fences progress and outcome: larger with each claim of this job
  std::uint32_t attempts_max = 0;
  std::uint64_t timeout_us = 0;  // at most timeout_us_max, whatever was written down
  v1::Role role = v1::SUBMIT;    // of whoever submitted it
};

struct Succeeded {
  std::string result;  // of the method's output type
};
struct Failed {
  Status error;
};
// The attempt ended without an answer: another one follows unless they are used up.
struct HandedBack {
  std::string wait_reason;        // shown while the job waits; the cause, if this was the last attempt
  bool crashed = false;           // whoever ran it died
  bool started = true;            // false: nobody took it, so the attempt does not count
  Code code = Code::unavailable;  // of the job's error, if this was the last attempt
};
using Outcome = std::variant<Succeeded, Failed, HandedBack>;

struct Recovered {
  std::uint64_t ready = 0;   // will run again
  std::uint64_t failed = 0;  // had no attempts left
};

// A part of a list. `next` asks for the part behind it; 0 when there is none.
struct JobPage {
  std::vector<v1::Job> jobs;
  std::int64_t next = 0;
};

struct Counts {
  std::array<std::uint64_t, v1::JobState_ARRAYSIZE> jobs{};  // by v1::JobState
  std::uint64_t queued = 0;                                  // operations that wait for the ledger
};

class Ledger {
 public:
  virtual ~Ledger() = default;

  // Writes down a READY job. ALREADY_EXISTS when `key` belongs to a job with another method or
  // payload; INVALID_ARGUMENT without a method or for what is too large for the store.
  virtual void submit(NewJob job, Done<Submitted> done) = 0;

  // Moves up to `limit` READY jobs to RUNNING, in the order they were submitted. Empty when none is ready.
  virtual void claim(ClaimRequest request, Done<std::vector<ClaimedJob>> done) = 0;

  // Notes which node runs the attempt. Kept in memory until the attempt ends; an attempt that is
  // over changes nothing.
  virtual void assign(std::string id, std::uint32_t attempt, std::string node) = 0;

  // Notes how far the attempt is; last value wins, and observers may see only some values. Kept in
  // memory; an attempt that is over changes nothing.
  virtual void progress(std::string id, std::uint32_t attempt, v1::Progress progress) = 0;

  // Ends an attempt; gives the state that the job is in now. FAILED_PRECONDITION when `attempt` is
  // not the one that is running: nothing is recorded then. NOT_FOUND for an unknown id.
  virtual void finish(std::string id, std::uint32_t attempt, Outcome outcome, Done<v1::JobState> done) = 0;

  // At start, before the first claim: what an earlier life left RUNNING becomes READY, or FAILED
  // when it has no attempts left.
  virtual void recover(Done<Recovered> done) = 0;

  // Says why these jobs wait. Jobs that are not READY are left alone.
  virtual void set_wait_reason(std::vector<std::string> ids, std::string reason, Done<void> done) = 0;

  // The jobs whose id starts with `prefix`, oldest first: list_limit_default or page_bytes_max of them, and
  // with its result if there is only one. Empty when there is none; INVALID_ARGUMENT for an empty prefix.
  virtual void get(std::string prefix, Done<std::vector<v1::Job>> done) = 0;

  // The job that has this idempotency key, without its result. None when no job has it.
  virtual void get_by_key(std::string key, Done<std::vector<v1::Job>> done) = 0;

  // The jobs that match, newest first, without results, about page_bytes_max at once. `from` is 0 or the
  // `next` of the page before. A page may be empty and yet not the last.
  virtual void list(v1::ListJobsRequest request, std::int64_t from, Done<JobPage> done) = 0;

  virtual void counts(Done<Counts> done) = 0;

  // Sets who is told of changes from now on; an empty one ends that.
  virtual void on_change(Observer observer) = 0;
};

}  // namespace cobus::job
