# Compiler settings shared by every target.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
include(GNUInstallDirs)

find_program(GATEHOUSE_CCACHE ccache)
if(GATEHOUSE_CCACHE)
  # ccache takes precompiled headers only when told that their macros and times do not matter.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${GATEHOUSE_CCACHE})
endif()

add_library(gh_options INTERFACE)
target_include_directories(gh_options INTERFACE "${CMAKE_SOURCE_DIR}" "${CMAKE_BINARY_DIR}/generated")
target_compile_options(gh_options INTERFACE -Wall -Wextra -Werror -Wshadow -Wnon-virtual-dtor
                       -Wimplicit-fallthrough -fstack-protector-strong)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # gcc 12 reports overruns in its own inlined std::string and std::vector code (gcc bugs 105329,
  # 105651), more so under sanitizers. ASan and _GLIBCXX_ASSERTIONS look for real ones.
  target_compile_options(gh_options INTERFACE -Wno-array-bounds -Wno-stringop-overflow -Wno-stringop-overread
                         -Wno-restrict -Wno-maybe-uninitialized -Wno-free-nonheap-object)
endif()
target_compile_definitions(gh_options INTERFACE GATEHOUSE_VERSION="${PROJECT_VERSION}")
target_link_options(gh_options INTERFACE -Wl,-z,relro,-z,now)
if(CMAKE_BUILD_TYPE STREQUAL "Debug")
  # Catches span and vector overruns in the debug, asan and fuzz builds.
  target_compile_definitions(gh_options INTERFACE _GLIBCXX_ASSERTIONS)
else()
  target_compile_options(gh_options INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
endif()
if(GATEHOUSE_SANITIZE)
  target_compile_options(gh_options INTERFACE -fsanitize=${GATEHOUSE_SANITIZE}
                         -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(gh_options INTERFACE -fsanitize=${GATEHOUSE_SANITIZE})
  target_compile_definitions(gh_options INTERFACE GATEHOUSE_SANITIZED=1)
endif()
if(GATEHOUSE_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "GATEHOUSE_FUZZ needs clang: use the preset 'fuzz'")
  endif()
  target_compile_options(gh_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

# One precompiled header for the modules and one for their tests: a third of the build is parsing
# the standard library and GoogleTest. It hides no missing include for long: -DGATEHOUSE_PCH=OFF.
option(GATEHOUSE_PCH "Use precompiled headers" ON)
if(GATEHOUSE_PCH)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(gh_options INTERFACE -fpch-preprocess)
  endif()
  file(WRITE "${CMAKE_BINARY_DIR}/generated/pch.cc" "// Carries a precompiled header.\n")
  function(gatehouse_pch name)
    add_library(${name} STATIC "${CMAKE_BINARY_DIR}/generated/pch.cc")
    target_link_libraries(${name} PRIVATE gh_options)
    target_precompile_headers(${name} PRIVATE ${ARGN})
  endfunction()
  set(GATEHOUSE_PCH_HEADERS <algorithm> <array> <cstdint> <functional> <map> <memory> <optional> <span> <string>
      <string_view> <utility> <variant> <vector> <tl/expected.hpp> <fmt/format.h>)
  gatehouse_pch(gh_pch ${GATEHOUSE_PCH_HEADERS})
endif()
