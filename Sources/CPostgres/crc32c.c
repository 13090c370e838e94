#include "CPostgres.h"

#include <string.h>

/// The Castagnoli polynomial, reflected.
static const uint32_t polynomial = 0x82F63B78;

static uint32_t add_bits(uint32_t state, const unsigned char *bytes, size_t count) {
    for (size_t index = 0; index < count; index++) {
        state ^= bytes[index];
        for (int bit = 0; bit < 8; bit++) state = (state & 1) ? state >> 1 ^ polynomial : state >> 1;
    }
    return state;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t add_words(uint32_t state, const unsigned char *bytes, size_t count) {
    uint64_t wide = state;
    for (; count >= sizeof wide; bytes += sizeof wide, count -= sizeof wide) {
        uint64_t word;
        memcpy(&word, bytes, sizeof word);
        wide = __builtin_ia32_crc32di(wide, word);
    }
    state = (uint32_t)wide;
    for (; count > 0; bytes++, count--) state = __builtin_ia32_crc32qi(state, *bytes);
    return state;
}

uint32_t holdfast_crc32c(uint32_t state, const void *bytes, size_t count) {
    return __builtin_cpu_supports("sse4.2") ? add_words(state, bytes, count) : add_bits(state, bytes, count);
}
#else
uint32_t holdfast_crc32c(uint32_t state, const void *bytes, size_t count) { return add_bits(state, bytes, count); }
#endif
