#include <fmt/format.h>

#include "core/json.h"
#include "fwctl/prove/decide.h"

namespace gatehouse::fwctl::prove {
namespace {

std::string verdict_word(const Trace& trace) {
  return trace.verdict == kAccept ? "accept" : trace.verdict == kDrop ? "drop" : "reject";
}
std::string opinion_text(const Opinion& o) {
  return fmt::format("{}{}: {}", o.accept ? "accept" : "drop", o.limited ? " within its limits" : "", o.why);
}

std::string example_text(const Example& e, std::string_view indent) {
  std::string out = fmt::format("{0}packet   {1}\n{0}policy   {2}\n{0}ruleset  {3}\n", indent,
                                e.packet.to_string(), opinion_text(e.policy), verdict_word(e.live));
  for (const TraceStep& s : e.live.steps) out += fmt::format("{}  {}\n", indent, s.to_string());
  for (const std::string& doubt : e.live.doubts) out += fmt::format("{}  depends on: {}\n", indent, doubt);
  return out;
}

void example_json(core::JsonWriter& json, const Example& e) {
  json.begin_object().field("what", e.what).field("packet", e.packet.to_string());
  json.field("policy", e.policy.accept ? "accept" : "drop").field("policy_because", e.policy.why);
  json.field("ruleset", verdict_word(e.live)).key("rules").begin_array();
  for (const TraceStep& s : e.live.steps) json.string(s.to_string());
  json.end_array().key("depends_on").begin_array();
  for (const std::string& doubt : e.live.doubts) json.string(doubt);
  json.end_array().end_object();
}

}  // namespace

Example explain(const site::Site& site, const LiveRuleset& ruleset, const Packet& packet) {
  return {"", packet, opinion_on(site, packet), interpret(ruleset, packet)};
}
std::string print_example(const Example& example) {
  return example_text(example, "");
}
void append_example_json(std::string& out, const Example& example) {
  core::JsonWriter json(out);
  example_json(json, example);
}

std::string print_proof(const Proof& proof) {
  std::string out;
  switch (proof.answer) {
    case Answer::holds:
      out = "holds: the ruleset does with every packet what the policy says";
      break;
    case Answer::differs:
      out = "differs: the ruleset does not do what the policy says";
      break;
    case Answer::cannot_decide:
      out = "cannot decide whether the ruleset does what the policy says";
      break;
  }
  out += fmt::format(" ({} rules, {} elements, {:.3f} s)\n", proof.rules, proof.elements, proof.seconds);
  for (const Example& e : proof.differences) out += "differs: " + e.what + '\n' + example_text(e, "  ");
  for (const std::string& r : proof.reasons) out += "cannot decide because of: " + r + '\n';
  for (const Example& e : proof.undecided) out += "undecided: " + e.what + '\n' + example_text(e, "  ");
  for (const AssertionResult& a : proof.assertions) {
    out += fmt::format("{}: {}: assert {}\n", a.assertion->where.to_string(), to_string(a.answer),
                       a.assertion->text);
    if (!a.why.empty()) out += "  because of: " + a.why + '\n';
    if (a.example) out += "  " + a.example->what + '\n' + example_text(*a.example, "  ");
  }
  for (const std::string& t : proof.not_judged) out += "not judged: table " + t + '\n';
  return out;
}

void append_proof_json(std::string& out, const Proof& proof) {
  core::JsonWriter json(out);
  json.begin_object().field("answer", to_string(proof.overall())).field("ruleset", to_string(proof.answer));
  json.field("rules", proof.rules).field("elements", proof.elements).field("seconds", proof.seconds);
  json.field("nodes", proof.nodes);
  json.key("differences").begin_array();
  for (const Example& e : proof.differences) example_json(json, e);
  json.end_array().key("cannot_decide_because").begin_array();
  for (const std::string& r : proof.reasons) json.string(r);
  json.end_array().key("undecided").begin_array();
  for (const Example& e : proof.undecided) example_json(json, e);
  json.end_array().key("assertions").begin_array();
  for (const AssertionResult& a : proof.assertions) {
    json.begin_object().field("assert", a.assertion->text).field("answer", to_string(a.answer));
    json.field("file", a.assertion->where.file).field("line", a.assertion->where.line);
    if (!a.why.empty()) json.field("because", a.why);
    if (a.example) {
      json.key("example");
      example_json(json, *a.example);
    }
    json.end_object();
  }
  json.end_array().key("not_judged").begin_array();
  for (const std::string& t : proof.not_judged) json.string(t);
  json.end_array().end_object();
}

}  // namespace gatehouse::fwctl::prove
