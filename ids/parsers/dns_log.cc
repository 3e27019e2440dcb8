#include "ids/parsers/dns_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "core/utf8.h"

namespace gatehouse::ids {
namespace {

struct TypeName {
  std::uint16_t type;
  std::string_view name;
};
// IANA DNS parameters: resource record types.
constexpr TypeName kTypes[] = {
    {1, "A"},       {2, "NS"},      {3, "MD"},      {4, "MF"},     {5, "CNAME"},    {6, "SOA"},
    {7, "MB"},      {8, "MG"},      {9, "MR"},      {10, "NULL"},  {11, "WKS"},     {12, "PTR"},
    {13, "HINFO"},  {14, "MINFO"},  {15, "MX"},     {16, "TXT"},   {17, "RP"},      {18, "AFSDB"},
    {19, "X25"},    {20, "ISDN"},   {21, "RT"},     {22, "NSAP"},  {23, "NSAPPTR"}, {24, "SIG"},
    {25, "KEY"},    {26, "PX"},     {27, "GPOS"},   {28, "AAAA"},  {29, "LOC"},     {30, "NXT"},
    {33, "SRV"},    {34, "ATMA"},   {35, "NAPTR"},  {36, "KX"},    {37, "CERT"},    {38, "A6"},
    {39, "DNAME"},  {41, "OPT"},    {42, "APL"},    {43, "DS"},    {44, "SSHFP"},   {45, "IPSECKEY"},
    {46, "RRSIG"},  {47, "NSEC"},   {48, "DNSKEY"}, {49, "DHCID"}, {50, "NSEC3"},   {51, "NSEC3PARAM"},
    {52, "TLSA"},   {53, "SMIMEA"}, {55, "HIP"},    {59, "CDS"},   {60, "CDNSKEY"}, {61, "OPENPGPKEY"},
    {62, "CSYNC"},  {63, "ZONEMD"}, {64, "SVCB"},   {65, "HTTPS"}, {99, "SPF"},     {108, "EUI48"},
    {109, "EUI64"}, {249, "TKEY"},  {250, "TSIG"},  {251, "IXFR"}, {252, "AXFR"},   {253, "MAILB"},
    {254, "MAILA"}, {255, "ANY"},   {256, "URI"},   {257, "CAA"}};

constexpr std::string_view kRcodes[] = {"NOERROR",  "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED",
                                        "YXDOMAIN", "YXRRSET", "NXRRSET",  "NOTAUTH",  "NOTZONE"};

}  // namespace

std::string dns_type_text(std::uint16_t type) {
  const auto* at = std::find_if(std::begin(kTypes), std::end(kTypes),
                                [type](const TypeName& t) { return t.type == type; });
  return at == std::end(kTypes) ? std::to_string(type) : std::string(at->name);
}

std::string dns_rcode_text(unsigned rcode) {
  return rcode < std::size(kRcodes) ? std::string(kRcodes[rcode]) : fmt::format("RCODE-{}", rcode);
}

namespace dns {
namespace {

// Names and texts are bytes: as they are when valid UTF-8, otherwise "\xNN" for what is no ASCII.
std::string printable(std::string_view text) {
  if (core::first_invalid_utf8(text) == text.size()) return std::string(text);
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      out.push_back(c);
    } else {
      out += fmt::format("\\x{:02x}", byte);
    }
  }
  return out;
}

void write_flags(const DnsTransaction& tx, core::JsonWriter& json) {
  json.field("flags", fmt::format("{:x}", tx.flags));
  constexpr std::pair<unsigned, std::string_view> kBits[] = {{0x8000, "qr"}, {0x0400, "aa"}, {0x0200, "tc"},
                                                             {0x0100, "rd"}, {0x0080, "ra"}, {0x0040, "z"}};
  for (const auto& [bit, name] : kBits) {
    if ((tx.flags & bit) != 0) json.field(name, true);
  }
  json.field("opcode", tx.opcode());
}

// True when it wrote something under a key of its own.
bool write_structured(const DnsRecord& record, core::JsonWriter& json) {
  const auto& n = record.numbers;
  if (record.type == 6 && n.size() == 5) {
    json.key("soa")
        .begin_object()
        .field("mname", printable(record.text))
        .field("rname", printable(record.second_name));
    json.field("serial", n[0])
        .field("refresh", n[1])
        .field("retry", n[2])
        .field("expire", n[3])
        .field("minimum", n[4]);
    json.end_object();
    return true;
  }
  if (record.type == 33 && n.size() == 3) {
    json.key("srv").begin_object().field("priority", n[0]).field("weight", n[1]).field("port", n[2]);
    json.field("name", printable(record.text)).end_object();
    return true;
  }
  if (record.type == 44 && n.size() == 2) {
    json.key("sshfp")
        .begin_object()
        .field("fingerprint", record.text)
        .field("algo", n[0])
        .field("type", n[1])
        .end_object();
    return true;
  }
  return false;
}

constexpr std::uint16_t kTxt = 16;
constexpr std::uint16_t kOpt = 41;

struct EdnsOption {
  unsigned code = 0;
  ByteView data;
};

// RFC 6891 6.1.2.
std::vector<EdnsOption> edns_options(const DnsRecord& record) {
  std::vector<EdnsOption> out;
  core::ByteReader reader(record.rdata);
  while (reader.remaining() >= 4) {
    EdnsOption option;
    option.code = reader.u16();
    option.data = reader.bytes(reader.u16());
    if (!reader.ok()) break;
    out.push_back(option);
  }
  return out;
}

void write_options(const std::vector<EdnsOption>& options, core::JsonWriter& json) {
  json.key("opt").begin_array();
  for (const EdnsOption& option : options) {
    std::string hex;
    for (const std::uint8_t b : option.data) hex += fmt::format("{:02x}", b);
    json.begin_object().field("code", option.code).field("data", hex).end_object();
  }
  json.end_array();
}

void write_record_head(const DnsRecord& record, core::JsonWriter& json) {
  json.begin_object().field("rrname", printable(record.name)).field("rrtype", dns_type_text(record.type));
  json.field("ttl", record.ttl);
}

void write_record(const DnsRecord& record, core::JsonWriter& json) {
  if (record.type == kTxt && !record.texts.empty()) {
    // Each string of a TXT record counts as an answer.
    for (const std::string& text : record.texts) {
      write_record_head(record, json);
      json.field("rdata", printable(text)).end_object();
    }
    return;
  }
  write_record_head(record, json);
  if (record.type == kOpt) {
    write_options(edns_options(record), json);
  } else if (!write_structured(record, json) && !record.text.empty()) {
    json.field("rdata", printable(record.text));
  }
  json.end_object();
}

// An OPT record without options says nothing worth a line.
bool worth_logging(const DnsRecord& record) {
  return record.type != kOpt || !edns_options(record).empty();
}

void write_section(std::string_view key, const std::vector<DnsRecord>& records, core::JsonWriter& json) {
  if (std::none_of(records.begin(), records.end(), worth_logging)) return;
  json.key(key).begin_array();
  for (const DnsRecord& record : records) {
    if (worth_logging(record)) write_record(record, json);
  }
  json.end_array();
}

// {"A": ["192.0.2.1", ...], "SOA": [{...}]}: one array per type, in the order types first occur.
void write_grouped(const std::vector<DnsRecord>& answers, core::JsonWriter& json) {
  std::vector<std::uint16_t> types;
  for (const DnsRecord& record : answers) {
    if (record.text.empty() && record.numbers.empty() && record.texts.empty()) continue;
    if (std::find(types.begin(), types.end(), record.type) == types.end()) types.push_back(record.type);
  }
  if (types.empty()) return;
  json.key("grouped").begin_object();
  for (const std::uint16_t type : types) {
    json.key(dns_type_text(type)).begin_array();
    for (const DnsRecord& record : answers) {
      if (record.type != type) continue;
      for (const std::string& string : record.texts) json.string(printable(string));
      if (!record.texts.empty()) continue;
      std::string text;
      core::JsonWriter inner(text);
      inner.begin_object();
      if (write_structured(record, inner)) {
        inner.end_object();
        // Only the members of the structure, without its key.
        json.raw(std::string_view(text).substr(text.find(':') + 1, text.size() - text.find(':') - 2));
      } else if (!record.text.empty()) {
        json.string(printable(record.text));
      }
    }
    json.end_array();
  }
  json.end_object();
}

void write_answers(const DnsTransaction& tx, const LogOptions& options, core::JsonWriter& json) {
  if (options.dns_detailed) write_section("answers", tx.answers, json);
  if (options.dns_grouped) write_grouped(tx.answers, json);
  write_section("authorities", tx.authorities, json);
}

void write_v3(const DnsTransaction& tx, const LogOptions& options, core::JsonWriter& json) {
  json.field("version", 3).field("type", tx.is_response ? "response" : "request");
  json.field("tx_id", tx.id).field("id", static_cast<unsigned>(tx.message_id));
  write_flags(tx, json);
  json.field("rcode", dns_rcode_text(tx.rcode()));
  if (!tx.queries.empty()) {
    json.key("queries").begin_array();
    for (const DnsQuestion& query : tx.queries) {
      json.begin_object().field("rrname", printable(query.name)).field("rrtype", dns_type_text(query.type));
      if (query.name_truncated) json.field("rrname_truncated", true);
      json.end_object();
    }
    json.end_array();
  }
  write_answers(tx, options, json);
  write_section("additionals", tx.additionals, json);
}

void write_v2(const DnsTransaction& tx, const LogOptions& options, core::JsonWriter& json) {
  const DnsQuestion* query = options.record < tx.queries.size() ? &tx.queries[options.record] : nullptr;
  json.field("version", 2).field("type", tx.is_response ? "answer" : "query");
  json.field("id", static_cast<unsigned>(tx.message_id));
  if (tx.is_response) {
    write_flags(tx, json);
  } else if ((tx.flags & 0x0040U) != 0) {
    json.field("z", true);
  }
  if (query != nullptr)
    json.field("rrname", printable(query->name)).field("rrtype", dns_type_text(query->type));
  if (!tx.is_response) {
    json.field("tx_id", tx.id).field("opcode", tx.opcode());
    return;
  }
  json.field("rcode", dns_rcode_text(tx.rcode()));
  write_answers(tx, options, json);
}

}  // namespace

void write_dns_log(const Transaction& base, const LogOptions& options, core::JsonWriter& json) {
  const auto& tx = static_cast<const DnsTransaction&>(base);
  if (options.dns_version == 2) {
    write_v2(tx, options, json);
  } else {
    write_v3(tx, options, json);
  }
}

unsigned dns_log_records(const Transaction& base, const LogOptions& options) {
  const auto& tx = static_cast<const DnsTransaction&>(base);
  if (options.dns_version != 2 || tx.is_response) return 1;
  return static_cast<unsigned>(std::max<std::size_t>(tx.queries.size(), 1));
}

}  // namespace dns
}  // namespace gatehouse::ids
