// A checked rule: everything resolved, ready to be compiled into the detection engine.
// Immutable after checking; shared between workers.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/diag.h"
#include "ids/keywords/captures.h"
#include "ids/keywords/rare_vector.h"
#include "ids/parsers/app_flow.h"

namespace gatehouse::ids {

enum class RuleAction : std::uint8_t { alert, pass, drop, reject, config };

// A sorted list of disjoint, inclusive address ranges per IP version; negation is already applied. Copies
// share the ranges: most rules of a set name the same networks.
class AddressSet {
 public:
  struct Range {
    IpAddress first, last;
  };
  bool any = true;
  void assign(std::vector<Range> v4, std::vector<Range> v6);
  const std::vector<Range>& v4() const { return ranges_->v4; }
  const std::vector<Range>& v6() const { return ranges_->v6; }
  bool contains(const IpAddress& a) const;

 private:
  struct Ranges {
    std::vector<Range> v4, v6;
  };
  static const std::shared_ptr<const Ranges>& no_ranges();
  std::shared_ptr<const Ranges> ranges_ = no_ranges();
};

class PortSet {
 public:
  struct Range {
    std::uint16_t first = 0, last = 65535;
  };
  bool any = true;
  std::vector<Range> ranges;
  bool contains(std::uint16_t port) const;
};

// A buffer a rule can look into; rows of keywords/buffers. Index into buffer_table().
using BufferId = std::uint16_t;
inline constexpr BufferId kPayloadBuffer = 0;  // packet payload and stream data

// Fills `out` with the `index`-th instance; false when there is none (yet). Instances are dense.
// `direction` is the one being inspected. The transaction is of one of the buffer's protocols.
using TransactionGetter = bool (*)(const Transaction& tx, Direction direction, unsigned index,
                                   BufferView& out);
// The same for a part of the packet itself (udp.hdr).
using PacketGetter = bool (*)(const Packet& packet, BufferView& out);

struct BufferDescriptor {
  std::string_view name;                        // "http.uri": the sticky-buffer keyword
  std::string_view alias;                       // older sticky name: "file_data"; may be empty
  std::string_view modifier;                    // old content modifier: "http_uri"; may be empty
  std::span<const std::string_view> protocols;  // parsers that can fill it: {"http"}
  std::optional<Direction> direction;           // empty: both
  TransactionGetter get = nullptr;
  PacketGetter get_packet = nullptr;  // set instead of `get` for parts of the packet
  // Progress of its direction from which on the buffer can be there, and from which on it will not
  // change any more: an absent buffer is settled only then. Beyond the protocol's scale: its end.
  std::uint8_t min_progress = 0, final_progress = 0;
  bool multiple = false;         // several instances: naming it again starts a new list
  bool lower_case_only = false;  // its bytes are lower-cased (http.host): upper case never matches
  std::string_view summary;
};

std::span<const BufferDescriptor> buffer_table();

inline constexpr std::size_t kMaxByteVariables = 16;  // byte_extract names of one rule

class RuleResources;  // state/resources.h: host and pair tables, datasets, reputation, countries
class BufferTest;

// What a test of a buffer leaves behind; acted upon when its rule matches as a whole.
struct Finding {
  const BufferTest* test = nullptr;
  std::string value;
};

// The situation one rule is evaluated in.
struct InspectContext {
  const Packet& packet;
  const Flow* flow = nullptr;  // null: no flow (ICMP errors, fragments, bad packets)
  Direction direction = Direction::to_server;
  const Transaction* tx = nullptr;  // set while inspecting a transaction
  // Values extracted by byte_extract / byte_math, by slot.
  std::array<std::uint64_t, kMaxByteVariables> variables{};
  std::vector<Capture>* captures = nullptr;  // collects what regexes of this rule take; null: nobody asks
  std::span<const Capture> packet_captures = {};  // kept for this packet by the rules before
  RuleResources* resources = nullptr;             // what rules remember beyond flows
  std::vector<Finding>* findings = nullptr;       // null: nobody asks
  // Of the buffer looked into: whose (differs from `direction` in `=>` rules), and which instance.
  Direction side = Direction::to_server;
  unsigned instance = 0;
};

// A test that looks at packet or flow state, not at a buffer: dsize, flags, itype, flow, ttl ...
class Condition {
 public:
  virtual ~Condition() = default;
  virtual bool holds(const InspectContext& context) const = 0;
  // True: it speaks of one packet, so the rule is decided packet by packet, not on stream data.
  virtual bool needs_packet() const { return true; }
  // True: it reads InspectContext::tx; it may be false now and true when the transaction goes on.
  virtual bool needs_transaction() const { return false; }
};

// A number in a content modifier or byte test: a literal or a variable slot.
struct NumberArg {
  std::int64_t literal = 0;
  int slot = -1;  // >= 0: take InspectContext::variables[slot]
};

// The same in little space: rules have many, and few of them say anything.
inline constexpr std::int32_t kMostPlace = 1'048'576;
struct PlaceNumber {
  std::int32_t literal : 24 = 0;  // within +- kMostPlace
  std::int32_t slot : 8 = -1;
};
static_assert(kMostPlace < 1 << 23 && kMaxByteVariables < 1 << 7);

struct ContentOp {
  std::string pattern;  // decoded bytes
  bool nocase = false, negated = false;
  bool has_offset = false, has_depth = false, has_distance = false, has_within = false;
  bool startswith = false, endswith = false;
  PlaceNumber offset, depth, distance, within;
  bool fast_pattern = false, fast_pattern_only = false;
  std::uint16_t chop_offset = 0, chop_length = 0;  // fast_pattern:<offset>,<length>
  std::uint32_t where = 0;                         // offset into the rule text
};

class CompiledRegex;  // keywords/regex.h: PCRE2-JIT under match limits

struct PcreOp {
  std::shared_ptr<const CompiledRegex> regex;
  bool relative = false, negated = false;
  bool needs_final = false;  // more bytes could turn a match into none: $, \z, look-ahead
  std::vector<CaptureTarget> captures;
};

// Who changes what when a rule matched.
struct ActionContext {
  const Packet& packet;
  Flow* flow = nullptr;
  Direction direction = Direction::to_server;
  Transaction* tx = nullptr;
  RuleResources& resources;
  std::string& alert_context;  // members of the alert's `context` object, JSON, with commas between them
};

// Something a rule does besides alerting: set a bit, count, tag.
class MatchAction {
 public:
  virtual ~MatchAction() = default;
  virtual void apply(ActionContext& context) const = 0;
};

// Any further test on a buffer at a cursor: isdataat, byte_test, byte_jump, byte_extract, bsize ...
// `cursor` is the end of the previous match; a test may move it, never past the end of `buffer`.
class BufferTest {
 public:
  virtual ~BufferTest() = default;
  virtual bool holds(InspectContext& context, ByteView buffer, std::size_t& cursor) const = 0;
  virtual bool relative() const { return false; }     // starts at the previous match
  virtual bool needs_final() const { return false; }  // more bytes could turn true into false
  // The rule matched, and this test had left `value` as a Finding.
  virtual void commit(ActionContext&, const std::string& /*value*/) const {}
};

// Turns a part of the buffer into bytes of their own: base64_decode.
class BufferDecoder {
 public:
  virtual ~BufferDecoder() = default;
  // Fills `out`, reused scratch. False: nothing could be decoded.
  virtual bool decode(const InspectContext& context, ByteView buffer, std::size_t cursor,
                      std::vector<std::uint8_t>& out) const = 0;
  virtual bool relative() const = 0;
};

struct NestedOp;

struct BufferOp {
  enum class Kind : std::uint8_t { content, pcre, test, nested };  // as in `other`
  ContentOp content;
  // What it is if it is no content: apart, as most ops are contents.
  std::variant<std::monostate, std::shared_ptr<const PcreOp>, std::shared_ptr<const BufferTest>,
               std::shared_ptr<const NestedOp>>
      other;

