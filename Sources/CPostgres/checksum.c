#include "CPostgres.h"

#include <string.h>

enum { sums = 32, rows = holdfast_postgres_page_bytes / (4 * sums), checksum_offset = 8 };

static const uint32_t prime = 16777619;

/// The initial values of the sums, a part of the page format.
static const uint32_t offsets[sums] = {
    0x5B1F36E9, 0xB8525960, 0x02AB50AA, 0x1DE66D2A, 0x79FF467A, 0x9BB9F8A3, 0x217E7CD2, 0x83E13D2C,
    0xF8D4474F, 0xE39EB970, 0x42C6AE16, 0x993216FA, 0x7B093B5D, 0x98DAFF3C, 0xF718902A, 0x0B1C9CDB,
    0xE58F764B, 0x187636BC, 0x5D7B3BB1, 0xE73DE7DE, 0x92BEC979, 0xCCA6C0B2, 0x304A0979, 0x85AA43D4,
    0x783125BB, 0x6CA8EAA2, 0xE407EAC6, 0x4B5CFC3E, 0x9FBF8C76, 0x15CA20BE, 0xF2CA9FD3, 0x959BD756,
};

static inline __attribute__((always_inline)) void add(uint32_t state[sums], const uint32_t words[sums]) {
    for (int lane = 0; lane < sums; lane++) {
        uint32_t mixed = state[lane] ^ words[lane];
        state[lane] = mixed * prime ^ (mixed >> 17);
    }
}

static inline __attribute__((always_inline)) uint32_t sum(const unsigned char *page) {
    uint32_t state[sums], words[sums];
    memcpy(state, offsets, sizeof state);
    for (int row = 0; row < rows; row++) {
        memcpy(words, page + row * sizeof words, sizeof words);
        // The checksum field itself counts as zero.
        if (row == 0) memset((unsigned char *)words + checksum_offset, 0, sizeof(uint16_t));
        add(state, words);
    }
    memset(words, 0, sizeof words);
    add(state, words);
    add(state, words);
    uint32_t result = 0;
    for (int lane = 0; lane < sums; lane++) result ^= state[lane];
    return result;
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static uint32_t sum_wide(const unsigned char *page) { return sum(page); }

static uint32_t sum_best(const unsigned char *page) {
    return __builtin_cpu_supports("avx2") ? sum_wide(page) : sum(page);
}
#else
static uint32_t sum_best(const unsigned char *page) { return sum(page); }
#endif

uint16_t holdfast_postgres_checksum(const void *page, uint32_t block) {
    return (uint16_t)((sum_best(page) ^ block) % 65535 + 1);
}
