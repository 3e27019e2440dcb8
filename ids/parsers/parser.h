// The contract between a protocol parser and everything above it: transactions, the byte buffers
// rules look into, files, events, and one log object per transaction.
//
// A parser is one .cc file that exports one ParserDescriptor, registered by
// gatehouse_add_parser(NAME): row NAME means `extern const ParserDescriptor parser_NAME`.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "ids/flow/flow.h"
#include "ids/parsers/config.h"
#include "ids/parsers/expected.h"
#include "ids/parsers/file.h"

namespace gatehouse::ids {

// Index into the parser table; stable within one build only. 0: not known yet.
using AppProto = std::uint8_t;
inline constexpr AppProto kAppUnknown = 0;
inline constexpr AppProto kAppFailed = 255;  // detection gave up: EVE app_proto "failed"

// What a parser found odd: index into its descriptor's event_names.
using AppEvent = std::uint8_t;

// State the detection engine keeps per transaction. Opaque to parsers; destroyed with it.
class TransactionAttachment {
 public:
  virtual ~TransactionAttachment() = default;
};

// One request/response pair or one message, whatever the protocol calls a unit of work.
class Transaction {
 public:
  virtual ~Transaction() = default;

  std::uint64_t id = 0;  // 0-based in the flow: EVE tx_id
  // Per direction, on the protocol's own scale; never decreases. A buffer is final when the
  // progress has passed the stage it belongs to. `complete` of the descriptor ends the scale.
  std::array<std::uint8_t, 2> progress{};
  // As far as the anomaly detectors were told; kept by the engine.
  std::array<std::uint8_t, 2> told{};
  // A direction this transaction has no part in (a DNS message on its own): nothing to inspect there.
  std::array<bool, 2> skip_inspect{};
  // Rules have seen all of this direction; kept by the engine. Until then the transaction stays.
  std::array<bool, 2> inspected{};
  std::vector<AppEvent> events;
  std::size_t events_logged = 0;      // of `events`: kept by the engine
  std::deque<TransferredFile> files;  // in the order they began; open_file() adds
  // Begins a file that keeps at most `keep_limit` bytes (0: unlimited) for inspection. Null: the
  // transaction has too many already. `policy` is Session::file_policy; it may be null.
  static constexpr std::size_t kMaxFiles = 64;
  // By direction: the rule that wants every file of the transaction stored; 0: none.
  std::array<std::uint32_t, 2> store_sids{};
  TransferredFile* open_file(std::string name, Direction direction, std::uint64_t keep_limit,
                             const FilePolicy* policy);
  bool logged = false;
  std::vector<std::uint32_t> bits;  // xbits with `track tx`: ids of the set ones; empty costs nothing
  std::unique_ptr<TransactionAttachment> detect;

  // The DNS message in this direction: of DNS itself, and of DNS over HTTP/2; null: none.
  virtual const Transaction* carried(Direction /*direction*/) const { return nullptr; }
  // The parser that logs it in a flow of protocol `flow`: an HTTP/2 stream without DNS in a flow that
  // carries DNS is HTTP/2.
  virtual AppProto logged_as(AppProto flow) const { return flow; }
};

// Bytes a rule may look into. The view lives until the session is fed again.
struct BufferView {
  ByteView data;
  bool final = true;  // false: more of this buffer may still arrive
};

// The parser of one flow. Fed in order; keeps what it needs inside its configured cap.
class Session {
 public:
  virtual ~Session() = default;

  // Stream protocols: the next in-order bytes. Datagram protocols: one whole datagram. The session takes all
  // of it. False: this is not the protocol, or it is beyond recovery; nothing more will be fed in this
  // direction.
  virtual bool on_data(Direction direction, ByteView data, std::int64_t time_us) = 0;
  // Bytes were lost. False: the session cannot go on in this direction.
  virtual bool on_gap(Direction direction, std::uint64_t bytes) = 0;
  // No more data in this direction (FIN, RST, time-out, end of capture). May be called again.
  virtual void on_end(Direction direction) = 0;

