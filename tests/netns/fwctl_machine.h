// A machine of its own: an empty network namespace, a journal, a guard if wanted.
#pragma once

#include <fmt/format.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include "core/os.h"
#include "fwctl/journal/journal.h"
#include "tests/netns/fwctl_command.h"

namespace gatehouse::test {

// A namespace with a journal of its own.
class Machine {
 public:
  static core::Result<Machine> make() {
    GH_TRY(Namespace inside, Namespace::create());
    return make(std::move(inside));
  }
  static core::Result<Machine> make(Namespace inside) {
    Machine out;
    out.inside_ = std::move(inside);
    std::string name = "/tmp/gh-fwctl-state-XXXXXX";
    if (mkdtemp(name.data()) == nullptr) return core::fail_errno(errno, "make a directory");
    out.directory_ = name;
    return out;
  }
  Machine(Machine&&) = default;
  Machine& operator=(Machine&&) = default;
  ~Machine() {
    if (!directory_.empty()) std::filesystem::remove_all(directory_);
  }

  Output run(const std::string& command) const { return run_inside(inside_, environment(), command); }
  Output fwctl(const std::string& arguments) const {
    return run(std::string(GATEHOUSE_FWCTL) + " " + arguments);
  }
  // Starts it and does not wait.
  pid_t start(const std::string& arguments) const {
    return start_command(std::string(GATEHOUSE_FWCTL) + " " + arguments);
  }
  pid_t start_command(const std::string& command) const {
    pid_t child = -1;
    inside_.enter([&] {
      child = fork();
      if (child != 0) return;
      prctl(PR_SET_PDEATHSIG, SIGKILL);  // nothing outlives a test that is stopped
      const std::string line =
          fmt::format("exec env {} {} >>{}/log 2>&1", environment(), command, directory_);
      execl("/bin/sh", "sh", "-c", line.c_str(), nullptr);
      _exit(127);
    });
    return child;
  }
  const std::string& directory() const { return directory_; }
  const Namespace& inside() const { return inside_; }
  // As nft lists it, sets and chains in the order of their names: the order they were made in means nothing.
  // Who owns the table is not what it does.
  std::string ruleset() const {
    const std::string text =
        run("nft -s list ruleset | sed -E '/^\tflags ([a-z,]*owner)?$/d; s/ # progname .*//'").text;
    std::vector<std::string> blocks;
    std::string block;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      const std::string line = text.substr(at, end - at);
      at = end + 1;
      if (line.empty()) continue;
      block += line + '\n';
      if (line != "\t}") continue;
      blocks.push_back(block);
      block.clear();
    }
    blocks.push_back(block);
    // The table's own line stands before its first set.
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      if (!blocks[i].starts_with("table ") || blocks[i].find('\n') + 1 == blocks[i].size()) continue;
      const std::size_t own = blocks[i].find('\n') + 1;
      blocks.push_back(blocks[i].substr(0, own));
      blocks[i].erase(0, own);
    }
    std::sort(blocks.begin(), blocks.end());
    std::string out;
    for (const std::string& b : blocks) out += b;
    return out;
  }
  // web-mail.yaml with the first `key` line followed by `more`, in our directory; its spool is ours, too.
  std::string site(const std::string& key = {}, const std::string& more = {}) const {
    auto text = core::read_file(example("web-mail.yaml"));
    if (!text) return {};
    const auto put = [&](const std::string& from, const std::string& to) {
      const std::size_t at = text->find(from);
      if (at == std::string::npos) return false;
      text->replace(at, from.size(), to);
      return true;
    };
    const bool whole =
        put("../ids/gatehouse.rules", std::string(GATEHOUSE_SOURCE_DIR) + "/rules/ids/gatehouse.rules") &&
        put("/var/spool/gatehouse", directory_ + "/spool") && put(key, key + more);
    const std::string out = directory_ + "/web-mail.yaml";
    if (!whole || !core::write_file_atomic(out, *text)) return {};
    return out;
  }
  core::Result<std::vector<Entry>> entries() const {
    GH_TRY(const Journal journal, Journal::open(directory_, false));
    core::Result<std::vector<Entry>> out = std::vector<Entry>();
    inside_.enter([&] { out = journal.entries(); });
    return out;
  }

 private:
  Machine() = default;
  std::string environment() const {
    return fmt::format("GATEHOUSE_STATE={0} GATEHOUSE_RUN={0} SSH_CONNECTION=", directory_);
  }
  Namespace inside_;
  std::string directory_;
};

// The processes that wait to take a change back in a namespace: of one machine of a test.
inline std::vector<pid_t> keepers_of(std::uint64_t network) {
  std::vector<pid_t> out;
  for (const auto& e : std::filesystem::directory_iterator("/proc")) {
    const std::string name = e.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const auto comm = core::read_file("/proc/" + name + "/comm", 64);
    struct stat s {};
    if (!comm || *comm != "fwctl-keeper\n" || stat(("/proc/" + name + "/ns/net").c_str(), &s) != 0) continue;
    if (s.st_ino == network) out.push_back(std::stoi(name));
  }
  std::sort(out.begin(), out.end());
  return out;
}

// A test on a machine of its own.
class OnMachine : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string reason;
    if (!can_make_namespaces(reason)) GTEST_SKIP() << reason;
    auto made = Machine::make();
    ASSERT_TRUE(made) << made.error().to_string();
    m_.emplace(std::move(*made));
  }
  std::optional<Machine> m_;
};

}  // namespace gatehouse::test
