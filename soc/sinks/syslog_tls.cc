// RFC 5424 over TLS (RFC 5425): octet-counted frames, certificates on both sides.
#include <deque>

#include "core/log.h"
#include "core/os.h"
#include "soc/sinks/sink.h"
#include "soc/sinks/syslog_message.h"
#include "soc/sinks/tls.h"

namespace gatehouse::soc {

namespace {

// The head of a message and the identity of an alert fit into this.
constexpr std::size_t kLeastFrameBytes = 1500;
// Frames are handed to TLS in pieces of about this size.
constexpr std::size_t kWriteBytes = 64U << 10U;

// Syslog has no acknowledgement. What was sent counts as delivered when it is old enough, the
// connection has lived on since, the peer's kernel has acknowledged it and enough has gone after it
// (see SinkSettings); or when the receiver has answered our goodbye, before which it read everything.
class SyslogTlsSink final : public Sink {
 public:
  explicit SyslogTlsSink(SinkSettings settings) : settings_(std::move(settings)) {}

  core::Status connect() override {
    connection_.reset();
    sent_.clear();
    handed_ = confirmed_ = sent_bytes_ = 0;
    const site::Receiver& r = settings_.receiver;
    GH_TRY(connection_,
           TlsConnection::open(TlsSettings{settings_.addresses, r.port, r.server_name, r.ca, r.certificate,
                                           r.key, settings_.connect_timeout_us, settings_.stall_timeout_us}));
    core::log_info("receiver {}: {}", r.name, connection_->description());
    return {};
  }

  core::Status send(std::string_view stream, std::span<const ReadEvent> events) override {
    text_.clear();
    for (const ReadEvent& e : events) {
      append_event_frame(text_, e.event, stream, settings_.host_name, settings_.receiver.max_frame_bytes);
      ++handed_;
      if (text_.size() >= kWriteBytes) GH_CHECK(flush());
    }
    return flush();
  }

  core::Result<std::uint64_t> confirmed() override {
    GH_CHECK(connection_->check_alive());
    const std::int64_t now = core::monotonic_us();
    const std::uint64_t on_the_way = connection_->unacknowledged_bytes();
    for (; !sent_.empty(); sent_.pop_front()) {
      const Sent& oldest = sent_.front();
      const std::uint64_t after = sent_bytes_ - oldest.end_bytes;
      const std::int64_t age = now - oldest.at_us;
      // Ciphertext is longer than what went into it, so this errs to the safe side.
      if (on_the_way > after || age < settings_.replay_us) break;
      if (after < settings_.replay_bytes && age < settings_.replay_idle_us) break;
      confirmed_ = oldest.end_events;
    }
    return confirmed_;
  }

  core::Status heartbeat(std::span<const StreamMark> marks) override {
    text_.clear();
    for (const StreamMark& mark : marks) append_heartbeat_frame(text_, mark, settings_.host_name);
    return connection_->write(text_);
  }

  core::Status finish(std::int64_t timeout_us) override {
    GH_CHECK(connection_->close(timeout_us));
    confirmed_ = handed_;
    sent_.clear();
    return {};
  }

 private:
  struct Sent {
    std::uint64_t end_events;
    std::uint64_t end_bytes;
    std::int64_t at_us;
  };

  core::Status flush() {
    if (text_.empty()) return {};
    GH_CHECK(connection_->write(text_));
    sent_bytes_ += text_.size();
    sent_.push_back(Sent{handed_, sent_bytes_, core::monotonic_us()});
    text_.clear();
    return {};
  }

  const SinkSettings settings_;
  std::unique_ptr<TlsConnection> connection_;
  std::string text_;
  std::deque<Sent> sent_;
  std::uint64_t handed_ = 0;
  std::uint64_t confirmed_ = 0;
  std::uint64_t sent_bytes_ = 0;
};

core::Result<std::unique_ptr<Sink>> make(const SinkSettings& settings) {
  const site::Receiver& r = settings.receiver;
  const auto refuse = [&](std::string_view what) {
    return core::fail(core::Errc::invalid_input, "receiver " + r.name + ": " + std::string(what), r.where);
  };
  if (settings.addresses.empty()) return refuse("its host has no address");
  if (r.server_name.empty()) return refuse("server-name is missing");
  if (r.ca.empty() || r.certificate.empty() || r.key.empty())
    return refuse("ca, certificate and key are all needed");
  if (r.max_frame_bytes < kLeastFrameBytes) return refuse("a frame must hold at least 1500 bytes");
  return std::unique_ptr<Sink>(std::make_unique<SyslogTlsSink>(settings));
}

}  // namespace

extern const SinkType k_syslog_tls_sink;
const SinkType k_syslog_tls_sink{site::ReceiverKind::syslog_tls, "syslog-tls", &make};

}  // namespace gatehouse::soc
