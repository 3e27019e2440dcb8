#include "soc/sinks/tls.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "core/os.h"

namespace gatehouse::soc {

namespace {

// A refused client certificate shows within a round trip and the server's check.
constexpr std::int64_t kSettleUs = 150'000;

struct FreeContext {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
struct FreeSsl {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};
using Context = std::unique_ptr<SSL_CTX, FreeContext>;
using Ssl = std::unique_ptr<SSL, FreeSsl>;

// All of OpenSSL's queue; the first entry alone often hides the reason.
std::string ssl_reasons() {
  std::string out;
  while (const unsigned long code = ERR_get_error()) {
    std::array<char, 256> text{};
    ERR_error_string_n(code, text.data(), text.size());
    out += (out.empty() ? "" : "; ") + std::string(text.data());
  }
  return out;
}

tl::unexpected<core::Error> ssl_fail(core::Errc code, std::string_view what) {
  const std::string reasons = ssl_reasons();
  return core::fail(code, reasons.empty() ? std::string(what) : fmt::format("{}: {}", what, reasons));
}

core::Result<Context> make_context(const TlsSettings& s) {
  ERR_clear_error();
  Context context(SSL_CTX_new(TLS_client_method()));
  if (!context) return ssl_fail(core::Errc::system, "cannot create a TLS context");
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // Renegotiation and compression have no use here.
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  if (SSL_CTX_load_verify_locations(context.get(), s.ca.c_str(), nullptr) != 1) {
    return ssl_fail(core::Errc::invalid_input, "cannot load CA certificates from " + s.ca);
  }
  if (SSL_CTX_use_certificate_chain_file(context.get(), s.certificate.c_str()) != 1) {
    return ssl_fail(core::Errc::invalid_input, "cannot load the certificate " + s.certificate);
  }
  if (SSL_CTX_use_PrivateKey_file(context.get(), s.key.c_str(), SSL_FILETYPE_PEM) != 1) {
    return ssl_fail(core::Errc::invalid_input, "cannot load the key " + s.key + " of " + s.certificate);
  }
  return context;
}

// Waits until `fd` is ready or the deadline passes; false: it passed.
core::Result<bool> wait_for(int fd, short events, std::int64_t deadline_us) {
  for (;;) {
    const std::int64_t left_ms = std::max<std::int64_t>(0, deadline_us - core::monotonic_us() + 999) / 1000;
    pollfd poll_fd{fd, events, 0};
    const int n = ::poll(&poll_fd, 1, static_cast<int>(std::min<std::int64_t>(left_ms, 60'000)));
    if (n > 0) return true;
    if (n < 0 && errno != EINTR) return core::fail_errno(errno, "poll");
    if (core::monotonic_us() >= deadline_us) return false;
  }
}

core::Result<core::UniqueFd> connect_tcp(const core::IpAddress& address, std::uint16_t port,
                                         std::int64_t timeout_us) {
  const std::string name = fmt::format("{} port {}", address.to_string(), port);
  core::UniqueFd fd(
      ::socket(address.is_v6() ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return core::fail_errno(errno, "socket");
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_storage storage{};
  socklen_t length = 0;
  if (address.is_v6()) {
    auto* to = reinterpret_cast<sockaddr_in6*>(&storage);
    to->sin6_family = AF_INET6;
    to->sin6_port = htons(port);
    std::copy(address.bytes.begin(), address.bytes.end(), to->sin6_addr.s6_addr);
    length = sizeof *to;
  } else {
    auto* to = reinterpret_cast<sockaddr_in*>(&storage);
    to->sin_family = AF_INET;
    to->sin_port = htons(port);
    to->sin_addr.s_addr = htonl(address.v4_host_order());
    length = sizeof *to;
  }
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&storage), length) == 0) return fd;
  if (errno != EINPROGRESS) return core::fail_errno(errno, "cannot connect to " + name);
  GH_TRY(const bool ready, wait_for(fd.get(), POLLOUT, core::monotonic_us() + timeout_us));
  if (!ready) return core::fail_errno(ETIMEDOUT, "cannot connect to " + name);
  int error = 0;
  socklen_t error_length = sizeof error;
  ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &error_length);
  if (error != 0) return core::fail_errno(error, "cannot connect to " + name);
  return fd;
}

}  // namespace

class TlsConnection::Impl {
 public:
  Impl(core::UniqueFd fd, Context context, std::string peer, std::int64_t stall_timeout_us)
      : fd_(std::move(fd)),
        context_(std::move(context)),
        peer_(std::move(peer)),
        stall_timeout_us_(stall_timeout_us) {}

