// The table as it shall be, and the table as it is.
#pragma once

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

  // What is not as it shall be. `touched` are the sets whose elements may have changed; none: read all.
  struct Drift {
    LiveState live;
    Plan plan;                            // empty when nothing is desired
    std::vector<std::string> new_tables;  // not there when we began
  };
  core::Result<Drift> look(const std::optional<std::set<std::string>>& touched);
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

  Journal journal_;
  Kernel writer_;  // owns the table; read by nobody else while it is lent
  Kernel reader_;
  bool own_;
  std::optional<KernelTable> desired_;
  std::string desired_name_ = "nothing";
  std::optional<Standing> standing_;
  std::set<std::string> known_tables_;
};

}  // namespace gatehouse::fwctl