  Kind kind() const { return static_cast<Kind>(other.index()); }
  // Each only if it is of that kind.
  const PcreOp& pcre() const { return **std::get_if<1>(&other); }
  const BufferTest& test() const { return **std::get_if<2>(&other); }
  const NestedOp& nested() const { return **std::get_if<3>(&other); }
};

// Ops that must hold on decoded bytes; what follows in the buffer counts from where it stood before.
struct NestedOp {
  std::shared_ptr<const BufferDecoder> decoder;
  std::vector<BufferOp> ops;
};

// Changes the bytes before matching: to_lowercase, dotprefix ...
class Transform {
 public:
  virtual ~Transform() = default;
  // Fills `out`, reused scratch. False: there is no result, the buffer counts as absent.
  virtual bool apply(ByteView in, std::vector<std::uint8_t>& out) const = 0;
  // Name and arguments: equal keys transform equally.
  virtual std::string key() const = 0;
};

// All that one rule asks of one buffer instance, in rule order. The same buffer named again after
// another one starts a new list.
struct BufferMatch {
  BufferId buffer = kPayloadBuffer;
  std::optional<Direction> direction;  // of a transaction rule (=>), for buffers of both directions
  // The buffer must be missing; with or_else the ops may hold instead.
  bool absent = false, absent_or_else = false;
  std::vector<std::shared_ptr<const Transform>> transforms;
  std::vector<BufferOp> ops;
  bool decoded = false;  // of base64_data; only while the rule is built: its ops then join a NestedOp
};

enum class BitCommand : std::uint8_t { set, unset, toggle, isset, isnotset };
struct FlowbitOp {
  BitCommand command = BitCommand::set;
  std::vector<std::uint32_t> bits;  // isset:a|b tests several
};

enum class TrackBy : std::uint8_t { by_src, by_dst, by_both, by_rule, by_flow };
struct Threshold {
  enum class Kind : std::uint8_t { limit, threshold, both, detection_filter, backoff, rate };
  Kind kind = Kind::limit;
  TrackBy track = TrackBy::by_src;
  std::uint32_t count = 1;
  std::uint32_t seconds = 60;
  std::uint32_t multiplier = 0;               // backoff
  RuleAction new_action = RuleAction::alert;  // rate
  std::uint32_t timeout_seconds = 0;          // rate: how long new_action stays
};

// Alerts of a rule that a threshold file silences: all of them, or those of some addresses.
struct Suppression {
  enum class Side : std::uint8_t { all, source, destination, either };
  Side side = Side::all;
  AddressSet addresses;
};

// A core::SourcePos of which the rules of a file share the name.
struct RulePlace {
  std::shared_ptr<const std::string> file;  // null: nowhere
  std::uint32_t line = 0, column = 0;

