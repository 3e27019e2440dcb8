// Entries as text.
#include <array>

#include "core/json.h"
#include "core/yaml.h"
#include "fwctl/journal/journal.h"

namespace gatehouse::fwctl {
namespace {

struct Name {
  EntryState state;
  std::string_view text;
};
constexpr std::array<Name, 5> kNames = {{{EntryState::applying, "applying"},
                                         {EntryState::pending, "pending"},
                                         {EntryState::confirmed, "confirmed"},
                                         {EntryState::rolled_back, "rolled back"},
                                         {EntryState::failed, "failed"}}};
constexpr std::uint64_t kMostId = 99'999'999'999;
constexpr std::uint64_t kMostTime = std::uint64_t{1} << 62U;

}  // namespace

std::string_view to_string(EntryState state) {
  for (const Name& n : kNames) {
    if (n.state == state) return n.text;
  }
  return "failed";
}

std::string to_json(const Entry& e) {
  std::string out;
  core::JsonWriter json(out);
  json.begin_object()
      .field("id", e.id)
      .field("step", e.step)
      .field("state", to_string(e.state))
      .field("made", e.made);
  json.field("site", e.site).field("site-file", e.site_file).field("digest", e.digest);
  json.field("changes", e.changes).field("generation", e.generation).field("by", e.by);
  json.field("session", e.session).field("network", e.network).field("boot", e.boot);
  json.field("deadline-us", e.deadline_us).field("keeper", e.keeper).field("ended", e.ended);
  json.field("why", e.why).end_object();
  return out + '\n';
}

core::Result<Entry> parse_entry(const core::SourceText& source) {
  core::Diagnostics diagnostics;
  const auto root = core::parse_yaml(source, diagnostics);
  Entry out;
  if (root) {
    core::MapReader map(*root, "the entry", diagnostics);
    const auto number = [&](std::string_view key, std::uint64_t most) {
      map.required(key);
      return map.uint(key, 0, 0, most);
    };
    const auto text = [&](std::string_view key) {
      map.required(key);
      return map.string(key);
    };
    out.id = number("id", kMostId);
    out.step = number("step", kMostTime);
    const std::string state = text("state");
    bool known = false;
    for (const Name& n : kNames) {
      if (n.text != state) continue;
      out.state = n.state;
      known = true;
    }
    if (!known && root->find("state") != nullptr)
      diagnostics.error("bad-value", root->find("state")->where, "`" + state + "` is no state");
    out.made = text("made");
    out.site = text("site");
    out.site_file = text("site-file");
    out.digest = text("digest");
    out.changes = number("changes", kMostTime);
    out.generation = static_cast<std::uint32_t>(number("generation", 0xffff'ffff));
    out.by = text("by");
    out.session = text("session");
    out.network = number("network", kMostTime);
    out.boot = text("boot");
    out.deadline_us = static_cast<std::int64_t>(number("deadline-us", kMostTime));
    out.keeper = number("keeper", kMostTime);
    out.ended = text("ended");
    out.why = text("why");
    map.finish();
  }
  if (diagnostics.has_errors()) return tl::make_unexpected(diagnostics.first_error());
  return out;
}

}  // namespace gatehouse::fwctl
