#include "ids/casetest/traffic.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/os.h"

namespace gatehouse::ids::casetest {
namespace {

using core::Diagnostics;
using core::MapReader;
using core::YamlNode;
using testing::Bytes;
using testing::Frame;

constexpr std::int64_t kStartUs = 1'700'000'000'000'000;
constexpr std::size_t kSegment = 1400;  // bytes in one packet

struct EndPoint {
  std::string address;
  std::uint16_t port = 0;
};

// "10.0.0.1:80", "[2001:db8::1]:80", or an address alone when there are no ports.
std::optional<EndPoint> read_end(const YamlNode& node, bool ports, Diagnostics& diagnostics) {
  EndPoint end;
  std::string_view text = node.text;
  if (ports) {
    const std::size_t colon = text.rfind(':');
    const std::string_view number = colon == std::string_view::npos ? "" : text.substr(colon + 1);
    const auto [last, error] = std::from_chars(number.data(), number.data() + number.size(), end.port);
    if (number.empty() || error != std::errc() || last != number.data() + number.size()) {
      diagnostics.error("bad-value", node.where, "expected ADDRESS:PORT, or [ADDRESS]:PORT for IPv6");
      return std::nullopt;
    }
    text = text.substr(0, colon);
    if (text.size() >= 2 && text.front() == '[' && text.back() == ']') text = text.substr(1, text.size() - 2);
  }
  if (!core::IpAddress::parse(text)) {
    diagnostics.error("bad-value", node.where, fmt::format("`{}` is no IP address", text));
    return std::nullopt;
  }
  end.address = text;
  return end;
}

bool is_hex(std::string_view text) {
  std::size_t digits = 0;
  for (const char c : text) {
    if (c == ' ' || c == '\n') continue;
    if (std::isxdigit(static_cast<unsigned char>(c)) == 0) return false;
    ++digits;
  }
  return digits % 2 == 0;
}

// One thing that happens in a conversation.
struct Step {
  enum class Kind : std::uint8_t { client, server, wait, end };
  Kind kind = Kind::client;
  std::string bytes;
  std::int64_t wait_us = 0;
  std::string end;
  std::uint8_t icmp_type = 8, icmp_code = 0;
};

class Steps {
 public:
  Steps(bool icmp, Diagnostics& diagnostics) : icmp_(icmp), diagnostics_(diagnostics) {}

  std::vector<Step> read(const YamlNode& node) {
    std::vector<Step> steps;
    if (!node.is_sequence() || node.items.empty()) {
      diagnostics_.error("bad-value", node.where, "`exchange` must be a list of steps");
      return steps;
    }
    for (const YamlNode& item : node.items) {
      if (auto step = one(item)) steps.push_back(std::move(*step));
    }
    return steps;
  }

 private:
  std::optional<Step> one(const YamlNode& node) {
    MapReader map(node, "a step", diagnostics_);
    const std::uint64_t times = map.uint("times", 1, 1, 1'000'000);
    std::optional<Step> step;
    std::size_t given = 0;
    for (const bool client : {true, false}) {
      const std::string side = client ? "client" : "server";
      for (const char* form : {"", "_hex", "_file"}) {
        const YamlNode* value = map.optional(side + form);
        if (value == nullptr) continue;
        ++given;
        step = data(*value, client, form);
      }
    }
    if (map.optional("wait") != nullptr) {
      ++given;
      step.emplace();
      step->kind = Step::Kind::wait;
      step->wait_us = static_cast<std::int64_t>(map.duration_us("wait", 0));
    }
    if (const YamlNode* end = map.optional("end"); end != nullptr) {
      ++given;
      step.emplace();
      step->kind = Step::Kind::end;
      step->end = end->text;
      if (end->text != "close" && end->text != "client_reset" && end->text != "server_reset" &&
          end->text != "open")
        diagnostics_.error("bad-value", end->where, "expected close, client_reset, server_reset or open");
    }
    map.finish();
    if (given != 1)
      diagnostics_.error("bad-value", node.where, "a step is one of client, server, wait and end");
    if (step && times > 1) repeat(*step, times, node);
    return step;
  }

  void repeat(Step& step, std::uint64_t times, const YamlNode& node) {
    if (step.bytes.size() * times > kMostTrafficBytes) {
      diagnostics_.error("too-much", node.where, fmt::format("more than {} bytes", kMostTrafficBytes));
      return;
    }
    const std::string once = step.bytes;
    step.bytes.reserve(once.size() * times);
    for (std::uint64_t i = 1; i < times; ++i) step.bytes += once;
  }

  Step data(const YamlNode& node, bool client, std::string_view form) {
    Step step;
    step.kind = client ? Step::Kind::client : Step::Kind::server;
    if (icmp_ && form.empty()) {
      icmp_message(node, step);
    } else if (!node.is_scalar()) {
      diagnostics_.error("bad-value", node.where, "expected text");
    } else if (form == "_hex") {
      step.bytes = hex(node);
    } else if (form == "_file") {
      read_into(node, step.bytes);
    } else {
      step.bytes = node.text;
    }
    return step;
  }

  std::string hex(const YamlNode& node) {
    if (!is_hex(node.text)) {
      diagnostics_.error("bad-value", node.where, "expected pairs of hexadecimal digits");
      return {};
    }
    const Bytes bytes = testing::from_hex(node.text);
    return {bytes.begin(), bytes.end()};
  }

