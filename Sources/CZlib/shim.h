#pragma once
#include <zlib.h>

// deflateInit2 and inflateInit are macros that pass the header's version, which Swift cannot see.
static inline int holdfast_deflate_init(z_streamp stream, int level) { return deflateInit(stream, level); }
static inline int holdfast_inflate_init(z_streamp stream) { return inflateInit(stream); }