  core::SourcePos position() const { return {file ? *file : std::string(), line, column}; }
};

struct RuleMeta {
  std::uint32_t sid = 0, gid = 1, rev = 0;
  std::string message;
  const std::pair<std::string, std::string>* classtype = nullptr;  // name and description; of RuleResources
  std::uint8_t priority = 3;
  std::vector<const std::pair<std::string, std::string>*> metadata;  // of RuleResources; in rule order
  std::unique_ptr<const std::string> text;                           // null unless RuleEnvironment::keep_text
  RulePlace where;
};

struct FlowConditions {
  std::optional<Direction> direction;  // to_server / from_client, to_client / from_server
  bool established = false, not_established = false, stateless = false;
  bool only_stream = false, no_stream = false;
};

// A named bit, counter or set (a RuleResources name) that a rule reads or writes.
struct StateUse {
  std::uint32_t name = 0;
  bool writes = false;
};

// What part of the traffic a rule is decided on.
enum class RuleClass : std::uint8_t { packet, stream, transaction, event };

struct Rule {
  std::uint32_t order = 0;  // place in its RuleList
  RuleMeta meta;
  RuleAction action = RuleAction::alert;
  RuleClass rule_class = RuleClass::packet;

  // Header. Empty protocol sets mean "any".
  std::vector<std::uint8_t> ip_protocols;         // tcp -> {6}; http -> {6}; dns -> {6, 17}; icmp -> {1, 58}
  std::uint8_t ip_version = 0;                    // 4 or 6 when the header says so
  std::vector<AppProto> app_protocols;            // http -> {http}
  bool packet_only = false, stream_only = false;  // tcp-pkt, tcp-stream
  bool any_packet = false;                        // pkthdr: even what is not IP
  AddressSet source, destination;
  PortSet source_port, destination_port;
  bool bidirectional = false;

