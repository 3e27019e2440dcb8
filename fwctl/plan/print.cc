#include <fmt/format.h>

#include "core/json.h"
#include "fwctl/plan/diff.h"

namespace gatehouse::fwctl {

std::string_view to_string(ChangeKind kind) {
  switch (kind) {
    case ChangeKind::add:
      return "add";
    case ChangeKind::remove:
      return "remove";
    case ChangeKind::alter:
      return "alter";
    case ChangeKind::annotate:
      break;
  }
  return "annotate";
}

std::string print_plan(const Plan& plan) {
  std::string out;
  std::string place;
  for (const Change& c : plan.changes) {
    if (c.where != place) out += c.where + '\n';
    place = c.where;
    const auto line = [&](char sign, const std::string& text, const std::string& comment) {
      out += comment.empty() ? fmt::format("  {} {}\n", sign, text)
                             : fmt::format("  {} {}  # {}\n", sign, text, comment);
    };
    const bool annotate = c.kind == ChangeKind::annotate;
    if (!c.live.empty()) line(annotate ? '~' : '-', c.live, c.kind == ChangeKind::remove ? c.comment : "");
    if (!c.wanted.empty()) line(annotate ? '~' : '+', c.wanted, annotate ? "" : c.comment);
  }
  return out;
}

void append_plan_json(std::string& out, const Plan& plan) {
  core::JsonWriter json(out);
  json.begin_array();
  for (const Change& c : plan.changes) {
    json.begin_object().field("change", to_string(c.kind)).field("where", c.where);
    if (!c.live.empty()) json.field("live", c.live);
    if (!c.wanted.empty()) json.field("wanted", c.wanted);
    json.field("comment", c.comment);
    if (c.policy.line != 0) json.field("file", c.policy.file).field("line", c.policy.line);
    json.end_object();
  }
  json.end_array();
}

}  // namespace gatehouse::fwctl
