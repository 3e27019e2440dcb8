#include "ids/parsers/dns_message.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/ip.h"

namespace gatehouse::ids::dns {
namespace {

using core::ByteReader;

constexpr std::size_t kHeaderBytes = 12;
constexpr std::size_t kNameLimit = 1025;  // RFC 1035 allows 255; longer ones are cut and reported
constexpr unsigned kLabelLimit = 255;
constexpr unsigned kJumpLimit = 255;

enum : std::uint16_t {
  kA = 1,
  kNs = 2,
  kCname = 5,
  kSoa = 6,
  kNull = 10,
  kPtr = 12,
  kMx = 15,
  kTxt = 16,
  kAaaa = 28,
  kSrv = 33,
  kSshfp = 44
};

// Reads a name at the reader's place (RFC 1035 4.1.4); the reader ends behind it. Pointers may
// lead anywhere in the message, also forward, but not for ever. False: the bytes end in it.
bool read_name(ByteReader& reader, ByteView message, std::string& out, NameFindings& found) {
  ByteReader at = reader;
  bool jumped = false;
  unsigned labels = 0, jumps = 0;
  for (;;) {
    const std::uint8_t length = at.u8();
    if (!at.ok()) return false;
    if (length == 0) break;
    if ((length & 0xc0U) == 0xc0U) {
      const std::size_t target = (length & 0x3fU) << 8U | at.u8();
      if (!at.ok() || target >= message.size()) return false;
      if (!jumped) reader = at;
      jumped = true;
      if (++jumps > kJumpLimit) {
        found.loop = true;
        return true;
      }
      at = ByteReader(message);
      at.seek(target);
      continue;
    }
    if ((length & 0xc0U) != 0) return false;  // RFC 6891 withdrew the extended label types
    const ByteView label = at.bytes(length);
    if (!at.ok()) return false;
    if (++labels > kLabelLimit) {
      found.too_many_labels = true;
      continue;
    }
    if (out.size() + label.size() + 1 > kNameLimit) {
      found.too_long = true;
      continue;
    }
    if (!out.empty()) out.push_back('.');
    out.append(core::as_text(label));
  }
  if (!jumped) reader = at;
  return true;
}

bool read_question(ByteReader& reader, ByteView message, DnsQuestion& out, NameFindings& found) {
  if (!read_name(reader, message, out.name, found)) return false;
  out.name_truncated = found.too_long;
  out.type = reader.u16();
  out.klass = reader.u16();
  return reader.ok();
}

void read_soa(ByteReader& reader, ByteView message, DnsRecord& record, NameFindings& found) {
  if (!read_name(reader, message, record.text, found) ||
      !read_name(reader, message, record.second_name, found))
    return;
  for (int i = 0; i < 5; ++i) record.numbers.push_back(reader.u32());
  if (!reader.ok()) record.numbers.clear();
}

void read_txt(ByteReader& reader, DnsRecord& record) {
  while (reader.ok() && !reader.at_end()) {
    const std::uint8_t length = reader.u8();
    const ByteView text = reader.bytes(length);
    if (!reader.ok()) return;
    record.texts.emplace_back(core::as_text(text));
    record.text.append(core::as_text(text));
  }
}

// Interprets rdata. A reader over the whole message, so that compressed names can be followed;
// rdata that is shorter than its type asks for leaves `text` empty.
void read_rdata(ByteView message, std::size_t begin, DnsRecord& record, NameFindings& found) {
  ByteReader reader(message.first(begin + record.rdata.size()));
  reader.seek(begin);
  const std::size_t size = record.rdata.size();
  switch (record.type) {
    case kA:
      if (size == 4) record.text = core::IpAddress::from_bytes(record.rdata).to_string();
      break;
    case kAaaa:
      // EVE writes IPv6 addresses in full.
      for (std::size_t i = 0; i + 1 < size && size == 16; i += 2) {
        record.text += fmt::format("{}{:02x}{:02x}", i == 0 ? "" : ":", record.rdata[i], record.rdata[i + 1]);
      }
      break;
    case kMx:
      record.numbers.push_back(reader.u16());
      [[fallthrough]];
    case kNs:
    case kCname:
    case kPtr:
      record.is_name = read_name(reader, message, record.text, found);
      break;
    case kSoa:
      record.is_name = true;
      read_soa(reader, message, record, found);
      break;
    case kSrv:
      for (int i = 0; i < 3; ++i) record.numbers.push_back(reader.u16());
      record.is_name = read_name(reader, message, record.text, found);
      break;
    case kTxt:
      read_txt(reader, record);
      break;
    case kSshfp:
      record.numbers = {reader.u8(), reader.u8()};
      for (const std::uint8_t b : reader.rest())
        record.text += fmt::format("{}{:02x}", record.text.empty() ? "" : ":", b);
      break;
    case kNull:
      record.text = std::string(core::as_text(record.rdata));
      break;
    default:
      break;
  }
}

bool read_record(ByteReader& reader, ByteView message, DnsRecord& out, NameFindings& found) {
  if (!read_name(reader, message, out.name, found)) return false;
  out.type = reader.u16();
  out.klass = reader.u16();
  out.ttl = reader.u32();
  const std::uint16_t length = reader.u16();
  const std::size_t begin = reader.position();
  const ByteView rdata = reader.bytes(length);
  if (!reader.ok()) return false;
  out.rdata.assign(rdata.begin(), rdata.end());
  read_rdata(message, begin, out, found);
  return true;
}

bool read_records(ByteReader& reader, ByteView message, unsigned count, std::vector<DnsRecord>& out,
                  NameFindings& found) {
  for (unsigned i = 0; i < count; ++i) {
    DnsRecord record;
    if (!read_record(reader, message, record, found)) return false;
    out.push_back(std::move(record));
  }
  return true;
}

}  // namespace

ParseStatus parse_message(ByteView bytes, Message& out) {
  ByteReader reader(bytes);
  out.id = reader.u16();
  out.flags = reader.u16();
  const unsigned queries = reader.u16(), answers = reader.u16(), authorities = reader.u16(),
                 additionals = reader.u16();
  if (!reader.ok()) return ParseStatus::no_header;
  for (unsigned i = 0; i < queries; ++i) {
    DnsQuestion question;
    if (!read_question(reader, bytes, question, out.names)) return ParseStatus::malformed;
    out.queries.push_back(std::move(question));
  }
  if (!read_records(reader, bytes, answers, out.answers, out.names)) return ParseStatus::malformed;
  out.invalid_authorities = !read_records(reader, bytes, authorities, out.authorities, out.names);
  out.invalid_additionals =
      !out.invalid_authorities && !read_records(reader, bytes, additionals, out.additionals, out.names);
  return ParseStatus::ok;
}

Plausible plausible_message(ByteView bytes, std::size_t total) {
  ByteReader reader(bytes);
  reader.skip(2);
  const unsigned flags = reader.u16();
  const unsigned queries = reader.u16(), answers = reader.u16(), authorities = reader.u16(),
                 additionals = reader.u16();
  if (!reader.ok()) return total < kHeaderBytes ? Plausible::no : Plausible::undecided;
  // The shortest record takes five bytes: a root name and a type and class.
  const std::size_t records = std::size_t{queries} + answers + authorities + additionals;
  if (records == 0 || records * 5 > total - kHeaderBytes) return Plausible::no;
  if (queries == 0) return (flags & 0x8000U) != 0 || additionals > 0 ? Plausible::yes : Plausible::no;
  DnsQuestion question;
  NameFindings found;
  if (!read_question(reader, bytes, question, found)) {
    return bytes.size() < total && bytes.size() < kHeaderBytes + 255 + 4 ? Plausible::undecided
                                                                         : Plausible::no;
  }
  return question.name.size() <= 255 ? Plausible::yes : Plausible::no;
}

}  // namespace gatehouse::ids::dns
