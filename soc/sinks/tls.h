// A TLS client connection with certificates on both sides. tls.cc is the only includer of OpenSSL.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/ip.h"
#include "core/result.h"

namespace gatehouse::soc {

struct TlsSettings {
  std::vector<core::IpAddress> addresses;
  std::uint16_t port = 6514;
  std::string server_name;  // DNS name, or address, that the server's certificate must carry
  std::string ca;           // PEM files, read at each connect so that renewed ones are picked up
  std::string certificate;
  std::string key;
  std::int64_t connect_timeout_us = 5'000'000;
  std::int64_t stall_timeout_us = 30'000'000;
};

class TlsConnection {
 public:
  // TLS 1.2 or later; refuses a server whose chain does not end at `ca` or whose name differs. Waits
  // a moment after the handshake, because under TLS 1.3 a server refuses our certificate only then.
  static core::Result<std::unique_ptr<TlsConnection>> open(const TlsSettings& settings);
  ~TlsConnection();
  TlsConnection(const TlsConnection&) = delete;
  TlsConnection& operator=(const TlsConnection&) = delete;

  // Returns when the kernel has taken it all. Success says nothing about the receiver.
  core::Status write(std::string_view bytes);
  // Reads what the receiver may have said: its alert or its end of the connection is an error.
  core::Status check_alive();
  // Bytes of ciphertext that the peer's kernel has not acknowledged yet.
  std::uint64_t unacknowledged_bytes() const;
  // Says goodbye and waits for the receiver to do so, which it does after it has read everything.
  // An error when it does not, or when it broke off.
  core::Status close(std::int64_t timeout_us);
  std::string description() const;  // "TLSv1.3 with 10.66.3.10:6514"

 private:
  class Impl;
  explicit TlsConnection(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace gatehouse::soc
