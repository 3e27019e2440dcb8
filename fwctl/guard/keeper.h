// The table as it shall be, and the table as it is.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/result.h"
#include "fwctl/journal/journal.h"
#include "fwctl/netlink/kernel.h"
#include "fwctl/netlink/watch.h"
#include "fwctl/plan/diff.h"

namespace gatehouse::fwctl {

class TableKeeper {
 public:
  // `own`: the table belongs to our socket, nobody else may write it.
  static core::Result<TableKeeper> open(const std::string& journal_directory, bool own);

  Kernel& writer() { return writer_; }
  const Journal& journal() const { return journal_; }
  const std::optional<KernelTable>& desired() const { return desired_; }
  const std::string& desired_name() const { return desired_name_; }

  // What the journal says was last brought into force. The caller holds the journal's lock.
  core::Status reload();
  // When the journal has nothing: this.
  void want(KernelTable table, std::string name);

  // What somebody committed, each commit in its turn. Of our own we know what they did.
  void told(const Commit& commit, bool own);
  // Of what comes next nothing is known: the next look reads all.
  void forget() { told_.reset(); }

  // What is not as it shall be.
  struct Drift {
    LiveState live;
    Plan plan;                            // empty when nothing is desired
    std::vector<std::string> new_tables;  // not there when we began
    bool all_was_read = false;
  };
  enum class Reading : std::uint8_t {
    told,  // takes the elements of sets from what is desired and what was told since all was as desired
    all,
  };
  // With Reading::told nothing when somebody committed of whom we have not been told yet; with Reading::all
  // nothing when `give_up` said so meanwhile.
  core::Result<std::optional<Drift>> look(Reading reading, std::function<bool()> give_up = {});
  // Commits the way from what was seen to what is desired.
  core::Status repair(const Drift& drift);
  // Makes it as it shall be; again when somebody comes between.
  core::Status repair();
  // Makes the table ours, in place where that can be.
  core::Status claim();
  core::Status delete_table(const std::string& name);
  void accept_tables(const std::vector<std::string>& names);

  // Counters of the live table; sets are not read.
  core::Result<LiveState> counters();

 private:
  TableKeeper(Journal journal, Kernel writer, Kernel reader, bool own)
      : journal_(std::move(journal)), writer_(std::move(writer)), reader_(std::move(reader)), own_(own) {}
  std::uint32_t flags() const;
  core::Result<Drift> look_at_all();

  Journal journal_;
  Kernel writer_;  // owns the table; read by nobody else while it is lent
  Kernel reader_;
  bool own_;
  std::optional<KernelTable> desired_;
  std::string desired_name_ = "nothing";
  std::optional<Standing> standing_;
  std::set<std::string> known_tables_;
  // Since the table was as desired: every commit up to this generation, and what they did to sets. Nothing:
  // it was not, or something was not told.
  struct Told {
    std::uint32_t generation = 0;
    std::map<std::string, SetEvents> sets{};
  };
  std::optional<Told> told_;
};

}  // namespace gatehouse::fwctl
