// scrypt (RFC 7914), from the BoringSSL that swift-crypto brings along. swift-crypto itself offers scrypt in
// CryptoExtras only, which is as large as all the rest of it and is compiled for nothing else.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Derives `key` from a passphrase. It takes 128 * n * r bytes of memory.
/// - Parameters:
///   - n: the cost, a power of two.
///   - r: the size of a block.
///   - p: the parallelization factor.
/// - Returns: false if the parameters are not allowed, or there is not enough memory.
bool holdfast_scrypt(
    const uint8_t *passphrase, size_t passphrase_length, const uint8_t *salt, size_t salt_length, uint64_t n,
    uint64_t r, uint64_t p, uint8_t *key, size_t key_length);
