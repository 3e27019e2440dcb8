#include "ids/anomaly/scan_source.h"

#include <algorithm>

namespace gatehouse::ids::anomaly {

void FirstFailure::set(const Outcome& o) {
  began_us = o.began_us;
  last_us = o.time_us;
  client = o.client;
  server = o.server;
  server_port = o.server_port;
  protocol = o.protocol;
  tcp_flags = o.tcp_flags;
  result = o.result;
  gone = 0;
}

bool FirstFailure::is_repeated(const Outcome& o, std::int64_t window_us) const {
  const Outcome first = outcome();
  return server == o.server && target_of(look_of(first), first) == target_of(look_of(o), o) &&
         o.result != Result::abandoned && o.time_us - began_us <= window_us;
}

Outcome FirstFailure::outcome() const {
  Outcome o;
  o.time_us = last_us;
  o.began_us = began_us;
  o.client = client;
  o.server = server;
  o.server_port = server_port;
  o.protocol = protocol;
  o.tcp_flags = tcp_flags;
  o.result = result;
  return o;
}

bool add(Source& s, const KeyedHash& hash, const Outcome& o, Look look) {
  const std::uint64_t host = o.server_key;
  const std::int32_t w = weight(o.result, look);
  s.ports.add(hash(o.server_port));
  if (look == Look::protocol) s.protocols.add(hash(o.protocol));
  const bool new_host = s.hosts.add(host);
  s.units += w;
  s.window_units += w;
  ++s.failed;
  ++s.window_failed;
  ++s.looks[static_cast<std::size_t>(look)];
  if (s.focus == host) {
    ++s.focus_votes;
  } else if (s.focus_votes == 0) {
    s.focus = host;
    s.focus_votes = 1;
    s.focus_good.clear();
    s.focus_units = 0;
    s.focus_first_us = o.began_us;
    s.focus_ports.clear();
  } else {
    --s.focus_votes;
  }
  if (s.focus == host && s.focus_ports.add(hash(o.server_port))) s.focus_units += w;
  return new_host;
}

void take_back(Source* s, const Outcome& o, Look look) {
  if (s == nullptr) return;
  if (o.result == Result::retried && s->retried != UINT16_MAX) ++s->retried;
  if (!o.counted) return;
  const std::int32_t w = weight(o.before, look);
  s->units = std::max(0, s->units - w);
  s->window_units = std::max(0, s->window_units - w);
  if (s->failed != 0) --s->failed;
  if (s->window_failed != 0) --s->window_failed;
  auto& looks = s->looks[static_cast<std::size_t>(look)];
  if (looks != 0) --looks;
  if (s->focus == o.server_key) s->focus_units = std::max(0, s->focus_units - w);
}

Verdict verdict(const Source& s, bool fast) {
  const auto most = static_cast<Look>(std::max_element(s.looks.begin(), s.looks.end()) - s.looks.begin());
  switch (most) {
    case Look::fin:
      return Verdict::scan_fin;
    case Look::null:
      return Verdict::scan_null;
    case Look::xmas:
      return Verdict::scan_xmas;
    case Look::ack:
      return Verdict::scan_ack;
    case Look::udp:
      return Verdict::scan_udp;
    case Look::ping:
      return Verdict::scan_sweep;
    case Look::protocol:
      return Verdict::scan_ipproto;
    default:
      break;
  }
  if (!fast) return Verdict::scan_slow;
  const std::uint64_t ports = s.ports.estimate();
  const std::uint64_t hosts = s.hosts.estimate();
  if (hosts <= 2) {
    return s.completed != 0 && s.abandoned == 0 ? Verdict::scan_connect : Verdict::scan_vertical;
  }
  return ports <= 2 || hosts >= 2 * ports ? Verdict::scan_horizontal : Verdict::scan_block;
}

}  // namespace gatehouse::ids::anomaly
