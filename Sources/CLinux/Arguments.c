#include "CLinux.h"

// glibc calls the functions of .init_array with the arguments of main. Swift's CommandLine.arguments reads
// /proc/self/cmdline instead, and is empty where /proc is not mounted.

static int argument_count;
static char **argument_values;

__attribute__((constructor)) static void keep_arguments(int count, char **values) {
  argument_count = count;
  argument_values = values;
}

int holdfast_argument_count(void) { return argument_count; }

const char *holdfast_argument(int index) { return argument_values[index]; }
