// The vocabulary of settings. A row: pattern, what a value may be, what it does.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ids/engine/settings.h"

namespace gatehouse::ids::engine {

// One value on its way into the settings.
struct SettingValue {
  Settings& settings;
  const core::YamlNode& node;
  std::string_view key;
  std::vector<std::string_view> stars;  // what each `*` of the pattern stands for
  core::Diagnostics& diagnostics;

  // Conversions: a diagnostic and nothing when the text does not fit.
  std::optional<bool> flag() const { return core::yaml_bool(node, diagnostics); }
  std::optional<std::uint64_t> uint(std::uint64_t least, std::uint64_t most) const {
    return core::yaml_uint(node, least, most, diagnostics);
  }
  std::optional<std::uint64_t> size() const { return core::yaml_size(node, diagnostics); }
  std::optional<std::string> text() const;
  std::vector<std::string> words() const;  // a list, or one scalar; commas split a scalar
  // A port or address expression: a scalar, or a list that becomes "[a,b]".
  std::optional<std::string> group() const;
  // Refuses: well formed, but this build cannot do it.
  void unsupported(std::string_view what) const;
  void wrong(std::string_view expected) const;
};

struct KeyRow {
  std::string_view pattern;  // dotted; `*` stands for one part
  void (*apply)(const SettingValue& value) = nullptr;
  // Not empty: the key is known and checked, and changes nothing here, because ...
  std::string_view no_effect = {};
};

std::span<const KeyRow> rule_keys();      // variables, classification, limits of rules
std::span<const KeyRow> list_keys();      // datasets, reputation, countries, tables of hosts
std::span<const KeyRow> file_keys();      // file-store.*, eve.types.files.*
std::span<const KeyRow> protocol_keys();  // app-layer.*
std::span<const KeyRow> traffic_keys();   // capture, decoder, defrag, flow, stream, anomaly
std::span<const KeyRow> triage_keys();    // anomaly.zones, .exceptions, .response
std::span<const KeyRow> eve_keys();       // eve.*

// The built-in defaults, as a configuration file.
extern const std::string_view kDefaultSettings;

// Puts a sentence into Settings::notes once.
void add_note(Settings& settings, const std::string& sentence);

}  // namespace gatehouse::ids::engine
