#pragma once
#include <isa-l.h>

// The sizes are nested macros that Swift does not import.
static const int holdfast_isal_level1_buffer_length = ISAL_DEF_LVL1_DEFAULT;
