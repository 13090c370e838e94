// SHA-256 of two messages at a time (FIPS 180-4). One message keeps the processor's SHA unit waiting for its own
// results half of the time; two that take turns do not.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Returns true if this processor is supported: x86-64 with the SHA extensions.
bool holdfast_sha256_pair_is_supported(void);

/// Computes the digests of `first` and `second`, together up to the length of the shorter one. Requires a supported
/// processor.
void holdfast_sha256_pair(
    const uint8_t *first, size_t first_length, const uint8_t *second, size_t second_length, uint8_t first_digest[32],
    uint8_t second_digest[32]);
