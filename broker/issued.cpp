// SPDX-License-Identifier: Apache-2.0
#include "broker/issued.hpp"

#include <SQLiteCpp/Statement.h>
#include <SQLiteCpp/Transaction.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "broker/issued_text.hpp"
#include "node/link/identity.hpp"

namespace cobus::broker {
namespace {

constexpr const char* columns =
    "SELECT name, role, fingerprint, serial, not_before, not_after, valid_until, sequence FROM certificate ";
// Expired entries that one new entry takes away, so that it does not wait for all of a whole year.
constexpr std::size_t dropped_at_once = 1'000;

// SQLite knows no numbers of 64 bits without a sign.
std::int64_t stored(std::uint64_t serial) { return static_cast<std::int64_t>(serial); }

Issued read(const SQLite::Statement& row) {
  Issued issued;
  issued.name = row.getColumn(0).getString();
  issued.role = static_cast<v1::Role>(row.getColumn(1).getInt());
  if (const auto key = link::parse_base32(row.getColumn(2).getString());
      key && key->size() == issued.key.bytes.size())
    issued.key = link::curve_key_of(*key);
  issued.serial = static_cast<std::uint64_t>(row.getColumn(3).getInt64());
  issued.not_before_s = row.getColumn(4).getInt64();
  issued.not_after_s = row.getColumn(5).getInt64();
  issued.valid_until_s = row.getColumn(6).getInt64();
  issued.sequence = row.getColumn(7).getInt64();
  return issued;
}

// Everything that `select` gives once `bind` has set its parameters.
template <class Bind>
Result<std::vector<Issued>> all_of(CertificateDatabase& database, const char* where, Bind bind) {
  std::vector<Issued> found;
  try {
    SQLite::Statement select(database.sql(), std::string(columns) + where);
    bind(select);
    while (select.executeStep()) found.push_back(read(select));
  } catch (const SQLite::Exception& error) {
    return fail(database.explain(error));
  }
  return found;
}

}  // namespace

Issued issued_of(const v1::CertificateBody& body) {
  return {.name = body.name(),
          .role = body.role(),
          .key = link::curve_key_of(body.curve_key()),
          .serial = body.serial(),
          .not_before_s = body.not_before(),
          .not_after_s = body.not_after(),
          .valid_until_s = body.not_after()};
}

IssuedStore::IssuedStore(CertificateDatabase database, std::size_t entries_max)
    : database_(std::move(database)), entries_max_(entries_max) {}

Result<IssuedStore> IssuedStore::open(std::filesystem::path file, std::size_t entries_max) {
  const auto earlier = read_issued_text(file);
  if (!earlier) return fail(earlier.error());
  if (*earlier) {
    if (Status taken = take_over(file, **earlier); !taken.ok()) return fail(std::move(taken));
  }
  auto database = CertificateDatabase::open(file);
  if (!database) return fail(std::move(database).error());
  IssuedStore store(std::move(*database), entries_max);
  try {
    const std::int64_t count =
        store.database_.sql().execAndGet("SELECT count(*) FROM certificate").getInt64();
    store.entries_ = static_cast<std::size_t>(count);
  } catch (const SQLite::Exception& error) {
    return fail(store.database_.explain(error));
  }
  return store;
}

// A database beside it takes the place of the text in one step: whatever happens, one of the two is there
// whole.
Status IssuedStore::take_over(const std::filesystem::path& file, const std::vector<Issued>& earlier) {
  const std::filesystem::path beside = file.string() + ".new";
  for (const char* rest : {"", "-wal", "-journal"}) {
    std::error_code ignored;
    std::filesystem::remove(beside.string() + rest, ignored);
  }
  {
    auto database = CertificateDatabase::open(beside);
    if (!database) return std::move(database).error();
    IssuedStore store(std::move(*database), earlier.size());
    try {
      SQLite::Transaction transaction(store.database_.sql());
      for (const Issued& issued : earlier) store.put(issued);
      transaction.commit();
    } catch (const SQLite::Exception& error) {
      return store.database_.explain(error);
    }
  }  // closed: nothing of it is in a file beside it any more
  return link::replace_file(beside, file);
}

void IssuedStore::put(const Issued& issued) {
  SQLite::Statement insert(
      database_.sql(),
      "INSERT INTO certificate (fingerprint, name, role, serial, not_before, not_after, valid_until) "
      "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (fingerprint, name, role) DO UPDATE SET serial = "
      "excluded.serial, not_before = excluded.not_before, not_after = excluded.not_after, "
      "valid_until = max(valid_until, excluded.valid_until)");
  insert.bind(1, link::fingerprint(issued.key));
  insert.bind(2, issued.name);
  insert.bind(3, static_cast<int>(issued.role));
  insert.bind(4, stored(issued.serial));
  insert.bind(5, issued.not_before_s);
  insert.bind(6, issued.not_after_s);
  insert.bind(7, issued.valid_until_s);
  insert.exec();
}

std::size_t IssuedStore::drop_expired(std::int64_t before_s, std::size_t limit) {
  SQLite::Statement drop(database_.sql(),
                         "DELETE FROM certificate WHERE sequence IN (SELECT sequence FROM certificate "
                         "WHERE valid_until <= ? LIMIT ?)");
  drop.bind(1, before_s);
  drop.bind(2, static_cast<std::int64_t>(limit));
  return static_cast<std::size_t>(drop.exec());
}

Status IssuedStore::make_space(const std::string& fingerprint, std::int64_t now_s, std::size_t& dropped) {
  SQLite::Statement of_key(database_.sql(),
                           "SELECT count(*) FROM certificate WHERE fingerprint = ? AND valid_until > ?");
  of_key.bind(1, fingerprint);
  of_key.bind(2, now_s);
  of_key.executeStep();
  if (of_key.getColumn(0).getInt64() >= static_cast<std::int64_t>(issued_per_key_max)) {
    return {
        Code::resource_exhausted,
        fmt::format("this key has certificates for {} names and roles already: use one of those, or another "
                    "key",
                    issued_per_key_max)};
  }
  dropped = drop_expired(now_s - issued_kept_s, dropped_at_once);
  if (entries_ - dropped >= entries_max_) dropped += drop_expired(now_s, dropped_at_once);
  if (entries_ - dropped < entries_max_) return {};
  return {Code::resource_exhausted,
          fmt::format("the broker's record of certificates is full ({} of {}), and none of them has expired: "
                      "start the broker with a larger --certificates-max",
                      entries_, entries_max_)};
}

Status IssuedStore::add(const v1::CertificateBody& body, std::int64_t now_s, std::int64_t known_until_s) {
  Issued issued = issued_of(body);
  issued.valid_until_s = std::max(issued.valid_until_s, known_until_s);
  const auto before = find(issued.key, issued.name, issued.role);
  if (!before) return before.error();
  try {
    SQLite::Transaction transaction(database_.sql());
    std::size_t dropped = 0;
    if (!*before) {
      if (Status space = make_space(link::fingerprint(issued.key), now_s, dropped); !space.ok()) return space;
    }
    put(issued);
    transaction.commit();
    entries_ = entries_ - dropped + (*before ? 0 : 1);
  } catch (const SQLite::Exception& error) {
    return database_.explain(error);
  }
  return {};
}

Result<std::optional<Issued>> IssuedStore::find(const link::CurveKey& key, const std::string& name,
                                                v1::Role role) const {
  auto found = all_of(database_, "WHERE fingerprint = ? AND name = ? AND role = ?", [&](auto& select) {
    select.bind(1, link::fingerprint(key));
    select.bind(2, name);
    select.bind(3, static_cast<int>(role));
  });
  if (!found) return fail(std::move(found).error());
  if (found->empty()) return std::nullopt;
  return std::move(found->front());
}

Result<std::vector<Issued>> IssuedStore::search(const std::string& who, std::int64_t now_s,
                                                std::size_t limit) const {
  std::uint64_t serial = 0;
  const auto [end, error] = std::from_chars(who.data(), who.data() + who.size(), serial);
  if (error != std::errc() || end != who.data() + who.size()) serial = 0;
  // No character of base32 comes behind '{', so between these two is all that begins so; nothing is behind
  // '~'.
  const bool is_key = who.size() >= fingerprint_length_min;
  return all_of(
      database_,
      "WHERE valid_until > ? AND (name = ? OR serial = ? OR (fingerprint >= ? AND fingerprint < ?)) "
      "ORDER BY sequence LIMIT ?",
      [&](auto& select) {
        select.bind(1, now_s);
        select.bind(2, who);
        select.bind(3, stored(serial));  // no certificate has the serial 0
        select.bind(4, is_key ? who : "~");
        select.bind(5, is_key ? who + "{" : "~");
        select.bind(6, static_cast<std::int64_t>(limit));
      });
}

Result<std::vector<Issued>> IssuedStore::of_key(const link::CurveKey& key, std::int64_t now_s) const {
  return all_of(database_, "WHERE fingerprint = ? AND valid_until > ? ORDER BY sequence", [&](auto& select) {
    select.bind(1, link::fingerprint(key));
    select.bind(2, now_s);
  });
}

Result<std::vector<Issued>> IssuedStore::after(std::int64_t sequence, std::int64_t now_s,
                                               std::size_t limit) const {
  return all_of(database_, "WHERE sequence > ? AND valid_until > ? ORDER BY sequence LIMIT ?",
                [&](auto& select) {
                  select.bind(1, sequence);
                  select.bind(2, now_s);
                  select.bind(3, static_cast<std::int64_t>(limit));
                });
}

}  // namespace cobus::broker
