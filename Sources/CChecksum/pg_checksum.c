#include "cchecksum.h"

#include <string.h>

/* The page checksum: 32 lanes of an FNV-1a variant over 32-bit words, folded with the block number.
 * Source of the definition: PostgreSQL's src/include/storage/checksum_impl.h. */
enum { PAGE_BYTES = 8192, LANES = 32, ROWS = PAGE_BYTES / (4 * LANES), UPPER_OFFSET = 14 };
#define FNV_PRIME 16777619u

static const uint32_t lane_start[LANES] __attribute__((aligned(64))) = {
    0x5B1F36E9, 0xB8525960, 0x02AB50AA, 0x1DE66D2A, 0x79FF467A, 0x9BB9F8A3, 0x217E7CD2, 0x83E13D2C,
    0xF8D4474F, 0xE39EB970, 0x42C6AE16, 0x993216FA, 0x7B093B5D, 0x98DAFF3C, 0xF718902A, 0x0B1C9CDB,
    0xE58F764B, 0x187636BC, 0x5D7B3BB1, 0xE73DE7DE, 0x92BEC979, 0xCCA6C0B2, 0x304A0979, 0x85AA43D4,
    0x783125BB, 0x6CA8EAA2, 0xE407EAC6, 0x4B5CFC3E, 0x9FBF8C76, 0x15CA20BE, 0xF2CA9FD3, 0x959BD756,
};

/* One row of the page is 32 words. `width` of them fit a register, so 32/width independent chains run side by side;
 * the multiplication's latency bounds a chain, so `pages` pages are hashed at once to fill the multiplier. */
#define DEFINE_HASH(name, width, pages, attributes)                                                                    \
    attributes static void name(const uint8_t *page, uint32_t *result) {                                               \
        typedef uint32_t vector __attribute__((vector_size(4 * width)));                                               \
        vector sums[pages][LANES / width];                                                                             \
        for (int p = 0; p < pages; p++) memcpy(sums[p], lane_start, sizeof sums[p]);                                   \
        for (int row = 0; row < ROWS + 2; row++) {                                                                     \
            _Pragma("clang loop unroll(full)") for (int p = 0; p < pages; p++) {                                       \
                vector words[LANES / width];                                                                           \
                if (row < ROWS)                                                                                        \
                    memcpy(words, page + (size_t)p * PAGE_BYTES + (size_t)row * 4 * LANES, sizeof words);              \
                else                                                                                                   \
                    memset(words, 0, sizeof words); /* two rows of zeros end the page */                               \
                if (row == 0) words[0][2] &= FLAGS_WORD_MASK;                                                          \
                _Pragma("clang loop unroll(full)") for (int k = 0; k < LANES / width; k++) {                           \
                    vector mixed = sums[p][k] ^ words[k];                                                              \
                    sums[p][k] = (mixed * FNV_PRIME) ^ (mixed >> 17);                                                  \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
        for (int p = 0; p < pages; p++) {                                                                              \
            uint32_t lanes[LANES], folded = 0;                                                                         \
            memcpy(lanes, sums[p], sizeof lanes);                                                                      \
            for (int k = 0; k < LANES; k++) folded ^= lanes[k];                                                        \
            result[p] = folded;                                                                                        \
        }                                                                                                              \
    }

/* pd_checksum is the lower half of the third word; it counts as zero. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define FLAGS_WORD_MASK 0xFFFF0000u
#else
#error "PostgreSQL pages are read on little-endian machines only"
#endif

DEFINE_HASH(hash_one, 4, 1, )
DEFINE_HASH(hash_two, 4, 2, )
#if defined(__x86_64__)
DEFINE_HASH(hash_one_avx2, 8, 1, __attribute__((target("avx2"))))
DEFINE_HASH(hash_two_avx2, 8, 2, __attribute__((target("avx2"))))
DEFINE_HASH(hash_one_avx512, 16, 1, __attribute__((target("avx512f,avx512bw,avx512dq"))))
DEFINE_HASH(hash_two_avx512, 16, 2, __attribute__((target("avx512f,avx512bw,avx512dq"))))
#endif

typedef void hash_function(const uint8_t *page, uint32_t *result);
struct implementation {
    hash_function *one, *two;
};

static const struct implementation implementations[] = {
    {hash_one, hash_two},
#if defined(__x86_64__)
    {hash_one_avx2, hash_two_avx2},
    {hash_one_avx512, hash_two_avx512},
#endif
};

static int best(void) {
    static int choice; /* 1 + index; racing threads store the same */
    int chosen = __atomic_load_n(&choice, __ATOMIC_RELAXED);
    if (chosen == 0) {
        chosen = 1;
#if defined(__x86_64__)
        if (__builtin_cpu_supports("avx2")) chosen = 2;
        if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
            __builtin_cpu_supports("avx512dq"))
            chosen = 3;
#endif
        __atomic_store_n(&choice, chosen, __ATOMIC_RELAXED);
    }
    return chosen - 1;
}

/* 1 ... 65535: 0 stands for "no checksum". */
static uint16_t fold(uint32_t hash, uint32_t block) { return (uint16_t)((hash ^ block) % 65535 + 1); }

static uint16_t load16(const uint8_t *p) {
    uint16_t value;
    memcpy(&value, p, 2);
    return value;
}

static int is_all_zero(const uint8_t *page) {
    uint64_t any = 0;
    for (int i = 0; i < PAGE_BYTES; i += 8) {
        uint64_t word;
        memcpy(&word, page + i, 8);
        any |= word;
    }
    return any == 0;
}

uint16_t cchecksum_pg_page(const void *page, uint32_t block) {
    uint32_t hash;
    implementations[best()].one(page, &hash);
    return fold(hash, block);
}

size_t cchecksum_pg_first_bad_with(int variant, const void *pages, size_t count, uint32_t first_block) {
    const struct implementation *with = &implementations[variant];
    const uint8_t *page = pages;
    for (size_t i = 0; i < count;) {
        uint32_t hashes[2];
        size_t n = count - i >= 2 ? 2 : 1;
        (n == 2 ? with->two : with->one)(page, hashes);
        for (size_t k = 0; k < n; k++, i++, page += PAGE_BYTES) {
            int right = load16(page + UPPER_OFFSET) == 0
                            ? is_all_zero(page)
                            : fold(hashes[k], first_block + (uint32_t)i) == load16(page + 8);
            if (!right) return i;
        }
    }
    return count;
}

size_t cchecksum_pg_first_bad(const void *pages, size_t count, uint32_t first_block) {
    return cchecksum_pg_first_bad_with(best(), pages, count, first_block);
}

int cchecksum_pg_variants(void) { return best() + 1; }
