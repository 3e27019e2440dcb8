// Who changes the ruleset: the kernel tells every listener of each commit what it touched and by whom.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/os.h"
#include "core/result.h"
#include "fwctl/netlink/set_events.h"

struct nlmsghdr;

namespace gatehouse::fwctl {

// One transaction of somebody.
struct Commit {
  std::uint32_t generation = 0;
  std::uint32_t pid = 0;         // of the thread that sent it, in our PID namespace
  std::string process;           // its name, at most 15 bytes
  std::uint32_t port = 0;        // netlink port of its socket
  std::set<std::string> tables;  // touched: "inet gatehouse"
  // Of the watched table: those that came, went, or whose elements changed.
  std::map<std::string, SetEvents> changed_sets;
  bool remade = false;      // the watched table came, went, or has other flags
  std::size_t objects = 0;  // added and removed
  // The listener was too slow and the kernel threw events away: anything may have happened.
  bool lost = false;

  std::string who() const;  // "nft (pid 4711)"
};

// Of the network namespace that the calling thread was in at open().
class RulesetWatch {
 public:
  // `table` of family inet is the one whose sets are noted.
  static core::Result<RulesetWatch> open(std::string table);

  int descriptor() const { return fd_.get(); }
  // Of what is committed while it does not listen nothing is told, nor made into messages by the kernel.
  void listen(bool on);
  // The commits that have ended since the last call; does not wait.
  std::vector<Commit> drain();
  // Whether something comes within that time.
  bool wait(int time_ms) const;

 private:
  RulesetWatch(core::UniqueFd fd, std::string table) : fd_(std::move(fd)), table_(std::move(table)) {}
  void take(const std::uint8_t* bytes, int length, std::vector<Commit>& out);
  void take_object(const nlmsghdr* h, unsigned type);

  core::UniqueFd fd_;
  std::string table_;
  Commit open_;  // what has been told of a commit that has not ended yet
};

}  // namespace gatehouse::fwctl
