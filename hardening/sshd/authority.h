// The user certificate authority: made and used through ssh-keygen(1), the only tool that needs to
// know the certificate format. No shell is involved; every argument is checked first.
#pragma once

#include <cstdint>
#include <string>

#include "core/result.h"
#include "site/model/site.h"

namespace gatehouse::hardening {

// Makes DIR/user-ca and DIR/user-ca.pub (Ed25519, no passphrase: the directory is the protection,
// mode 0700). An existing authority is never overwritten.
core::Status init_authority(const std::string& directory);

struct SignRequest {
  std::string authority;  // the directory given to init_authority
  std::string role;
  std::string person;
  std::string public_key;  // path of NAME.pub; the certificate becomes NAME-cert.pub
  std::uint64_t valid_us = 0;
};

inline constexpr std::uint64_t kLongestValidityUs = 24ULL * 3600 * 1'000'000;

// Signs when the site says that the person is in the role's group. The certificate carries the role
// as its only principal, no forwarding rights, and an identity "person:role" that sshd logs.
// Gives the path of the certificate.
core::Result<std::string> sign_certificate(const site::Site& site, const SignRequest& request);

}  // namespace gatehouse::hardening