  FlowConditions flow;
  RareVector<std::unique_ptr<const Condition>> conditions;
  std::vector<BufferMatch> buffers;
  RareVector<FlowbitOp> flowbit_tests, flowbit_actions;
  std::optional<Threshold> detection_filter;
  RareVector<Threshold> thresholds;  // in order; each may silence the alert
  // Applied when the rule matched, before it is known whether that is told; then, when it is told.
  RareVector<std::unique_ptr<const MatchAction>> match_actions, alert_actions;
  // What it remembers or asks of the past besides flowbits: those that write come first.
  RareVector<StateUse> state_uses;
  FileNeeds file_needs;  // what must be learnt of files for it
  RareVector<Suppression> suppressions;
  // Names of decode, stream and application events; any of them makes the rule a candidate.
  RareVector<std::uint16_t> decode_events, stream_events;
  RareVector<std::pair<AppProto, AppEvent>> app_events;  // AppProto 0: a protocol detection event
  std::uint16_t most_payload = 65535;  // no packet with more of it matches (dsize), in bytes
  bool once_per_direction = false;     // header only: decided once per flow direction
  bool on_detection = false;           // decided when the application protocol becomes known
  bool also_packet = false;            // stream rule that looks into each packet, too
  bool transactional = false;          // =>: both directions of one transaction
  bool noalert = false;
  bool always_alert = false;             // `alert;`: even a pass rule reports
  std::optional<bool> target_is_source;  // target:src_ip / dest_ip
};

// Variables and classification a rule file is checked against.
struct RuleEnvironment {
  std::map<std::string, std::string, std::less<>> address_variables;  // HOME_NET -> "[10.0.0.0/8]"
  std::map<std::string, std::string, std::less<>> port_variables;
  struct Classification {
    std::string description;
    std::uint8_t priority = 3;
  };
  using Classifications = std::map<std::string, Classification, std::less<>>;  // by classtype short name
  Classifications classifications;
  std::uint32_t pcre_match_limit = 3500, pcre_recursion_limit = 1500;
  // A generator that finds by itself (scans, floods), and the sids it has; gid 0: there is none. Its rules
  // say how findings are told.
  struct Detectors {
    std::uint32_t gid = 0;
    std::vector<std::uint32_t> sids;
  };
  Detectors detectors;
  // From threshold files. sid 0: every rule of the gid; gid 0 and sid 0: every rule.
  struct Tuning {
    std::uint32_t gid = 0, sid = 0;
    std::optional<Threshold> threshold;
    std::optional<Suppression> suppression;
  };
  std::vector<Tuning> tunings;
  // Traffic is inspected without the text of the rules.
  bool keep_text = true;
  // Kept over reloads, so that bits and sets survive them; null: made anew by check_rules().
  std::shared_ptr<RuleResources> resources;
};

struct RuleList {
  std::vector<std::unique_ptr<const Rule>> rules;
  // Rules of RuleEnvironment::detectors: how a finding is told. They look at no packet. Priority 0: unsaid.
  std::vector<std::unique_ptr<const Rule>> detections;
  std::vector<std::string> flowbit_names;    // by bit id
  std::vector<std::string> flowint_names;    // by variable id
  FileNeeds file_needs;                      // of all rules
  std::shared_ptr<RuleResources> resources;  // never null after check_rules()
  std::size_t failed = 0;                    // rules refused, each with a diagnostic
  std::size_t skipped = 0;                   // rules whose `requires` is not met
  // Of the environment, for findings that no rule speaks of.
  RuleEnvironment::Classifications classifications;
  std::vector<RuleEnvironment::Tuning> detection_tunings;
};

// The classification the project ships (names as the field uses them), and a reader of
// classification.config files: `config classification: name,description,priority`.
RuleEnvironment::Classifications default_classifications();
bool parse_classifications(const core::SourceText& source, RuleEnvironment& environment,
                           core::Diagnostics& diagnostics);

// Reads a threshold file: `threshold` and `suppress` lines; call after the address variables are
// set. False, and nothing is kept, when a line is wrong or asks for what is not supported.
bool parse_threshold_file(const core::SourceText& source, RuleEnvironment& environment,
                          core::Diagnostics& diagnostics);

// Gives a rule what the tunings say of it.
void apply_tunings(Rule& rule, std::span<const RuleEnvironment::Tuning> tunings);

// Checks the rules of one or more files. Unknown keywords, bad values and contradictions refuse
// that rule alone, each with a positioned diagnostic.
RuleList check_rules(std::span<const core::SourceText> sources, const RuleEnvironment& environment,
                     core::Diagnostics& diagnostics);

}  // namespace gatehouse::ids
