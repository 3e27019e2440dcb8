#include "fwctl/guard/report.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/json.h"
#include "core/log.h"
#include "core/os.h"

namespace gatehouse::fwctl {
namespace {

constexpr std::size_t kMostCommandBytes = 512;
constexpr off_t kMostCommitsBytes = 1 << 20;

// A label value: backslash, quote and line end are escaped, other control bytes left out.
std::string label(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    if (static_cast<unsigned char>(c) >= 0x20) out += c;
  }
  return out;
}

}  // namespace

std::string metrics_text(const GuardCounters& c, const std::vector<RuleCount>& rules) {
  std::string out;
  const auto one = [&](const char* name, const char* type, const char* help, double value) {
    out += fmt::format(
        "# HELP gatehouse_fwctl_{0} {1}\n# TYPE gatehouse_fwctl_{0} {2}\ngatehouse_fwctl_{0} {3}\n", name,
        help, type, value);
  };
  one("in_force", "gauge", "1 when the ruleset is what was brought into force, and what it supposes holds.",
      c.in_force ? 1 : 0);
  one("generation", "gauge", "Generation of the ruleset.", c.generation);
  one("drifts_total", "counter", "Times the ruleset was found changed.", static_cast<double>(c.drifts));
  one("repairs_total", "counter", "Times it was made right again.", static_cast<double>(c.repairs));
  one("failed_repairs_total", "counter", "Times that failed.", static_cast<double>(c.failed_repairs));
  one("last_repair_seconds", "gauge", "From the event to the table read back.",
      static_cast<double>(c.last_repair_us) / 1e6);
  one("foreign_commits_total", "counter", "Transactions of other processes.",
      static_cast<double>(c.commits_of_others));
  one("lost_events_total", "counter", "Times the kernel threw events away.",
      static_cast<double>(c.lost_events));
  one("foreign_tables_total", "counter", "Tables that appeared.", static_cast<double>(c.new_tables));
  one("settings_total", "counter", "Times a setting that the ruleset supposes was found changed.",
      static_cast<double>(c.settings));
  one("loans_total", "counter", "Times the table was lent to fwctl.", static_cast<double>(c.loans));
  one("bans_total", "counter", "Bans made or made longer.", static_cast<double>(c.bans));
  one("refused_bans_total", "counter", "Requests that were refused.", static_cast<double>(c.refused_bans));
  one("active_bans", "gauge", "Sources banned now.", static_cast<double>(c.active_bans));
  if (rules.empty()) return out;
  // One family after the other, as the format wants; a rule is its chain, its place and its policy line.
  for (const bool packets : {true, false}) {
    const char* name = packets ? "rule_packets_total" : "rule_bytes_total";
    out += fmt::format(
        "# HELP gatehouse_fwctl_{0} {1} a rule has matched.\n# TYPE gatehouse_fwctl_{0} counter\n", name,
        packets ? "Packets" : "Bytes");
    std::map<std::string, int> number;
    for (const RuleCount& r : rules) {
      out += fmt::format("gatehouse_fwctl_{}{{chain=\"{}\",number=\"{}\",rule=\"{}\"}} {}\n", name,
                         label(r.chain), ++number[r.chain], label(r.comment), packets ? r.packets : r.bytes);
    }
  }
  return out;
}

std::string command_of(std::uint32_t pid) {
  if (pid == 0) return {};
  const core::UniqueFd fd(::open(fmt::format("/proc/{}/cmdline", pid).c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return {};
  std::string out(kMostCommandBytes, '\0');
  const ssize_t got = read(fd.get(), out.data(), out.size());
  out.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  while (!out.empty() && out.back() == '\0') out.pop_back();
  for (char& c : out) {
    if (c == '\0') c = ' ';
  }
  return out;
}

Reporter Reporter::open(const std::string& state_directory, const std::string& spool) {
  Reporter out;
  out.commits_file_ = state_directory + "/commits.log";
  if (spool.empty() || access(spool.c_str(), W_OK) != 0) return out;
  auto writer = soc::SpoolWriter::open(spool, "fwctl");
  if (writer) {
    out.spool_ = std::move(*writer);
  } else {
    core::log_warning("events are only logged: {}", writer.error().to_string());
  }
  return out;
}

void Reporter::event(const std::string& kind, const std::string& sentence,
                     const std::vector<std::pair<std::string, std::string>>& facts) {
  core::log_warning("{}", sentence);
  if (!spool_) return;
  std::string line;
  std::string time;
  core::append_eve_timestamp(time, core::wall_clock_us());
  core::JsonWriter json(line);
  json.begin_object().field("timestamp", time).field("event_type", "firewall").key("firewall").begin_object();
  json.field("kind", kind).field("message", sentence);
  for (const auto& [name, value] : facts) json.field(name, value);
  json.end_object().end_object();
  spool_->append(line, kind == "ban" ? soc::EventClass::activity : soc::EventClass::alert);
}

void Reporter::commit(const Commit& c, const std::string& command) {
  std::string line;
  core::JsonWriter json(line);
  json.begin_object().field("time", core::rfc3339(core::wall_clock_us())).field("generation", c.generation);
  json.field("pid", c.pid).field("process", c.process).field("command", command).key("tables").begin_array();
  for (const std::string& t : c.tables) json.string(t);
  json.end_array().end_object();
  line += '\n';
  struct stat s {};
  if (stat(commits_file_.c_str(), &s) == 0 && s.st_size > kMostCommitsBytes)
    rename(commits_file_.c_str(), (commits_file_ + ".1").c_str());
  const core::UniqueFd fd(::open(commits_file_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (fd.valid()) (void)core::write_all(fd.get(), line, commits_file_);
}

}  // namespace gatehouse::fwctl