  // Open transactions, oldest first. The engine inspects and logs them, then drops those that are
  // complete in both directions and logged, from the front.
  std::deque<std::unique_ptr<Transaction>>& transactions() { return transactions_; }
  std::uint64_t transaction_count() const { return next_id_; }
  // Set when the rest of the flow needs no parsing (TLS after the handshake).
  bool bypass = false;
  // Set, with `bypass`, when the configuration wants the flow left alone from here on.
  bool leave_alone = false;
  // Set when the payload is encrypted from here on: rules no longer look into it.
  bool opaque = false;
  // A STARTTLS or CONNECT: the bytes from here on are another protocol, to be detected anew.
  bool upgrade = false;
  // With `upgrade`: the bytes already handed over that belong to the next protocol, per direction.
  std::array<std::vector<std::uint8_t>, 2> unread;
  // With `upgrade`: the parser that must be found next ("tls"); empty: whatever it is.
  std::string_view upgrade_to;
  // With `upgrade_to`: the session that takes over when that protocol is found; null: a new one.
  std::unique_ptr<Session> heir;
  // The flow turned out to be this protocol, with the same session and transactions: parser name.
  std::string_view renamed;
  // Flows that were announced, to be recognised when they come; taken away after each call.
  std::vector<ExpectedFlow> announced;
  // What the client did that no transaction counts, for who watches for abuse. Only grows.
  struct Deeds {
    std::uint32_t logins_refused = 0, logins_granted = 0;          // SMTP
    std::uint32_t requests = 0, cancelled = 0, continuations = 0;  // HTTP/2: frames that say so
    std::uint32_t key_changes = 0;                                 // TLS: the first ends the handshake
    friend bool operator==(const Deeds&, const Deeds&) = default;
  };
  virtual Deeds deeds() const { return {}; }
  // This flow was announced by another one; told before any data.
  virtual void on_expected(const std::shared_ptr<const FlowNote>& note) { (void)note; }
  // What is asked of files; set before any data. Null: nothing but their first bytes.
  std::shared_ptr<const FilePolicy> file_policy;

 protected:
  std::deque<std::unique_ptr<Transaction>> transactions_;
  std::uint64_t next_id_ = 0;
};

enum class ProbeVerdict : std::uint8_t { no, maybe, yes };  // maybe: more bytes are needed

enum class AppTransport : std::uint8_t { tcp = 1, udp = 2, both = 3 };

struct ParserDescriptor {
  std::string_view name;        // "http": rule header keyword and EVE app_proto
  std::string_view event_type;  // EVE event_type and key of the log object; empty: never logged
  std::string_view spec;        // "RFC 9112"
  AppTransport transport = AppTransport::tcp;
  std::span<const std::uint16_t> default_ports;  // destination ports where probing starts
  // Looks at the first bytes of one direction, reassembled. Pure.
  ProbeVerdict (*probe)(ByteView data, Direction direction, AppTransport transport) = nullptr;
  // The other direction was found to be this protocol: may these bytes be its other half? Null: `probe`
  // decides.
  ProbeVerdict (*confirm)(ByteView data, Direction direction) = nullptr;
  // Null: the protocol is only recognised.
  std::unique_ptr<Session> (*make_session)(const ParserConfig& config, AppTransport transport) = nullptr;
  std::array<std::uint8_t, 2> complete{};         // progress at which each direction of a transaction is done
  std::span<const std::string_view> event_names;  // "http.request_header_invalid": app-layer-event vocabulary
  // EVE anomaly.event is the name after the dot; upper case when this is set ("REQUEST_HEADER_INVALID").
  bool upper_case_events = false;
  // The direction that must speak first; empty: either.
  std::optional<Direction> first_data;
  // Too short a pattern to look for everywhere: probed on its ports only.
  bool ports_only = false;
  // Transactions finish in any order: finished ones are dropped wherever they stand.
  bool any_order = false;
  // Writes the members of the log object (the caller has opened it).
  void (*write_log)(const Transaction& tx, const LogOptions& options, core::JsonWriter& json) = nullptr;
  // Writes members that stand beside the log object under keys of their own (`email` beside `smtp`).
  void (*write_beside)(const Transaction& tx, const LogOptions& options, core::JsonWriter& json) = nullptr;
  // How many log events the transaction gives; null: one. write_log is called for each, with
  // LogOptions::record counting up.
  unsigned (*log_records)(const Transaction& tx, const LogOptions& options) = nullptr;
  // True when the transaction can be logged now (it may be logged before both sides are complete).
  bool (*ready_to_log)(const Transaction& tx) = nullptr;
};

// All registered parsers; index i holds the protocol AppProto(i + 1).
std::span<const ParserDescriptor* const> parser_table();
const ParserDescriptor& parser_of(AppProto proto);  // proto must be a registered one
AppProto find_parser(std::string_view name);        // kAppUnknown when there is none
std::string_view app_proto_name(AppProto proto);    // "failed" for kAppFailed, "unknown" for 0

}  // namespace gatehouse::ids
