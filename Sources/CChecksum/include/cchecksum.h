#ifndef CCHECKSUM_H
#define CCHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* CRC-32C (Castagnoli) of `length` bytes, continuing from `crc` (0 to start), as PostgreSQL and iSCSI define it.
 * Uses the CPU's own instruction where it has one, chosen once at run time. */
uint32_t cchecksum_crc32c(uint32_t crc, const void *bytes, size_t length);

/* The checksum of one 8 KiB PostgreSQL page, at any alignment: 1 ... 65535. Its own field counts as zero. */
uint16_t cchecksum_pg_page(const void *page, uint32_t block);

/* The index of the first of `count` consecutive pages that is damaged, else `count`: the stored checksum is wrong, or
 * the page looks new (pd_upper is 0) and is not all zero. */
size_t cchecksum_pg_first_bad(const void *pages, size_t count, uint32_t first_block);

/* The same by one of the implementations that this CPU can run, for tests: 0 is the portable one, the last the one in
 * use. */
size_t cchecksum_pg_first_bad_with(int variant, const void *pages, size_t count, uint32_t first_block);
int cchecksum_pg_variants(void);

/* Has the CPU fetch the two cache lines at an address whose content is soon wanted, and does not wait for them. Any
 * address may be given. */
static inline void cchecksum_prefetch(const void *address)
{
	__builtin_prefetch(address);
	__builtin_prefetch((const char *)address + 64);
}

#endif
