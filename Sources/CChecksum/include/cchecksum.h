#ifndef CCHECKSUM_H
#define CCHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* CRC-32C (Castagnoli) of `length` bytes, continuing from `crc` (0 to start), as PostgreSQL and iSCSI define it.
 * Uses the CPU's own instruction where it has one, chosen once at run time. */
uint32_t cchecksum_crc32c(uint32_t crc, const void *bytes, size_t length);

#endif
