// ids explain: why a rule fired or did not on a capture.
#include "ids/explain/explainer.h"

#include <fmt/format.h>

#include "core/json.h"
#include "ids/capture/pcap_file.h"
#include "ids/cli/load.h"
#include "ids/cli/verbs.h"
#include "ids/engine/lists.h"

namespace gatehouse::ids::cli {
namespace {

using core::Errc;
using core::fail;
using core::JsonWriter;
using core::Result;
using explain::Explanation;
using explain::PartState;
using explain::Place;

std::string_view state_name(PartState state) {
  switch (state) {
    case PartState::holds:
      return "holds";
    case PartState::fails:
      return "fails";
    case PartState::missing:
      return "missing";
    case PartState::not_reached:
      return "not-reached";
  }
  return "fails";
}

std::string direction_name(Direction direction) {
  return direction == Direction::to_server ? "to_server" : "to_client";
}

std::string packets_text(const std::vector<std::uint64_t>& packets) {
  std::string out;
  for (std::size_t i = 0; i < packets.size() && i < 10; ++i) {
    if (!out.empty()) out += ", ";
    out += packets[i] == 0 ? "end of flow" : std::to_string(packets[i]);
  }
  return out;
}

std::string text_of(const Explanation& e, const explain::RuleClosure& closure, std::uint64_t sid) {
  std::string out = fmt::format("rule {}: matched {} time(s)", sid, e.matches);
  if (e.matches != 0) out += ", packets " + packets_text(e.match_packets);
  out += fmt::format("\n{} place(s) looked at", e.places);
  if (!closure.prerequisites.empty()) {
    out += "; run together with the rules it depends on:";
    for (const std::uint32_t other : closure.prerequisites) out += fmt::format(" {}", other);
  }
  out += '\n';
  for (std::size_t i = 0; i < e.best.size(); ++i) {
    const Place& place = e.best[i];
    out += fmt::format("\n{}. {} {}{}, {}: {} of {} parts hold\n", i + 1,
                       place.at_end ? "end of flow," : fmt::format("packet {},", place.packet), place.what,
                       place.tx_id ? fmt::format(" {}", *place.tx_id) : "", direction_name(place.direction),
                       place.held, place.parts.size());
    for (const explain::Part& part : place.parts) {
      out += fmt::format("   {:<11} {}\n", state_name(part.state), part.text);
      if (!part.nearby.empty()) out += fmt::format("               {}\n", part.nearby);
    }
  }
  return out;
}

std::string json_of(const Explanation& e, const explain::RuleClosure& closure, std::uint64_t sid) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.field("sid", sid).field("matches", e.matches).field("places_seen", e.places);
  json.key("match_packets").begin_array();
  for (const std::uint64_t packet : e.match_packets) json.number(packet);
  json.end_array().key("prerequisites").begin_array();
  for (const std::uint32_t other : closure.prerequisites) json.number(other);
  json.end_array().key("places").begin_array();
  for (const Place& place : e.best) {
    json.begin_object();
    json.field("what", place.what).field("direction", direction_name(place.direction));
    if (!place.at_end) json.field("packet", place.packet);
    json.field("at_end", place.at_end);
    if (place.tx_id) json.field("tx_id", *place.tx_id);
    json.field("held", place.held).key("parts").begin_array();
    for (const explain::Part& part : place.parts) {
      json.begin_object().field("text", part.text).field("state", state_name(part.state));
      if (!part.nearby.empty()) json.field("nearby", part.nearby);
      json.end_object();
    }
    json.end_array().end_object();
  }
  json.end_array().end_object();
  return out + "\n";
}

core::Status feed(const std::string& path, engine::Worker& worker) {
  GH_TRY(const std::unique_ptr<Source> source, open_pcap_file(path));
  for (;;) {
    const Result<SourceState> state = source->dispatch(worker, 1024);
    if (!state) return tl::make_unexpected(state.error());
    if (*state == SourceState::end) break;
  }
  worker.finish();
  return {};
}

}  // namespace

Result<int> verb_explain(const core::Args& args) {
  GH_TRY(const Loaded loaded, load_settings(args));
  GH_TRY(const std::uint64_t sid, args.uint("--sid", 0, 1, 0xffffffffU));
  if (sid == 0) return fail(Errc::invalid_input, "say which rule: --sid N");
  if (!args.has("--pcap")) return fail(Errc::invalid_input, "say which capture: --pcap FILE");
  GH_TRY(const std::uint64_t most, args.uint("--most", 3, 1, 100));
  GH_TRY(const std::vector<std::string> paths, rule_paths(args, loaded));
  GH_TRY(const std::vector<std::string> files, engine::rule_files(paths));
  GH_TRY(const std::vector<core::SourceText> sources, engine::read_rule_files(files));
  core::Diagnostics diagnostics;
  GH_CHECK(engine::load_lists(loaded.settings, diagnostics));
  const RuleList all = check_rules(sources, loaded.settings.environment, diagnostics);
  auto closure = explain::closure_of(all, static_cast<std::uint32_t>(sid));
  if (!closure) {
    for (const core::SourceText& source : sources) diagnostics.attach(source);
    core::print_diagnostics(diagnostics);
    return tl::make_unexpected(closure.error());
  }
  const core::SourceText text("rule " + std::to_string(sid), closure->text);
  core::Diagnostics again;
  RuleList list = check_rules(std::span(&text, 1), loaded.settings.environment, again);
  const auto at = std::find_if(list.rules.begin(), list.rules.end(),
                               [&](const auto& rule) { return rule->meta.sid == sid; });
  if (at == list.rules.end())
    return fail(Errc::invalid_input, "the rule alone is not what it was in its file");
  const Rule& rule = **at;
  explain::PartNames names = explain::names_of(rule, loaded.settings.environment);
  GH_TRY(std::shared_ptr<const Engine> compiled, Engine::build(std::move(list), loaded.settings.engine));
  explain::Explainer explainer(rule, std::move(names), compiled->rules().flowbit_names, most);
  // No sink: the events of this run are nobody's.
  engine::Output output(1, engine::WhenFull::wait);
  output.start();
  core::Status status;
  {
    engine::Worker worker(loaded.settings, compiled, output.port(0), {});
    worker.watch(explainer);
    status = feed(args.value("--pcap"), worker);
  }
  output.stop();
  GH_CHECK(status);
  const Explanation explanation = explainer.take();
  GH_CHECK(core::print_result(args.json() ? json_of(explanation, *closure, sid)
                                          : text_of(explanation, *closure, sid)));
  return explanation.matches != 0 ? core::kExitDone : core::kExitNo;
}

}  // namespace gatehouse::ids::cli
