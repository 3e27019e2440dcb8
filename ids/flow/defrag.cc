#include "ids/flow/defrag.h"

#include <algorithm>
#include <array>
#include <list>
#include <unordered_map>

#include "ids/decode/checksum.h"
#include "ids/decode/events.h"
#include "ids/flow/fragment_tracker.h"
#include "ids/flow/hash.h"

namespace gatehouse::ids {
namespace {

// What fragments of one datagram have in common (RFC 791 3.2, RFC 8200 4.5).
struct FragmentKey {
  IpAddress source, destination;
  std::uint32_t id = 0;
  std::array<std::uint16_t, 3> vlan{};
  std::uint8_t protocol = 0;  // IPv4 only: of IPv6 fragments the first one's counts
  std::uint8_t depth = 0;

  friend bool operator==(const FragmentKey&, const FragmentKey&) = default;
};

struct KeyHash {
  std::uint64_t seed;
  std::size_t operator()(const FragmentKey& key) const {
    std::uint64_t hash = mix64(seed ^ key.id);
    hash = hash_address(hash, key.source);
    hash = hash_address(hash, key.destination);
    const std::uint64_t rest = std::uint64_t{key.protocol} << 56 | std::uint64_t{key.depth} << 48 |
                               std::uint64_t{key.vlan[0]} << 32 | std::uint64_t{key.vlan[1]} << 16 |
                               key.vlan[2];
    return static_cast<std::size_t>(mix64(hash ^ rest));
  }
};

struct Entry {
  FragmentKey key;
  std::int64_t first_us;
  FragmentTracker tracker;
  std::uint64_t charged;  // bytes counted in memuse

  Entry(const FragmentKey& k, std::int64_t us, OsPolicy policy)
      : key(k), first_us(us), tracker(policy), charged(sizeof(Entry)) {}
};

constexpr std::size_t kMostPayload = 65'535;  // RFC 791: the total length has 16 bits
constexpr std::size_t kMostSpare = 16;

FragmentKey key_of(const Packet& packet, bool use_vlan) {
  FragmentKey key;
  key.source = packet.source;
  key.destination = packet.destination;
  key.id = packet.ip_id;
  if (use_vlan) key.vlan = packet.vlan;
  key.protocol = packet.ip_version == 4 ? packet.protocol : 0;
  key.depth = packet.tunnel_depth;
  return key;
}

// Where in an IPv6 header chain that ends with a fragment header the type of that header stands.
std::size_t next_header_position(ByteView header) {
  std::size_t position = 6, at = 40;
  while (at + 8 < header.size()) {
    const std::uint8_t type = header[position];
    position = at;
    at += type == 51 ? (header[at + 1] + 2U) * 4U : type == 44 ? 8U : (header[at + 1] + 1U) * 8U;
  }
  return position;
}

void set16(std::vector<std::uint8_t>& bytes, std::size_t at, std::size_t value) {
  bytes[at] = static_cast<std::uint8_t>(value >> 8);
  bytes[at + 1] = static_cast<std::uint8_t>(value);
}

// Link and IP header for the whole datagram, its length still open.
std::vector<std::uint8_t> whole_header(const Packet& packet, std::size_t link_size) {
  const ByteView from = packet.frame.subspan(0, link_size + packet.ip_header.size());
  std::vector<std::uint8_t> header(from.begin(), from.end());
  if (packet.ip_version == 4) {
    set16(header, link_size + 6, 0);
  } else {
    header[link_size + next_header_position(packet.ip_header)] = packet.protocol;
    header.resize(header.size() - 8);
  }
  return header;
}

}  // namespace

struct Defragmenter::Table {
  // Oldest first: time counts from the first fragment, so the order never changes.
  std::list<Entry> entries;
  std::unordered_map<FragmentKey, std::list<Entry>::iterator, KeyHash> index;

