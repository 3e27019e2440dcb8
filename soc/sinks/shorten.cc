// The slow path for the one line in thousands that is longer than a frame.
#include <array>
#include <nlohmann/json.hpp>

#include "soc/sinks/eve_line.h"

namespace gatehouse::soc {

namespace {

using Json = nlohmann::ordered_json;

// Deeper lines are not built as a tree: writing one out recurses.
constexpr std::size_t kMostDepth = 64;

std::string text_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void mark(Json& json, const std::vector<std::string>& removed) {
  if (const auto alert = json.find("alert"); alert != json.end() && alert->is_object()) {
    Json& metadata = (*alert)["metadata"];
    if (!metadata.is_object()) metadata = Json::object();
    metadata["gatehouse_truncated"] = removed;
  } else {
    json["gatehouse_truncated"] = removed;
  }
}

// What is large and can be fetched from the sensor: whole-packet and body fields.
bool is_body(std::string_view key) {
  static constexpr std::array<std::string_view, 6> kBodies = {"packet",      "payload", "payload_printable",
                                                              "certificate", "chain",   "files"};
  return std::find(kBodies.begin(), kBodies.end(), key) != kBodies.end() ||
         key.find("_body") != std::string_view::npos;
}

void drop_bodies(Json& object, const std::string& prefix, std::vector<std::string>& removed) {
  for (auto member = object.begin(); member != object.end();) {
    const std::string name = prefix + member.key();
    if (is_body(member.key())) {
      removed.push_back(name);
      member = object.erase(member);
      continue;
    }
    if (member->is_object()) drop_bodies(*member, name + ".", removed);
    ++member;
  }
}

// Cuts at a character's beginning.
void cut_text(std::string& text, std::size_t most) {
  if (text.size() <= most) return;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0U) == 0x80) --most;
  text.resize(most);
}

void cut_strings(Json& value, std::size_t most_text, std::size_t most_elements) {
  if (value.is_string()) {
    cut_text(value.get_ref<std::string&>(), most_text);
  } else if (value.is_structured()) {
    if (value.is_array() && value.size() > most_elements) {
      value.erase(value.begin() + static_cast<std::ptrdiff_t>(most_elements), value.end());
    }
    for (Json& element : value) cut_strings(element, most_text, most_elements);
  }
}

// Only what says which event this was.
Json identity_of(const Json& json) {
  Json out = Json::object();
  const auto keep = [](const Json& from, Json& to, std::string_view key, std::size_t most) {
    const auto at = from.find(key);
    if (at == from.end() || at->is_structured()) return;
    to[std::string(key)] = *at;
    if (at->is_string()) cut_text(to[std::string(key)].get_ref<std::string&>(), most);
  };
  for (const char* key :
       {"timestamp", "event_type", "src_ip", "src_port", "dest_ip", "dest_port", "proto", "flow_id"}) {
    keep(json, out, key, 40);
  }
  if (const auto alert = json.find("alert"); alert != json.end() && alert->is_object()) {
    out["alert"] = Json::object();
    for (const char* key : {"action", "gid", "signature_id", "rev", "signature", "category", "severity"}) {
      keep(*alert, out["alert"], key, 24);
    }
  }
  return out;
}

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ",") + name;
  cut_text(out, 200);
  return out;
}

}  // namespace

std::string shorten_line(std::string_view line, const std::optional<EveFields>& fields,
                         std::size_t most_bytes, std::string& removed) {
  Json json;
  if (fields && fields->depth <= kMostDepth) json = Json::parse(line, nullptr, false);
  if (!json.is_object()) {
    removed = "line";
    return R"({"event_type":"anomaly","gatehouse_truncated":["line"]})";
  }
  std::vector<std::string> names;
  drop_bodies(json, "", names);
  const auto fits = [&](Json& candidate) {
    mark(candidate, names);
    removed = joined(names);
    std::string text = text_of(candidate);
    return text.size() <= most_bytes ? text : std::string();
  };
  if (std::string text = fits(json); !text.empty()) return text;
  names.emplace_back("strings");
  for (const std::size_t most : {std::size_t{256}, std::size_t{64}}) {
    cut_strings(json, most, 16);
    if (std::string text = fits(json); !text.empty()) return text;
  }
  names = {"all-but-identity"};
  Json identity = identity_of(json);
  if (std::string text = fits(identity); !text.empty()) return text;
  removed = "line";
  return R"({"event_type":"anomaly","gatehouse_truncated":["line"]})";
}

}  // namespace gatehouse::soc
