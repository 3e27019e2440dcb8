#include "fwctl/guard/keeper.h"

#include <fmt/format.h>
#include <linux/netfilter/nf_tables.h>

#include <algorithm>

#include "fwctl/compile/digest.h"
#include "fwctl/control/restore.h"
#include "fwctl/netlink/image.h"

namespace gatehouse::fwctl {
namespace {

using core::Errc;

constexpr int kAttempts = 10;
const std::string kTable(kTableName);

}  // namespace

core::Result<TableKeeper> TableKeeper::open(const std::string& journal_directory, bool own) {
  GH_TRY(Journal journal, Journal::open(journal_directory, true));
  GH_TRY(Kernel writer, Kernel::open());
  GH_TRY(Kernel reader, Kernel::open());
  return TableKeeper(std::move(journal), std::move(writer), std::move(reader), own);
}

std::uint32_t TableKeeper::flags() const {
  return own_ ? std::uint32_t{NFT_TABLE_F_OWNER} | kTablePersists : 0U;
}

void TableKeeper::want(KernelTable table, std::string name) {
  desired_ = std::move(table);
  desired_name_ = std::move(name);
  forget();
}

core::Status TableKeeper::reload() {
  GH_TRY(const std::vector<Entry> entries, journal_.entries());
  std::string live_digest;
  const bool unsure = std::any_of(entries.begin(), entries.end(),
                                  [](const Entry& e) { return e.state == EntryState::applying; });
  if (unsure) {
    GH_TRY(const LiveState live, reader_.read(kTable));
    if (live.table) live_digest = digest(*live.table);
  }
  const std::optional<Standing> now = standing(entries, live_digest);
  if (!now) return {};
  if (standing_ && standing_->id == now->id && standing_->image == now->image) return {};
  GH_TRY(const std::string bytes, journal_.image(now->id, now->image));
  GH_TRY(const RulesetCopy image, parse_image(bytes));
  GH_TRY(std::optional<KernelTable> made, decode_image(image));
  const auto from =
      std::find_if(entries.begin(), entries.end(), [&](const Entry& e) { return e.id == now->id; });
  standing_ = now;
  // What names control groups of another start of the machine is nobody's wish any more.
  if (made && from != entries.end() && !check_groups(*made, from->boot)) return {};
  forget();
  desired_ = std::move(made);
  desired_name_ =
      fmt::format("change {}{}", now->id, now->image == Journal::Image::before ? " taken back" : "");
  return {};
}

void TableKeeper::told(const Commit& c, bool own) {
  if (c.lost) told_.reset();
  // Wraps around.
  if (!told_ || static_cast<std::int32_t>(c.generation - told_->generation) <= 0) return;
  if (c.generation != told_->generation + 1 || (c.remade && !own)) return told_.reset();
  told_->generation = c.generation;
  if (own) return;
  for (const auto& [name, events] : c.changed_sets) told_->sets[name].append(events);
}

core::Result<std::optional<TableKeeper::Drift>> TableKeeper::look(Reading reading,
                                                                  std::function<bool()> give_up) {
  Known known;
  if (reading == Reading::told && told_ && desired_) known = {&*desired_, told_->sets};
  Drift out;
  out.all_was_read = known.table == nullptr;
  bool given_up = false;
  if (give_up) known.give_up = [&] { return given_up = give_up(); };
  auto live = reader_.read(kTable, known);
  if (given_up) {
    GH_TRY(reader_, Kernel::open());
    return std::nullopt;
  }
  if (!live) return tl::make_unexpected(std::move(live.error()));
  out.live = std::move(*live);
  if (!out.all_was_read && out.live.generation != told_->generation) return std::nullopt;
  if (desired_) out.plan = make_plan(out.live.table ? &*out.live.table : nullptr, *desired_);
  out.plan.transaction.table_flags = flags();
  told_.reset();
  if (desired_ && !out.plan.changes_effect()) told_ = {out.live.generation};
  // One that is gone is new when it comes again.
  const std::set<std::string> there(out.live.other_tables.begin(), out.live.other_tables.end());
  std::erase_if(known_tables_, [&](const std::string& t) { return there.count(t) == 0; });
  for (const std::string& t : there) {
    if (known_tables_.count(t) == 0) out.new_tables.push_back(t);
  }
  return out;
}

core::Result<TableKeeper::Drift> TableKeeper::look_at_all() {
  GH_TRY(std::optional<Drift> out, look(Reading::all));
  return std::move(*out);
}

core::Status TableKeeper::repair(const Drift& drift) {
  GH_CHECK(writer_.commit(drift.plan.transaction, drift.live.generation));
  told_ = {drift.live.generation + 1};
  return {};
}

core::Status TableKeeper::repair() {
  core::Status done;
  for (int i = 0; i < kAttempts; ++i) {
    GH_TRY(const Drift now, look_at_all());
    if (now.plan.empty()) return {};
    done = repair(now);
    if (done || done.error().code != Errc::conflict) return done;
  }
  return done;
}

core::Status TableKeeper::claim() {
  if (!own_ || !desired_) return {};
  for (int i = 0;; ++i) {
    GH_TRY(const Drift now, look_at_all());
    if (now.live.owner_port == writer_.port()) return {};
    Transaction all = now.plan.transaction;
    const bool orphan = (now.live.ownership & kTablePersists) != 0 && now.live.owner_port == 0;
    if (now.live.table && !orphan) {
      // A table that never had an owner cannot get one: it is made anew in the same transaction. Every base
      // chain ends with a drop of its own, so that no packet passes between (fwctl/NOTES.md).
      all = make_plan(nullptr, *desired_).transaction;
      all.operations.insert(all.operations.begin(), DeleteTable{});
    } else if (all.empty()) {
      all.table = kTable;
      all.operations.emplace_back(AddTable{});
    }
    all.table_flags = flags();
    const core::Status done = writer_.commit(all, now.live.generation);
    if (done || done.error().code != Errc::conflict || i == kAttempts) return done;
  }
}

core::Status TableKeeper::delete_table(const std::string& name) {
  return writer_.delete_table(name);
}
void TableKeeper::accept_tables(const std::vector<std::string>& names) {
  known_tables_.insert(names.begin(), names.end());
}

core::Result<LiveState> TableKeeper::counters() {
  Known known;
  if (desired_) known.table = &*desired_;
  return reader_.read(kTable, known);
}

}  // namespace gatehouse::fwctl