  core::Status handshake(const TlsSettings& s) {
    ssl_.reset(SSL_new(context_.get()));
    if (!ssl_ || SSL_set_fd(ssl_.get(), fd_.get()) != 1)
      return ssl_fail(core::Errc::system, "cannot create a TLS session");
    const auto literal = core::IpAddress::parse(s.server_name);
    X509_VERIFY_PARAM* param = SSL_get0_param(ssl_.get());
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    const bool named = literal ? X509_VERIFY_PARAM_set1_ip_asc(param, s.server_name.c_str()) == 1
                               : SSL_set1_host(ssl_.get(), s.server_name.c_str()) == 1 &&
                                     SSL_set_tlsext_host_name(ssl_.get(), s.server_name.c_str()) == 1;
    if (s.server_name.empty() || !named)
      return ssl_fail(core::Errc::invalid_input, "unusable server name `" + s.server_name + "`");
    const std::int64_t deadline = core::monotonic_us() + s.connect_timeout_us;
    for (;;) {
      ERR_clear_error();
      const int result = SSL_connect(ssl_.get());
      if (result == 1) return {};
      const short want = wanted(result);
      if (want == 0) return handshake_error(s);
      GH_TRY(const bool ready, wait_for(fd_.get(), want, deadline));
      if (!ready)
        return core::fail(core::Errc::io, fmt::format("{} does not finish the TLS handshake", peer_));
    }
  }

  core::Status settle() {
    GH_TRY(const bool said, wait_for(fd_.get(), POLLIN, core::monotonic_us() + kSettleUs));
    if (!said) return {};
    if (const core::Status alive = check_alive(); !alive) {
      return core::fail(core::Errc::permission,
                        "after the handshake, when it had seen our certificate: " + alive.error().text);
    }
    return {};
  }

  core::Status write(std::string_view bytes) {
    std::int64_t deadline = core::monotonic_us() + stall_timeout_us_;
    while (!bytes.empty()) {
      GH_CHECK(check_alive());
      ERR_clear_error();
      const int n = SSL_write(ssl_.get(), bytes.data(),
                              static_cast<int>(std::min<std::size_t>(bytes.size(), 1U << 20U)));
      if (n > 0) {
        bytes.remove_prefix(static_cast<std::size_t>(n));
        deadline = core::monotonic_us() + stall_timeout_us_;
        continue;
      }
      const int err = errno;
      const short want = wanted(n);
      if (want == 0) return broken("cannot send to", err);
      // POLLIN too: a receiver that breaks off while we wait must be noticed.
      GH_TRY(const bool ready, wait_for(fd_.get(), static_cast<short>(want | POLLIN), deadline));
      if (!ready) return core::fail(core::Errc::io, fmt::format("{} takes nothing any more", peer_));
    }
    return {};
  }

  core::Status check_alive() {
    for (;;) {
      std::array<char, 1024> ignored;
      ERR_clear_error();
      const int n = SSL_read(ssl_.get(), ignored.data(), ignored.size());
      if (n > 0) continue;  // a receiver of syslog has nothing to say; let it
      const int err = errno;
      const int why = SSL_get_error(ssl_.get(), n);
      if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) return {};
      ended_ = why == SSL_ERROR_ZERO_RETURN || plain_end(why, err);
      if (ended_) return core::fail(core::Errc::io, peer_ + " ended the connection");
      return broken("connection broken by", err);
    }
  }

