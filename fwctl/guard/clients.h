// Connections of others: who they are, and whole lines of what they say.
#pragma once

#include <grp.h>
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/os.h"
#include "core/result.h"

namespace gatehouse::fwctl {

// A listening local socket; `group` may connect besides root.
core::Result<core::UniqueFd> listen_at(const std::string& path, std::optional<gid_t> group);

struct Client {
  core::UniqueFd fd;
  std::string input;
  std::string output;  // what it has not taken yet; until then nothing more is read from it
  std::string who;     // "ids (pid 4711, uid 993)"
  uid_t uid = 0;
  bool asks_for_bans = false;
  bool lent = false;
  bool waits = false;  // for what is lent to another
  std::int64_t since_us = 0;
};

// Root, or one whose groups hold `group`; nothing when it is neither, or nobody waits.
std::optional<Client> accept_from(int listener, std::optional<gid_t> group, std::int64_t now_us);

// The next whole line, without its end. `gone`: it has closed, failed, or sent a line that is too long.
std::optional<std::string> next_line(Client& client, std::size_t most, bool& gone);
// Sends what the client takes now and keeps the rest. False when it is gone.
bool answer(Client& client, const std::string& text);
bool flush(Client& client);
// The text with a descriptor beside it.
bool answer_with(const Client& client, const std::string& text, int descriptor);

}  // namespace gatehouse::fwctl
