#pragma once
#include <zlib.h>

// deflateInit is a macro that passes the header's version, which Swift cannot see.
static inline int holdfast_deflate_init(z_streamp stream, int level) { return deflateInit(stream, level); }
