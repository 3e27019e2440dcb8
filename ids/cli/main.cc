// ids: the command.
#include "ids/cli/verbs.h"

int main(int argc, char** argv) {
  return gatehouse::core::run_tool(gatehouse::ids::cli::ids_tool(), argc, argv);
}
