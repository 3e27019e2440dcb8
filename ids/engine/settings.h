// The configuration of the engine: built-in defaults, then the site file, then --config, each
// overriding what stands before it, all through one table of known keys.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/diag.h"
#include "core/yaml.h"
#include "ids/alert/eve.h"
#include "ids/anomaly/config.h"
#include "ids/decode/decoder.h"
#include "ids/engine/file_store.h"
#include "ids/flow/defrag.h"
#include "ids/flow/flow_table.h"
#include "ids/flow/tcp_options.h"
#include "ids/keywords/rule.h"
#include "ids/match/detector.h"
#include "ids/state/resources.h"
#include "ids/triage/policy.h"
#include "site/model/site.h"

namespace gatehouse::ids::engine {

// Ports of the tunnel decoders as written; resolved when all settings are read, because a
// variable may change until then.
struct TunnelPorts {
  std::string teredo = "3544", vxlan = "4789", geneve = "6081";
};

// Which TCP packets become stream_tcp events.
struct StreamEventSettings {
  bool all = false, event_set = false, state_update = false, spurious_retransmission = false;
};

// The address of the client behind a proxy, as a header field of the request tells it.
struct ForwardedSettings {
  bool enabled = false;
  bool overwrite = false;  // it takes the place of the address in the packet
  bool forward = false;    // a forward proxy names the client first, a reverse one last
  std::string header = "X-Forwarded-For";
};

struct EveSettings {
  alert::EveOptions options;
  LogOptions log;
  // By EVE event type, as written below `eve.types`: "alert", "http", "files" ...
  std::map<std::string, bool, std::less<>> types;
  bool anomaly_decode = false, anomaly_stream = false, anomaly_applayer = true, anomaly_packet = false;
  bool alert_metadata = true;  // metadata of the rule in the alert object
  bool alert_flow_metadata = true;
  bool alert_verdict = false;
  ForwardedSettings forwarded;
  std::optional<ForwardedSettings> alert_forwarded;  // of alerts, where it differs
  bool guess_transaction = false;  // alerts on stream data name the transaction being inspected
  StreamEventSettings stream;
  bool dns_requests = true, dns_responses = true;
  std::vector<std::string> dns_types;  // in capitals; empty: all
  std::uint32_t stats_interval_s = 8;
  bool stats_null_values = true;
  std::uint64_t payload_buffer_bytes = 4096;
  bool tagged_packets = true;

  bool enabled(std::string_view type) const {
    const auto found = types.find(type);
    return found != types.end() && found->second;
  }
};

// Lists and tables rules look into.
struct ListSettings {
  ResourceLimits limits;
  std::vector<DatasetSpec> datasets;  // those the configuration defines
  std::string reputation_directory;   // where relative names of `reputation_files` start
  std::string reputation_categories;  // file name; empty: no reputation
  std::vector<std::string> reputation_files;
  std::string geoip_database;  // file name; empty: none
};

// What is learnt of files in transit, and which are kept.
struct FileSettings {
  FileNeeds needs;  // of every file, whatever rules ask
  FileStoreSettings store;
};

enum class Origin : std::uint8_t { built_in, site, config };

// One key as it stands in force.
struct EffectiveSetting {
  std::string value;  // as JSON
  Origin origin = Origin::built_in;
  core::SourcePos where;  // of the value; empty for built-in ones
  std::string no_effect;  // why the key changes nothing here; empty: it is in force
};

struct Settings {
  RuleEnvironment environment;
  ParserConfig parsers;
  EngineOptions engine;
  DecoderOptions decoder;
  DefragOptions defrag;  // its policies and those of tcp are the same map
  FlowTableOptions flow;
  TcpOptions tcp;
  // stream.bypass: what is over the depth in both directions, or encrypted and to be bypassed, is only counted
  bool stream_bypass = false;
  bool tcp_checksums = true;  // stream.checksum-validation: TCP with a bad sum is no part of a stream
  TunnelPorts tunnel_ports;
  EveSettings eve;
  ListSettings lists;
  FileSettings files;
  anomaly::AnomalyConfig anomaly;
  triage::Policy triage;
  std::string classification_file;
  std::string threshold_file;

  std::map<std::string, EffectiveSetting, std::less<>> effective;
  // What was asked for and this build does not have; one sentence each, for standard error.
  std::vector<std::string> notes;
};

// `config`: an object with `settings` and `eve`, or the keys themselves, nested or dotted.
// Nothing is returned when there is an error; every mistake has a diagnostic. Files named in the
// result are not read here.
struct SettingsInput {
  const site::Site* site = nullptr;
  const core::SourceText* config = nullptr;
  std::string anomaly_state;  // instead of what is configured; empty: that
};
std::optional<Settings> load_settings(const SettingsInput& input, core::Diagnostics& diagnostics);

// "key: value  # where", sorted by key: reads back as a configuration file.
std::string print_settings(const Settings& settings);
std::string_view to_string(Origin origin);
void append_settings_json(core::JsonWriter& json, const Settings& settings);

}  // namespace gatehouse::ids::engine