  explicit Table(std::uint64_t seed) : index(64, KeyHash{seed}) {}
};

Defragmenter::Defragmenter(DefragOptions options)
    : options_(std::move(options)), table_(std::make_unique<Table>(seed_or_random(options_.hash_seed))) {}

Defragmenter::~Defragmenter() = default;

void Defragmenter::drop_oldest() {
  auto& entries = table_->entries;
  counters_.memuse -= entries.front().charged;
  table_->index.erase(entries.front().key);
  entries.pop_front();
  counters_.active = entries.size();
}

void Defragmenter::expire(std::int64_t now_us) {
  const auto& entries = table_->entries;
  while (!entries.empty() && now_us - entries.front().first_us >= options_.timeout_us) {
    ++counters_.timeouts;
    drop_oldest();
  }
}

// Attackers open trackers for nothing, so the oldest has the least chance to complete.
bool Defragmenter::make_room(std::uint64_t bytes) {
  const auto& entries = table_->entries;
  while (!entries.empty() &&
         (counters_.memuse + bytes > options_.memcap_bytes || entries.size() >= options_.max_trackers)) {
    ++counters_.evicted;
    drop_oldest();
  }
  return bytes <= options_.memcap_bytes;
}

std::optional<Datagram> Defragmenter::add(Packet& packet) {
  using namespace decode_event;
  const bool v6 = packet.ip_version == 6;
  ++(v6 ? counters_.ipv6_fragments : counters_.ipv4_fragments);
  ByteView data = packet.ip_payload;
  if (packet.more_fragments && data.size() % 8 != 0) {
    if (v6) return std::nullopt;  // an event already; RFC 8200 4.5: discard
    data = data.first(data.size() / 8 * 8);
  }
  if (data.empty()) return std::nullopt;
  if (packet.fragment_offset + data.size() > kMostPayload) {
    packet.add_event(v6 ? ipv6_frag_pkt_too_large : ipv4_frag_pkt_too_large);
    return std::nullopt;
  }

  const FragmentKey key = key_of(packet, options_.use_vlan);
  auto found = table_->index.find(key);
  if (found == table_->index.end()) {
    if (!make_room(sizeof(Entry) + data.size())) {
      packet.add_event(v6 ? ipv6_frag_ignored : ipv4_frag_ignored);
      return std::nullopt;
    }
    table_->entries.emplace_back(key, packet.time_us, options_.policies.of(packet.destination));
    found = table_->index.emplace(key, std::prev(table_->entries.end())).first;
    counters_.memuse += sizeof(Entry);
    counters_.active = table_->entries.size();
  }
  Entry& entry = *found->second;
  FragmentTracker& tracker = entry.tracker;
  if (++tracker.fragments > options_.max_fragments) {
    ++counters_.max_fragments_hits;
    packet.add_event(v6 ? ipv6_frag_ignored : ipv4_frag_ignored);
    return std::nullopt;
  }
  const auto verdict = tracker.insert(packet.fragment_offset, data, !packet.more_fragments);
  if (verdict != FragmentTracker::Verdict::placed)
    packet.add_event(v6 ? ipv6_frag_overlap : ipv4_frag_overlap);
  if (packet.fragment_offset == 0 && tracker.header.empty() &&
      verdict != FragmentTracker::Verdict::contradiction) {
    tracker.link_size = static_cast<std::size_t>(packet.ip_header.data() - packet.frame.data());
    tracker.header = whole_header(packet, tracker.link_size);
  }
  if (tracker.complete()) {
    auto datagram = assemble(packet, tracker);
    counters_.memuse -= entry.charged;
    table_->entries.erase(found->second);
    table_->index.erase(found);
    counters_.active = table_->entries.size();
    return datagram;
  }
  counters_.memuse -= entry.charged;
  entry.charged = sizeof(Entry) + tracker.memory();
  counters_.memuse += entry.charged;
  if (counters_.memuse > options_.memcap_bytes) make_room(0);
  return std::nullopt;
}

std::optional<Datagram> Defragmenter::assemble(const Packet& packet, const FragmentTracker& tracker) {
  const bool v6 = packet.ip_version == 6;
  const std::size_t link = tracker.link_size;
  const ByteView payload = tracker.payload();
  const std::size_t header = tracker.header.size() - link;
  const std::size_t length = (v6 ? header - 40 : header) + payload.size();
  if (length > kMostPayload) return std::nullopt;
  Datagram datagram;
  if (!spare_.empty()) {
    datagram.bytes_ = std::move(spare_.back());
    spare_.pop_back();
  }
  auto& bytes = datagram.bytes_;
  bytes.assign(tracker.header.begin(), tracker.header.end());
  bytes.insert(bytes.end(), payload.begin(), payload.end());
  datagram.ip_offset_ = link;
  if (v6) {
    set16(bytes, link + 4, length);
    ++counters_.ipv6_reassembled;
  } else {
    set16(bytes, link + 2, length);
    set16(bytes, link + 10, 0);
    set16(bytes, link + 10, ~ones_complement_sum(ByteView(bytes).subspan(link, header)) & 0xffff);
    ++counters_.ipv4_reassembled;
  }
  return datagram;
}

void Defragmenter::recycle(Datagram datagram) {
  if (spare_.size() < kMostSpare) spare_.push_back(std::move(datagram.bytes_));
}

}  // namespace gatehouse::ids
