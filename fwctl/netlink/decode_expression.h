// Expressions of live rules as plain data.
#pragma once

#include <cstdio>  // libnftnl does not include what it names

#include <libnftnl/expr.h>

#include "fwctl/compile/kernel_table.h"

namespace gatehouse::fwctl {

// Of libnftnl's getters, which give nothing for what is not there.
Bytes copy(const void* data, std::uint32_t length);
std::string text_of(const char* text);

Expression decode_expression(const nftnl_expr* expression);

}  // namespace gatehouse::fwctl
