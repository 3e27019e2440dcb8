#include "ids/lint/sarif.h"

#include <algorithm>
#include <vector>

#include "core/json.h"

namespace gatehouse::ids::lint {
namespace {

std::string_view level_of(core::Severity severity) {
  switch (severity) {
    case core::Severity::error:
      return "error";
    case core::Severity::warning:
      return "warning";
    case core::Severity::note:
      return "note";
  }
  return "none";
}

// A path as a URI reference (RFC 3986): what has no meaning in a path is percent-encoded.
std::string uri_of(std::string_view path) {
  static constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-._~/").find(c) != std::string_view::npos;
    if (plain) {
      out += c;
    } else {
      out += '%';
      out += kHex[byte >> 4U];
      out += kHex[byte & 15U];
    }
  }
  return out;
}

std::vector<std::string> codes_of(const core::Diagnostics& diagnostics) {
  std::vector<std::string> codes;
  for (const core::Diagnostic& d : diagnostics.all()) codes.push_back(d.code);
  std::sort(codes.begin(), codes.end());
  codes.erase(std::unique(codes.begin(), codes.end()), codes.end());
  return codes;
}

void append_result(core::JsonWriter& json, const core::Diagnostic& d) {
  json.begin_object().field("ruleId", d.code).field("level", level_of(d.severity));
  std::string text = d.message;
  if (!d.hint.empty()) text += ". Hint: " + d.hint;
  json.key("message").begin_object().field("text", text).end_object();
  if (!d.where.file.empty()) {
    json.key("locations").begin_array().begin_object().key("physicalLocation").begin_object();
    json.key("artifactLocation").begin_object().field("uri", uri_of(d.where.file)).end_object();
    if (d.where.line != 0) {
      const std::uint32_t column = std::max<std::uint32_t>(d.where.column, 1);
      json.key("region").begin_object();
      json.field("startLine", d.where.line).field("startColumn", column);
      json.field("endColumn", column + std::max<std::uint32_t>(d.length, 1)).end_object();
    }
    json.end_object().end_object().end_array();
  }
  json.end_object();
}

}  // namespace

std::string to_sarif(const core::Diagnostics& diagnostics, std::string_view tool_version) {
  std::string out;
  core::JsonWriter json(out);
  json.begin_object();
  json.field("$schema", "https://json.schemastore.org/sarif-2.1.0.json").field("version", "2.1.0");
  json.key("runs").begin_array().begin_object();
  json.key("tool").begin_object().key("driver").begin_object();
  json.field("name", "gatehouse-ids").field("version", tool_version);
  json.key("rules").begin_array();
  for (const std::string& code : codes_of(diagnostics)) json.begin_object().field("id", code).end_object();
  json.end_array().end_object().end_object();
  json.key("results").begin_array();
  for (const core::Diagnostic& d : diagnostics.all()) append_result(json, d);
  json.end_array().end_object().end_array().end_object();
  out += '\n';
  return out;
}

}  // namespace gatehouse::ids::lint
