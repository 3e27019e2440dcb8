#include "ids/engine/top.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "core/json.h"

namespace gatehouse::ids::engine {
namespace {

using core::Errc;
using core::fail;
using core::JsonWriter;
using core::Result;
using core::UniqueFd;

constexpr std::size_t kLargestAnswer = 1U << 20U;

void time_field(JsonWriter& json, std::string_view name, std::int64_t us) {
  std::string text;
  core::append_eve_timestamp(text, us);
  json.field(name, text);
}
void address_field(JsonWriter& json, std::string_view name, const core::IpAddress& address) {
  if (address.version != 0) json.field(name, address.to_string());
}

void write_attack(JsonWriter& json, std::uint64_t id, const OpenAttack& a) {
  json.begin_object().field("id", id).field("class", anomaly::attack_class(a.verdict).klass);
  address_field(json, "source", a.source);
  address_field(json, "target", a.target);
  json.field("sources", a.sources).field("targets", a.targets).field("confidence", a.confidence);
  time_field(json, "first_seen", a.first_us);
  time_field(json, "last_seen", a.last_us);
  json.field("fate", triage::to_string(a.fate));
  if (!a.why_hidden.empty()) json.field("exception", a.why_hidden);
  json.end_object();
}

Result<sockaddr_un> socket_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path)
    return fail(Errc::invalid_input, "a socket has a path of at most 107 bytes");
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

bool connects(const UniqueFd& fd, const sockaddr_un& address) {
  return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

void limit_waiting(const UniqueFd& fd, suseconds_t us) {
  const timeval wait{us / 1'000'000, us % 1'000'000};
  (void)::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
  (void)::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
}

}  // namespace

std::string top_json(const anomaly::MonitorView& view, const OpenAttacks& attacks) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  time_field(json, "time", view.now_us());
  json.key("attacks").begin_array();
  for (const auto& [id, attack] : attacks) write_attack(json, id, attack);
  json.end_array().key("suspects").begin_array();
  for (const anomaly::Suspect& s : view.suspects()) {
    json.begin_object();
    address_field(json, "source", s.address);
    json.field("failed", s.failed).field("succeeded", s.succeeded);
    json.field("ports", s.ports).field("hosts", s.hosts).field("evidence_percent", s.percent);
    time_field(json, "last_seen", s.last_us);
    json.end_object();
  }
  json.end_array().key("victims").begin_array();
  for (const anomaly::VictimView& v : view.victims()) {
    json.begin_object();
    std::string name = v.address.to_string();
    if (v.prefix_bits != 0) name += "/" + std::to_string(v.prefix_bits);
    json.field("target", name).field("syn", v.syn).field("completed", v.completed).field("udp", v.udp);
    json.field("icmp", v.icmp).field("stray", v.stray).field("fragments", v.fragments);
    json.field("sources", v.sources);
    json.end_object();
  }
  json.end_array().end_object();
  return out + "\n";
}

Result<std::unique_ptr<TopSocket>> TopSocket::open(const std::string& path) {
  GH_TRY(const sockaddr_un address, socket_address(path));
  struct stat status {};
  if (::lstat(path.c_str(), &status) == 0) {
    if (!S_ISSOCK(status.st_mode)) return fail(Errc::invalid_input, path + " is there and no socket");
    const UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (connects(probe, address)) return fail(Errc::conflict, "somebody answers at " + path + " already");
    if (::unlink(path.c_str()) != 0) return core::fail_errno(errno, "remove " + path);
  }
  UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener.valid()) return core::fail_errno(errno, "socket");
  // From the first moment nobody else may connect.
  const mode_t before = ::umask(0177);
  const int bound = ::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int why = errno;
  ::umask(before);
  if (bound != 0) return core::fail_errno(why, "bind " + path);
  if (::listen(listener.get(), 4) != 0) return core::fail_errno(errno, "listen at " + path);
  return std::unique_ptr<TopSocket>(new TopSocket(path, std::move(listener)));
}

TopSocket::~TopSocket() {
  (void)::unlink(path_.c_str());
}

bool TopSocket::asked() {
  client_.reset(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  return client_.valid();
}

void TopSocket::answer(std::string_view line) {
  constexpr suseconds_t kWaitUs = 200'000;
  limit_waiting(client_, kWaitUs);
  // Who does not read it all gets what fits: the next question is as good.
  (void)::send(client_.get(), line.data(), line.size(), MSG_NOSIGNAL);
  client_.reset();
}

Result<std::string> ask_top(const std::string& path) {
  GH_TRY(const sockaddr_un address, socket_address(path));
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return core::fail_errno(errno, "socket");
  constexpr suseconds_t kWaitUs = 3'000'000;
  limit_waiting(fd, kWaitUs);
  if (!connects(fd, address)) return core::fail_errno(errno, "connect to " + path);
  std::string out;
  char buffer[4096];
  for (;;) {
    const ssize_t n = ::recv(fd.get(), buffer, sizeof buffer, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return core::fail_errno(errno, "no answer at " + path);
    if (n == 0) break;
    out.append(buffer, static_cast<std::size_t>(n));
    if (out.size() > kLargestAnswer)
      return fail(Errc::invalid_input, "the answer at " + path + " is too long");
  }
  return out;
}

}  // namespace gatehouse::ids::engine
