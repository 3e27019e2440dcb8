#include "fwctl/control/plan_file.h"

#include "core/json.h"
#include "core/yaml.h"
#include "fwctl/compile/digest.h"

namespace gatehouse::fwctl {
namespace {

constexpr std::string_view kFirst = "{\"gatehouse-plan\":1,";

bool is_digest(const std::string& text) {
  return text.size() == 16 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

}  // namespace

std::string PlanFile::to_text() const {
  std::string out;
  core::JsonWriter json(out);
  json.begin_object().field("gatehouse-plan", 1).field("made", made).field("generation", generation);
  json.field("digest", digest).key("tables").begin_object();
  for (const auto& [name, value] : tables) json.field(name, value);
  json.end_object().field("site-file", site_file).field("site", site_text).end_object();
  return out + '\n';
}

bool is_plan_file(std::string_view text) {
  return text.starts_with(kFirst);
}

core::Result<PlanFile> parse_plan_file(const core::SourceText& source) {
  core::Diagnostics diagnostics;
  const auto root = core::parse_yaml(source, diagnostics);
  PlanFile out;
  if (root) {
    core::MapReader map(*root, "the plan", diagnostics);
    map.uint("gatehouse-plan", 0, 1, 1);
    if (root->find("gatehouse-plan") == nullptr) map.required("gatehouse-plan");
    out.made = map.required_string("made");
    map.required("generation");
    out.generation = static_cast<std::uint32_t>(map.uint("generation", 0, 0, 0xffff'ffff));
    out.digest = map.required_string("digest");
    if (!diagnostics.has_errors() && !is_digest(out.digest))
      diagnostics.error("bad-value", root->find("digest")->where, "a digest has 16 hexadecimal digits");
    if (const core::YamlNode* tables = map.required("tables"); tables != nullptr && tables->is_map()) {
      for (std::size_t i = 0; i < tables->keys.size(); ++i) {
        const core::YamlNode& value = tables->items[i];
        if (!value.is_scalar() || !is_digest(value.text))
          diagnostics.error("bad-value", value.where, "a digest has 16 hexadecimal digits");
        out.tables[tables->keys[i].text] = value.text;
      }
    } else if (tables != nullptr) {
      diagnostics.error("bad-value", tables->where, "`tables` maps names to digests");
    }
    out.site_file = map.required_string("site-file");
    out.site_text = map.required_string("site");
    map.finish();
  }
  if (diagnostics.has_errors()) return tl::make_unexpected(diagnostics.first_error());
  return out;
}

std::map<std::string, std::string> digests_of(const LiveRuleset& ruleset) {
  std::map<std::string, std::string> out;
  for (const LiveTable& t : ruleset.tables) out[t.name()] = digest(t.table);
  return out;
}

std::vector<std::string> differences(const std::map<std::string, std::string>& planned,
                                     const std::map<std::string, std::string>& live) {
  std::vector<std::string> out;
  for (const auto& [name, value] : planned) {
    const auto at = live.find(name);
    if (at == live.end()) {
      out.push_back("the table " + name + " is gone");
    } else if (at->second != value) {
      out.push_back("the table " + name + " is not what it was");
    }
  }
  for (const auto& [name, value] : live) {
    if (planned.count(name) == 0) out.push_back("the table " + name + " is new");
  }
  return out;
}

}  // namespace gatehouse::fwctl
