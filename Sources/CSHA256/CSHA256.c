#include "CSHA256.h"

#if defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>
#include <string.h>

#define SHA_EXTENSIONS __attribute__((target("sha,sse4.1,ssse3")))
#define ALWAYS_INLINED inline __attribute__((always_inline))
#define UNROLLED _Pragma("clang loop unroll(full)")

enum { lanes = 2, block_bytes = 64 };

/// The state of one message, in the order that the instructions need: the words A B E F, and C D G H.
typedef struct {
    __m128i abef, cdgh;
} lane_state;

static const uint32_t initial_words[8] = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

static const uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

bool holdfast_sha256_pair_is_supported(void) {
    unsigned eax, ebx, ecx, edx;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx)) return false;
    bool has_sse = (ecx & bit_SSSE3) && (ecx & bit_SSE4_1);
    return has_sse && __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (ebx & bit_SHA);
}

/// Swaps the bytes of words, which are big-endian in messages and digests.
SHA_EXTENSIONS static inline __m128i swap_bytes(__m128i words) {
    return _mm_shuffle_epi8(words, _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203));
}

SHA_EXTENSIONS static inline __m128i load(const void *bytes) { return _mm_loadu_si128((const __m128i *)bytes); }

SHA_EXTENSIONS static inline lane_state begin(void) {
    __m128i badc = _mm_shuffle_epi32(load(initial_words), 0xb1);
    __m128i hgfe = _mm_shuffle_epi32(load(initial_words + 4), 0x1b);
    return (lane_state){_mm_alignr_epi8(badc, hgfe, 8), _mm_blend_epi16(hgfe, badc, 0xf0)};
}

SHA_EXTENSIONS static inline void finish(lane_state state, uint8_t digest[32]) {
    __m128i feba = _mm_shuffle_epi32(state.abef, 0x1b);
    __m128i dchg = _mm_shuffle_epi32(state.cdgh, 0xb1);
    _mm_storeu_si128((__m128i *)digest, swap_bytes(_mm_blend_epi16(feba, dchg, 0xf0)));
    _mm_storeu_si128((__m128i *)(digest + 16), swap_bytes(_mm_alignr_epi8(dchg, feba, 8)));
}

/// Computes four more words of the message schedule from the sixteen before them, which `words` holds as a ring.
SHA_EXTENSIONS static inline __m128i schedule(const __m128i words[4], int step) {
    __m128i sum = _mm_sha256msg1_epu32(words[step & 3], words[(step + 1) & 3]);
    sum = _mm_add_epi32(sum, _mm_alignr_epi8(words[(step + 3) & 3], words[(step + 2) & 3], 4));
    return _mm_sha256msg2_epu32(sum, words[(step + 3) & 3]);
}

/// Hashes the same number of blocks of one to `lanes` messages. It is inlined, so that `count` is a constant and the
/// loops over the lanes disappear.
SHA_EXTENSIONS ALWAYS_INLINED static void compress(
    lane_state *states, const uint8_t *const *messages, int count, size_t block_count) {
    for (size_t offset = 0; offset < block_count * block_bytes; offset += block_bytes) {
        lane_state now[lanes];
        __m128i words[lanes][4];
        UNROLLED for (int lane = 0; lane < count; lane++) now[lane] = states[lane];
        UNROLLED for (int step = 0; step < 16; step++) {
            __m128i constants = load(round_constants + 4 * step);
            UNROLLED for (int lane = 0; lane < count; lane++) {
                __m128i next =
                    step < 4 ? swap_bytes(load(messages[lane] + offset + 16 * step)) : schedule(words[lane], step);
                words[lane][step & 3] = next;
                __m128i inputs = _mm_add_epi32(next, constants);
                now[lane].cdgh = _mm_sha256rnds2_epu32(now[lane].cdgh, now[lane].abef, inputs);
                inputs = _mm_shuffle_epi32(inputs, 0x0e);
                now[lane].abef = _mm_sha256rnds2_epu32(now[lane].abef, now[lane].cdgh, inputs);
            }
        }
        UNROLLED for (int lane = 0; lane < count; lane++) {
            states[lane].abef = _mm_add_epi32(states[lane].abef, now[lane].abef);
            states[lane].cdgh = _mm_add_epi32(states[lane].cdgh, now[lane].cdgh);
        }
    }
}

SHA_EXTENSIONS static void compress_pair(
    lane_state states[lanes], const uint8_t *const messages[lanes], size_t block_count) {
    compress(states, messages, lanes, block_count);
}

SHA_EXTENSIONS static void compress_one(lane_state *state, const uint8_t *message, size_t block_count) {
    compress(state, &message, 1, block_count);
}

/// Makes the end of a message: its last bytes, a one bit, zeros, and its length in bits. Returns the number of blocks,
/// one or two.
static size_t pad(const uint8_t *rest, size_t rest_length, size_t length, uint8_t padded[2 * block_bytes]) {
    size_t block_count = rest_length < block_bytes - sizeof(uint64_t) ? 1 : 2;
    memset(padded, 0, 2 * block_bytes);
    if (rest_length > 0) memcpy(padded, rest, rest_length);
    padded[rest_length] = 0x80;
    for (size_t i = 0; i < sizeof(uint64_t); i++) {
        padded[block_count * block_bytes - 1 - i] = (uint8_t)(((uint64_t)length * 8) >> (8 * i));
    }
    return block_count;
}

/// Clears the upper halves of AVX registers, which other code on this thread (ISA-L, the C library) may have left in
/// use. Otherwise every SSE instruction, including those for SHA, also waits for the old value of the register that it
/// writes, which takes twice the time on an AMD EPYC.
static inline void clear_upper_halves(void) {
    if (!__builtin_cpu_supports("avx")) return;
    __asm__ volatile("vzeroupper" ::
                         : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",
                           "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

SHA_EXTENSIONS void holdfast_sha256_pair(
    const uint8_t *first, size_t first_length, const uint8_t *second, size_t second_length, uint8_t first_digest[32],
    uint8_t second_digest[32]) {
    clear_upper_halves();
    const uint8_t *messages[lanes] = {first, second};
    const size_t lengths[lanes] = {first_length, second_length};
    uint8_t *digests[lanes] = {first_digest, second_digest};
    lane_state states[lanes] = {begin(), begin()};
    size_t shorter = first_length < second_length ? first_length : second_length;
    size_t common = shorter / block_bytes;
    compress_pair(states, messages, common);

    uint8_t padded[lanes][2 * block_bytes];
    size_t padded_count[lanes];
    for (int lane = 0; lane < lanes; lane++) {
        size_t whole = lengths[lane] / block_bytes;
        compress_one(&states[lane], messages[lane] + common * block_bytes, whole - common);
        padded_count[lane] =
            pad(messages[lane] + whole * block_bytes, lengths[lane] % block_bytes, lengths[lane], padded[lane]);
    }
    if (padded_count[0] == padded_count[1]) {
        const uint8_t *ends[lanes] = {padded[0], padded[1]};
        compress_pair(states, ends, padded_count[0]);
    } else {
        for (int lane = 0; lane < lanes; lane++) compress_one(&states[lane], padded[lane], padded_count[lane]);
    }
    for (int lane = 0; lane < lanes; lane++) finish(states[lane], digests[lane]);
}

#else

bool holdfast_sha256_pair_is_supported(void) { return false; }

void holdfast_sha256_pair(
    const uint8_t *first, size_t first_length, const uint8_t *second, size_t second_length, uint8_t first_digest[32],
    uint8_t second_digest[32]) {
    __builtin_trap();
}

#endif
