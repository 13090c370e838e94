#include "CScrypt.h"

// As BoringSSL declares it in openssl/evp.h, under the prefix that swift-crypto gives to all of its symbols. Were it to
// go under another name, the program could not be linked.
int CCryptoBoringSSL_EVP_PBE_scrypt(
    const char *password, size_t password_len, const uint8_t *salt, size_t salt_len, uint64_t N, uint64_t r, uint64_t p,
    size_t max_mem, uint8_t *out_key, size_t key_len);

bool holdfast_scrypt(
    const uint8_t *passphrase, size_t passphrase_length, const uint8_t *salt, size_t salt_length, uint64_t n,
    uint64_t r, uint64_t p, uint8_t *key, size_t key_length) {
    return CCryptoBoringSSL_EVP_PBE_scrypt(
               (const char *)passphrase, passphrase_length, salt, salt_length, n, r, p, SIZE_MAX, key, key_length) == 1;
}
