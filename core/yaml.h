// YAML (and so JSON) with positions: configuration and policy texts become a tree whose every
// node knows its file:line:col, and are read through a MapReader that refuses unknown keys.
//
// A strict subset of YAML 1.2: one document, in UTF-8 and without control characters; no aliases, anchors or
// tags; string keys; no duplicate keys; nesting up to 64. Plain scalars stay text: the reader that asks
// decides the type, so `no` is never silently false nor `22:22` a number.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/diag.h"
#include "core/ip.h"

namespace gatehouse::core {

struct YamlNode {
  enum class Kind : std::uint8_t { null, scalar, sequence, mapping };

  Kind kind = Kind::null;
  SourcePos where;
  std::string text;             // scalar
  bool quoted = false;          // scalar: written in quotes or as a block, so never a number or bool
  std::vector<YamlNode> items;  // sequence; for a mapping: the values
  std::vector<YamlNode> keys;   // mapping: scalar nodes, parallel to items

  bool is_scalar() const { return kind == Kind::scalar; }
  bool is_map() const { return kind == Kind::mapping; }
  bool is_sequence() const { return kind == Kind::sequence; }
  bool is_null() const { return kind == Kind::null; }
  // The value under `key`, null when there is none.
  const YamlNode* find(std::string_view key) const;
};

// Parses one document. On a syntax error adds a diagnostic and returns nothing.
std::optional<YamlNode> parse_yaml(const SourceText& source, Diagnostics& diagnostics);

// Scalar conversions; each adds a diagnostic and returns nothing when the text does not fit.
std::optional<bool> yaml_bool(const YamlNode& node, Diagnostics& diagnostics);  // true false yes no on off
std::optional<std::uint64_t> yaml_uint(const YamlNode& node, std::uint64_t least, std::uint64_t most,
                                       Diagnostics& diagnostics);
std::optional<double> yaml_double(const YamlNode& node, double least, double most, Diagnostics& diagnostics);
// "90s", "5m", "2h", "250ms", or a plain number of seconds; in microseconds.
std::optional<std::uint64_t> yaml_duration_us(const YamlNode& node, Diagnostics& diagnostics);
// A moment in UTC: "2027-01-31", which is the end of that day, or "2027-01-31T12:00Z" with or without
// seconds; in microseconds since the epoch.
std::optional<std::int64_t> yaml_time_us(const YamlNode& node, Diagnostics& diagnostics);
// "64 KiB", "1 MiB", "2gb" (binary multiples as the field uses them), or plain bytes.
std::optional<std::uint64_t> yaml_size(const YamlNode& node, Diagnostics& diagnostics);
std::optional<IpPrefix> yaml_prefix(const YamlNode& node, Diagnostics& diagnostics);
std::optional<IpAddress> yaml_address(const YamlNode& node, Diagnostics& diagnostics);

// Reads the keys of one mapping. Every key must be asked for; finish() reports the others, with
// the nearest known key. All problems become diagnostics; the getters then return the default.
class MapReader {
 public:
  // `what` names the mapping in messages: "zone `outside`".
  MapReader(const YamlNode& node, std::string what, Diagnostics& diagnostics);

  // The value under `key`; null when absent.
  const YamlNode* optional(std::string_view key);
  // The same, and a diagnostic when absent.
  const YamlNode* required(std::string_view key);

  std::string string(std::string_view key, std::string fallback = {});
  std::string required_string(std::string_view key);
  bool boolean(std::string_view key, bool fallback);
  std::uint64_t uint(std::string_view key, std::uint64_t fallback, std::uint64_t least, std::uint64_t most);
  double number(std::string_view key, double fallback, double least, double most);
  std::uint64_t duration_us(std::string_view key, std::uint64_t fallback_us);
  std::uint64_t size(std::string_view key, std::uint64_t fallback_bytes);
  // A sequence, or one scalar standing for a sequence of one; empty when absent.
  std::vector<const YamlNode*> list(std::string_view key);
  std::vector<std::string> strings(std::string_view key);
  // Reports every key nobody asked for.
  void finish();

  const YamlNode& node() const { return *node_; }
  Diagnostics& diagnostics() { return *diagnostics_; }

 private:
  const YamlNode* node_;
  std::string what_;
  Diagnostics* diagnostics_;
  std::vector<std::string> known_;
};

}  // namespace gatehouse::core
