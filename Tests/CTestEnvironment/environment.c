// Takes from the tests' own process what the environment of whoever runs them says: code that runs in it reads PGHOST,
// http_proxy, HOME and many more. Processes that a test starts get an environment that the test names (Tool.swift).
//
// As a constructor, because a variable may be changed only while no other thread runs.
#include <stdlib.h>
#include <string.h>

extern char **environ;

// What the tests themselves and their runner need; a name that ends in _ stands for all that begin with it.
static const char *const kept[] = {
    "CI", "HOLDFAST_BINARY", "HOLDFAST_TESTS_LONGER", "HOLDFAST_TESTS_NO_SKIP", "LD_", "LLVM_", "NO_COLOR", "PATH",
    "SWIFT_", "SWT_", "TERM", "TMPDIR", "XCT_",
};

static int is_kept(const char *variable) {
  for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
    size_t length = strlen(kept[i]);
    if (strncmp(variable, kept[i], length) != 0) continue;
    if (kept[i][length - 1] == '_' || variable[length] == '=') return 1;
  }
  return 0;
}

__attribute__((constructor)) static void clean_environment(void) {
  char **next = environ;
  for (char **variable = environ; *variable != NULL; variable++) {
    if (is_kept(*variable)) *next++ = *variable;
  }
  *next = NULL;
  setenv("HOME", "/nonexistent", 1);
  setenv("LC_ALL", "C.UTF-8", 1);
  setenv("TZ", "UTC", 1);
  // Otherwise SQLite's temporary files come into /var/tmp.
  setenv("SQLITE_TMPDIR", "/tmp", 1);
}