  void icmp_message(const YamlNode& node, Step& step) {
    MapReader map(node, "an ICMP message", diagnostics_);
    step.icmp_type = static_cast<std::uint8_t>(map.uint("type", 8, 0, 255));
    step.icmp_code = static_cast<std::uint8_t>(map.uint("code", 0, 0, 255));
    if (const YamlNode* text = map.optional("hex"); text != nullptr) step.bytes = hex(*text);
    map.finish();
  }

  void read_into(const YamlNode& node, std::string& out) {
    auto text = core::read_file(node.text);
    if (!text) {
      diagnostics_.error("unreadable", node.where, text.error().to_string());
    } else if (text->size() > kMostTrafficBytes) {
      diagnostics_.error("too-much", node.where, fmt::format("more than {} bytes", kMostTrafficBytes));
    } else {
      out = std::move(*text);
    }
  }

  bool icmp_;
  Diagnostics& diagnostics_;
};

std::vector<Frame> play_tcp(const EndPoint& client, const EndPoint& server, std::int64_t start_us,
                            const std::vector<Step>& steps) {
  testing::TcpConversation::Endpoints ends;
  ends.client = client.address;
  ends.server = server.address;
  ends.client_port = client.port;
  ends.server_port = server.port;
  ends.start_us = start_us;
  testing::TcpConversation conversation(ends);
  conversation.handshake();
  std::string end = "close";
  for (const Step& step : steps) {
    if (step.kind == Step::Kind::wait) conversation.wait_us(step.wait_us);
    if (step.kind == Step::Kind::end) end = step.end;
    for (std::size_t at = 0; at < step.bytes.size(); at += kSegment) {
      const std::string_view part = std::string_view(step.bytes).substr(at, kSegment);
      if (step.kind == Step::Kind::client) conversation.client_sends(part);
      if (step.kind == Step::Kind::server) conversation.server_sends(part);
    }
  }
  if (end == "close") conversation.close();
  if (end == "client_reset") conversation.client_reset();
  if (end == "server_reset") conversation.server_reset();
  return std::move(conversation.frames());
}

std::vector<Frame> play_datagrams(const EndPoint& client, const EndPoint& server, bool icmp,
                                  std::int64_t start_us, const std::vector<Step>& steps) {
  std::vector<Frame> frames;
  std::int64_t now_us = start_us;
  const bool v6 = client.address.find(':') != std::string::npos;
  for (const Step& step : steps) {
    if (step.kind == Step::Kind::wait) now_us += step.wait_us;
    if (step.kind != Step::Kind::client && step.kind != Step::Kind::server) continue;
    const bool forward = step.kind == Step::Kind::client;
    const EndPoint& from = forward ? client : server;
    const EndPoint& to = forward ? server : client;
    testing::IpFields ip;
    ip.source = from.address;
    ip.destination = to.address;
    ip.protocol = icmp ? (v6 ? 58 : 1) : 17;
    const Bytes payload = testing::from_text(step.bytes);
    const Bytes body = icmp ? testing::icmp(step.icmp_type, step.icmp_code, 0x00010001, payload)
                            : testing::udp(from.port, to.port, payload);
    frames.push_back({testing::ethernet_ip(v6 ? testing::ipv6(ip, body) : testing::ipv4(ip, body)), now_us});
    now_us += 1'000;
  }
  return frames;
}

std::vector<Frame> conversation(const YamlNode& node, std::size_t number, Diagnostics& diagnostics) {
  MapReader map(node, "a conversation", diagnostics);
  const YamlNode* ends = nullptr;
  std::string_view kind;
  for (const char* name : {"tcp", "udp", "icmp"}) {
    const YamlNode* found = map.optional(name);
    if (found == nullptr) continue;
    if (ends != nullptr) diagnostics.error("bad-value", found->where, "one of tcp, udp and icmp");
    ends = found;
    kind = name;
  }
  const auto start_us = static_cast<std::int64_t>(map.duration_us("start", number * 1'000'000));
  const YamlNode* exchange = map.required("exchange");
  map.finish();
  if (ends == nullptr) {
    diagnostics.error("bad-value", node.where, "say which: tcp, udp or icmp, with client and server");
    return {};
  }
  MapReader pair(*ends, fmt::format("`{}`", kind), diagnostics);
  const YamlNode* client_node = pair.required("client");
  const YamlNode* server_node = pair.required("server");
  pair.finish();
  if (client_node == nullptr || server_node == nullptr || exchange == nullptr) return {};
  const bool icmp = kind == "icmp";
  const auto client = read_end(*client_node, !icmp, diagnostics);
  const auto server = read_end(*server_node, !icmp, diagnostics);
  const std::vector<Step> steps = Steps(icmp, diagnostics).read(*exchange);
  if (!client || !server) return {};
  if ((client->address.find(':') == std::string::npos) != (server->address.find(':') == std::string::npos)) {
    diagnostics.error("bad-value", server_node->where, "client and server must be of one IP version");
    return {};
  }
  if (kind == "tcp") return play_tcp(*client, *server, kStartUs + start_us, steps);
  return play_datagrams(*client, *server, icmp, kStartUs + start_us, steps);
}

}  // namespace

std::vector<Frame> make_traffic(const YamlNode& node, Diagnostics& diagnostics) {
  std::vector<Frame> frames;
  if (!node.is_sequence() || node.items.empty()) {
    diagnostics.error("bad-value", node.where, "`traffic` must be a list of conversations");
    return frames;
  }
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    for (Frame& frame : conversation(node.items[i], i, diagnostics)) frames.push_back(std::move(frame));
  }
  std::stable_sort(frames.begin(), frames.end(),
                   [](const Frame& a, const Frame& b) { return a.time_us < b.time_us; });
  return frames;
}

}  // namespace gatehouse::ids::casetest
