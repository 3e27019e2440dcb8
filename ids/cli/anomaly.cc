// ids anomaly: what the scan and flood detectors find, for people.
#include <fmt/format.h>

#include "core/json.h"
#include "ids/anomaly/classes.h"
#include "ids/cli/load.h"
#include "ids/cli/verbs.h"

namespace gatehouse::ids::cli {

using core::Result;

Result<int> verb_anomaly_classes(const core::Args& args) {
  std::string out;
  core::JsonWriter json(out);
  if (args.json()) json.begin_array();
  for (const anomaly::AttackClass& c : anomaly::attack_classes()) {
    if (!args.json()) {
      out += fmt::format("{}:{:<4} {:<28} severity {}  {:<17} {}{}\n", anomaly::kDetectionGid, c.sid, c.klass,
                         c.severity, anomaly::attack_classtype(c), c.signature,
                         c.spoofable ? "" : " (not spoofable)");
      continue;
    }
    json.begin_object();
    json.field("gid", anomaly::kDetectionGid).field("sid", c.sid).field("class", c.klass);
    json.field("signature", c.signature).field("severity", c.severity);
    json.field("classtype", anomaly::attack_classtype(c)).field("category", anomaly::attack_category(c));
    json.field("technique", c.technique).field("spoofable", c.spoofable);
    json.end_object();
  }
  if (args.json()) {
    json.end_array();
    out += '\n';
  }
  GH_CHECK(core::print_result(out));
  return core::kExitDone;
}

}  // namespace gatehouse::ids::cli
