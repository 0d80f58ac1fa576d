#include "cchecksum.h"

#include <string.h>

#define CASTAGNOLI_REFLECTED 0x82F63B78u

static uint32_t by_table(uint32_t crc, const uint8_t *p, size_t n) {
    static uint32_t table[8][256];
    static int ready;
    if (!__atomic_load_n(&ready, __ATOMIC_ACQUIRE)) {
        /* Filled with the same values by whoever comes first: a race writes equal words. */
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t c = i;
            for (int k = 0; k < 8; k++) c = (c >> 1) ^ (CASTAGNOLI_REFLECTED & (0u - (c & 1)));
            table[0][i] = c;
        }
        for (uint32_t i = 0; i < 256; i++)
            for (int t = 1; t < 8; t++) table[t][i] = (table[t - 1][i] >> 8) ^ table[0][table[t - 1][i] & 0xFF];
        __atomic_store_n(&ready, 1, __ATOMIC_RELEASE);
    }
    for (; n >= 8; n -= 8, p += 8) {
        uint32_t a, b;
        memcpy(&a, p, 4);
        memcpy(&b, p + 4, 4);
        a ^= crc;
        crc = table[7][a & 0xFF] ^ table[6][(a >> 8) & 0xFF] ^ table[5][(a >> 16) & 0xFF] ^ table[4][a >> 24] ^
              table[3][b & 0xFF] ^ table[2][(b >> 8) & 0xFF] ^ table[1][(b >> 16) & 0xFF] ^ table[0][b >> 24];
    }
    for (; n > 0; n--, p++) crc = (crc >> 8) ^ table[0][(crc ^ *p) & 0xFF];
    return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t by_instruction(uint32_t crc, const uint8_t *p, size_t n) {
    uint64_t c = crc;
    for (; n >= 8; n -= 8, p += 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        c = __builtin_ia32_crc32di(c, word);
    }
    uint32_t r = (uint32_t)c;
    for (; n > 0; n--, p++) r = __builtin_ia32_crc32qi(r, *p);
    return r;
}
static int has_instruction(void) { return __builtin_cpu_supports("sse4.2"); }
#elif defined(__aarch64__)
#include <sys/auxv.h>
#ifndef HWCAP_CRC32
#define HWCAP_CRC32 (1 << 7)
#endif
__attribute__((target("+crc"))) static uint32_t by_instruction(uint32_t crc, const uint8_t *p, size_t n) {
    for (; n >= 8; n -= 8, p += 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        crc = __builtin_arm_crc32cd(crc, word);
    }
    for (; n > 0; n--, p++) crc = __builtin_arm_crc32cb(crc, *p);
    return crc;
}
static int has_instruction(void) { return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0; }
#else
#define by_instruction by_table
static int has_instruction(void) { return 0; }
#endif

uint32_t cchecksum_crc32c(uint32_t crc, const void *bytes, size_t length) {
    static int choice; /* 0 not known yet, 1 instruction, 2 table */
    int chosen = __atomic_load_n(&choice, __ATOMIC_RELAXED);
    if (chosen == 0) {
        chosen = has_instruction() ? 1 : 2;
        __atomic_store_n(&choice, chosen, __ATOMIC_RELAXED);
    }
    crc = ~crc;
    crc = chosen == 1 ? by_instruction(crc, bytes, length) : by_table(crc, bytes, length);
    return ~crc;
}
