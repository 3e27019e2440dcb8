// `socfwd`: carries events from the spool to the SOC.
#include "core/cli.h"
#include "soc/cli/verbs.h"

namespace {

using gatehouse::core::OptionSpec;
using gatehouse::core::ToolSpec;
namespace soc = gatehouse::soc;

ToolSpec tool() {
  const OptionSpec spool{"--spool", "DIR", "instead of the site's soc.spool", false, false};
  const OptionSpec state{"--state", "DIR", "where cursors are kept; default: .state in the spool", false,
                         false};
  const OptionSpec stream{"--stream", "NAME", "only this stream", false, false};
  ToolSpec t;
  t.name = "socfwd";
  t.summary = "carry events from the spool to the receivers of a site";
  t.description =
      "Delivery is at least once: a receiver's position moves only to what it has taken for good,\n"
      "       and what comes twice comes under the same event id.";
  t.verbs = {
      {"run",
       "SITE",
       1,
       1,
       "forward every stream to every receiver until told to end",
       {spool,
        state,
        {"--once", "", "deliver what there is and end", false, false},
        {"--give-up", "SECONDS", "with --once: end after so long without progress (10)", false, false},
        {"--heartbeat", "SECONDS", "tell receivers the last sequence so often; 0: never (60)", false, false}},
       soc::run_verb},
      {"status",
       "SITE",
       1,
       1,
       "say what each receiver has; 1 when one is behind or misses events",
       {spool, state, {"--behind", "SECONDS", "an event waiting longer means behind (60)", false, false}},
       soc::status_verb},
      {"verify",
       "SPOOL",
       1,
       1,
       "check every record; 1 when any is damaged or missing",
       {stream},
       soc::verify_verb},
      {"emit",
       "",
       0,
       0,
       "append JSON lines from standard input to a stream",
       {{"--spool", "DIR", "the spool", true, false},
        {"--stream", "NAME", "1 to 32 of a-z 0-9 -", true, false},
        {"--wait", "SECONDS", "for another writer of the stream to end (5)", false, false}},
       soc::emit_verb},
      {"cat", "SPOOL", 1, 1, "print the events in a spool", {stream}, soc::cat_verb},
  };
  t.files = {{"SPOOL/STREAM/*.seg", "events"},
             {"SPOOL/.state/RECEIVER/STREAM.cursor", "what a receiver has taken"}};
  t.examples = {{"socfwd run /etc/gatehouse/site.yaml", "the daemon"},
                {"echo '{\"event_type\":\"alert\"}' | socfwd emit --spool /var/spool/gatehouse --stream test",
                 "put an event on its way"}};
  t.standards = {"RFC 5424 (syslog), RFC 5425 (syslog over TLS)"};
  return t;
}

}  // namespace

int main(int argc, char** argv) {
  return gatehouse::core::run_tool(tool(), argc, argv);
}
