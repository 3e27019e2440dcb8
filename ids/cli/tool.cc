// The table behind `ids`.
#include "ids/cli/load.h"
#include "ids/cli/verbs.h"

namespace gatehouse::ids::cli {
namespace {

core::OptionSpec option(std::string name, std::string value, std::string help, bool required = false,
                        bool repeat = false) {
  return {std::move(name), std::move(value), std::move(help), required, repeat};
}

std::vector<core::OptionSpec> with_settings(std::vector<core::OptionSpec> options) {
  for (core::OptionSpec& o : settings_options()) options.push_back(std::move(o));
  return options;
}

core::VerbSpec run_verb() {
  core::VerbSpec v;
  v.name = "run";
  v.summary = "inspect a capture file or the traffic of interfaces and write EVE events";
  v.options = with_settings({
      option("--rules", "PATH", "rule file, or a directory of *.rules", false, true),
      option("--pcap", "FILE", "capture file to read, - for standard input"),
      option("--interface", "NAME", "interface to watch", false, true),
      option("--log-dir", "DIR", "append events to DIR/eve.json; - for standard output"),
      option("--spool", "DIR", "append events to the SOC spool DIR"),
      option("--workers", "N", "worker threads: for the file, or per interface (default 1)"),
      option("--user", "NAME", "account to become after the captures are open"),
      option("--top-socket", "PATH", "answer `ids anomaly top` on this local socket"),
      option("--profile", "", "at the end, rank rules and literal sets by what they cost (with --pcap)"),
      option("--no-sandbox", "", "stay unrestricted (live capture restricts itself otherwise)"),
  });
  v.run = verb_run;
  return v;
}

core::VerbSpec check_verb() {
  core::VerbSpec v;
  v.name = "check";
  v.arguments = "RULES...";
  v.most_arguments = 1000;
  v.summary = "say whether every rule is good, and warn about those that are useless or dear";
  v.options = with_settings({
      option("--rules", "PATH", "rule file, or a directory of *.rules", false, true),
      option("--format", "FORMAT", "text (default), json or sarif (SARIF 2.1.0)"),
      option("--strict", "", "warnings, too, make the answer no"),
  });
  v.run = verb_check;
  return v;
}

core::VerbSpec bench_verb() {
  core::VerbSpec v;
  v.name = "bench";
  v.summary = "measure how fast rules run over a capture file held in memory";
  v.options = with_settings({
      option("--pcap", "FILE", "capture file", true),
      option("--rules", "PATH", "rule file, or a directory of *.rules", false, true),
      option("--repeat", "N", "runs; the one with the least CPU time counts (default 3)"),
  });
  v.run = verb_bench;
  return v;
}

core::VerbSpec test_verb() {
  core::VerbSpec v;
  v.name = "test";
  v.arguments = "DIR...";
  v.least_arguments = 1;
  v.most_arguments = 1000;
  v.summary = "run the cases of a directory: traffic, rules, and what must come of them";
  v.options = {
      option("--name", "TEXT", "only cases whose path has TEXT in it"),
      option("--write-pcap", "DIR", "write the traffic that cases describe to DIR/CASE.pcap, and stop"),
  };
  v.run = verb_test;
  return v;
}

core::VerbSpec explain_verb() {
  core::VerbSpec v;
  v.name = "explain";
  v.summary = "tell where in a capture a rule fired or came closest, and what was missing";
  v.options = with_settings({
      option("--sid", "N", "the rule", true),
      option("--pcap", "FILE", "the capture", true),
      option("--rules", "PATH", "rule file, or a directory of *.rules", false, true),
      option("--most", "N", "places to show (default 3)"),
  });
  v.run = verb_explain;
  return v;
}

core::VerbSpec anomaly_explain_verb() {
  core::VerbSpec v;
  v.name = "anomaly explain";
  v.arguments = "EVENT";
  v.least_arguments = v.most_arguments = 1;
  v.summary = "tell why an attack was called one, and what would have prevented that";
  v.options = {
      option("--log-dir", "DIR", "EVENT is the id of an attack in DIR/eve.json; else a file of events, or -"),
  };
  v.run = verb_anomaly_explain;
  return v;
}

core::VerbSpec anomaly_top_verb() {
  core::VerbSpec v;
  v.name = "anomaly top";
  v.summary = "show attacks, suspects and victims of a running ids, or at the end of a capture";
  v.options = with_settings({
      option("--socket", "PATH", "of a running ids: what its --top-socket says"),
      option("--pcap", "FILE", "a capture instead"),
      option("--interval", "S", "show it again each S seconds (on a terminal 2)"),
      option("--once", "", "show it once"),
  });
  v.run = verb_anomaly_top;
  return v;
}

core::VerbSpec anomaly_replay_verb() {
  core::VerbSpec v;
  v.name = "anomaly replay";
  v.summary = "run the detectors alone over a capture: their events, nothing else";
  v.options = with_settings({
      option("--pcap", "FILE", "the capture", true),
      option("--rules", "PATH", "rules of generator 900: how detections are told", false, true),
      option("--log-dir", "DIR", "append events to DIR/eve.json (default: standard output)"),
      option("--speed", "X", "1: as fast as the packets came; 0, the default: at once"),
  });
  v.run = verb_anomaly_replay;
  return v;
}

core::VerbSpec plain_verb(std::string name, std::string summary, core::Result<int> (*run)(const core::Args&),
                          std::vector<core::OptionSpec> options) {
  core::VerbSpec v;
  v.name = std::move(name);
  v.summary = std::move(summary);
  v.options = std::move(options);
  v.run = run;
  return v;
}

}  // namespace

core::ToolSpec ids_tool() {
  core::ToolSpec tool;
  tool.name = "ids";
  tool.summary = "intrusion detection: rules of the Suricata language, events as EVE JSON";
  tool.description =
      "Decodes packets, follows flows, puts TCP streams together, parses application protocols, and decides "
      "rules on all of them. Scans and floods are found without rules and written as alerts of generator 900 "
      "with a `detection` object.\n\n"
      "On interfaces: SIGTERM ends cleanly (open flows are inspected and logged), SIGHUP reads the rules "
      "again and reopens eve.json. A set without one good rule, or too large for the memory that is left, "
      "leaves the old rules in force. When the captures are open the program gives up its rights (see "
      "--user, --no-sandbox).";
  tool.verbs = {
      run_verb(),
      check_verb(),
      test_verb(),
      explain_verb(),
      bench_verb(),
      plain_verb("keywords", "list the rule keywords and buffers", verb_keywords, {}),
      plain_verb("config", "print the settings in force, each with its origin", verb_config,
                 settings_options()),
      anomaly_explain_verb(),
      anomaly_top_verb(),
      anomaly_replay_verb(),
      plain_verb("anomaly classes", "list what the detectors can find: gid, sid, class, severity",
                 verb_anomaly_classes, {}),
  };
  tool.files = {{"DIR/eve.json", "events, one JSON object a line"}};
  tool.examples = {
      {"ids run --rules rules/ids --pcap in.pcap --log-dir out", "read a capture file"},
      {"ids run --site site.yaml --interface eth0 --spool /var/spool/gatehouse", "watch an interface"},
      {"ids check local.rules", "check rules before they are deployed"},
      {"ids test rules/ids/cases", "prove the shipped rules by their examples"},
      {"ids config --config ids.yaml", "see what is in force and where it was set"},
  };
  tool.standards = {"EVE JSON as written by Suricata 8", "Community ID v1"};
  return tool;
}

}  // namespace gatehouse::ids::cli
