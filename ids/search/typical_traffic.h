// What web and mail traffic is full of, written down: a window of bytes that occurs here is a bad one to look
// for.
#pragma once

#include <string_view>

namespace gatehouse::ids {

std::string_view typical_traffic();

}  // namespace gatehouse::ids