  // Rounded up to whole segments.
  std::uint64_t unacknowledged_bytes() const {
    tcp_info info{};
    socklen_t length = sizeof info;
    if (::getsockopt(fd_.get(), IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return UINT64_MAX;
    return info.tcpi_notsent_bytes + std::uint64_t{info.tcpi_unacked} * std::max(info.tcpi_snd_mss, 1U);
  }

  core::Status close(std::int64_t timeout_us) {
    GH_CHECK(check_alive());
    ERR_clear_error();
    (void)SSL_shutdown(ssl_.get());
    ::shutdown(fd_.get(), SHUT_WR);
    const std::int64_t deadline = core::monotonic_us() + timeout_us;
    for (;;) {
      if (const core::Status alive = check_alive(); !alive) {
        if (!ended_) return alive;
        return await_orderly_end(deadline);
      }
      GH_TRY(const bool ready, wait_for(fd_.get(), POLLIN, deadline));
      if (!ready) return core::fail(core::Errc::io, fmt::format("{} has not read everything in time", peer_));
    }
  }

  std::string description() const { return fmt::format("{} with {}", SSL_get_version(ssl_.get()), peer_); }

 private:
  // A goodbye inside TLS may come from a peer that never read what we sent. Then its kernel resets the
  // connection; only if it acknowledges all and ends it in order has the peer read everything.
  core::Status await_orderly_end(std::int64_t deadline_us) const {
    const auto unread = [this] {
      return core::fail(core::Errc::io, peer_ + " broke off before it had read everything");
    };
    for (bool end = false; !end || unacknowledged_bytes() > 0;) {
      char byte = 0;
      const ssize_t n = ::recv(fd_.get(), &byte, 1, MSG_DONTWAIT);
      if (n < 0 && errno != EAGAIN && errno != EINTR) return unread();
      end = end || n == 0;
      if (core::monotonic_us() >= deadline_us) return unread();
      if (!end) {
        GH_TRY(const bool ready, wait_for(fd_.get(), POLLIN, deadline_us));
        (void)ready;
      } else if (unacknowledged_bytes() > 0) {
        ::usleep(1000);
      }
    }
    int error = 0;
    socklen_t length = sizeof error;
    if (::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &length) != 0 || error != 0) return unread();
    return {};
  }

  // The poll events an unfinished operation waits for; 0: it failed.
  short wanted(int result) const {
    const int why = SSL_get_error(ssl_.get(), result);
    return why == SSL_ERROR_WANT_READ    ? short{POLLIN}
           : why == SSL_ERROR_WANT_WRITE ? short{POLLOUT}
                                         : short{0};
  }

  // OpenSSL 3 calls an end of file without close_notify an error of the protocol; for us both are
  // the orderly end of a receiver that has read all, unlike a reset.
  static bool plain_end(int why, int err) {
    if (why == SSL_ERROR_SYSCALL) return err == 0;
    return why == SSL_ERROR_SSL && ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
  }

  core::Status broken(std::string_view what, int err) const {
    const std::string reasons = ssl_reasons();
    if (!reasons.empty()) return core::fail(core::Errc::io, fmt::format("{} {}: {}", what, peer_, reasons));
    return core::fail_errno(err == 0 ? EPIPE : err, fmt::format("{} {}", what, peer_));
  }

  core::Status handshake_error(const TlsSettings& s) const {
    if (const long verdict = SSL_get_verify_result(ssl_.get()); verdict != X509_V_OK) {
      ERR_clear_error();
      return core::fail(core::Errc::permission,
                        fmt::format("refused {}, which should be {}: {}", peer_, s.server_name,
                                    X509_verify_cert_error_string(verdict)));
    }
    return broken("no TLS with", errno);
  }

  core::UniqueFd fd_;
  Context context_;
  Ssl ssl_;
  std::string peer_;
  std::int64_t stall_timeout_us_;
  bool ended_ = false;
};

core::Result<std::unique_ptr<TlsConnection>> TlsConnection::open(const TlsSettings& settings) {
  core::Error last{core::Errc::invalid_input, "the receiver has no address", {}};
  for (const core::IpAddress& address : settings.addresses) {
    auto fd = connect_tcp(address, settings.port, settings.connect_timeout_us);
    if (!fd) {
      last = fd.error();
      continue;
    }
    GH_TRY(Context context, make_context(settings));
    const std::string peer = fmt::format("{} port {}", address.to_string(), settings.port);
    auto impl = std::make_unique<Impl>(std::move(*fd), std::move(context), peer, settings.stall_timeout_us);
    // A wrong certificate at one address is no reason to ask the next one, but no reason not to either.
    core::Status status = impl->handshake(settings);
    if (status) status = impl->settle();
    if (status) return std::unique_ptr<TlsConnection>(new TlsConnection(std::move(impl)));
    last = status.error();
  }
  return tl::make_unexpected(last);
}

TlsConnection::TlsConnection(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TlsConnection::~TlsConnection() = default;
core::Status TlsConnection::write(std::string_view bytes) {
  return impl_->write(bytes);
}
core::Status TlsConnection::check_alive() {
  return impl_->check_alive();
}
std::uint64_t TlsConnection::unacknowledged_bytes() const {
  return impl_->unacknowledged_bytes();
}
core::Status TlsConnection::close(std::int64_t timeout_us) {
  return impl_->close(timeout_us);
}
std::string TlsConnection::description() const {
  return impl_->description();
}

}  // namespace gatehouse::soc
