// The part of PostgreSQL that holdfast uses: libpq, loaded when it is first needed, and its checksums.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct pg_conn PGconn;
typedef struct pg_result PGresult;
typedef struct pg_cancel PGcancel;

/// The functions of libpq that holdfast uses (PostgreSQL documentation, chapter 34).
typedef struct {
    PGconn *(*connect)(const char *const *keywords, const char *const *values, int expand_dbname);
    int (*status)(const PGconn *);
    char *(*error_message)(const PGconn *);
    void (*finish)(PGconn *);
    int (*socket)(const PGconn *);
    int (*send)(PGconn *, const char *query, int count, const unsigned *types, const char *const *values,
                const int *lengths, const int *formats, int result_format);
    int (*consume)(PGconn *);
    int (*is_busy)(PGconn *);
    PGresult *(*result)(PGconn *);
    int (*result_status)(const PGresult *);
    char *(*result_error)(const PGresult *, int field);
    int (*row_count)(const PGresult *);
    int (*column_count)(const PGresult *);
    int (*is_null)(const PGresult *, int row, int column);
    int (*length)(const PGresult *, int row, int column);
    char *(*value)(const PGresult *, int row, int column);
    void (*clear)(PGresult *);
    PGcancel *(*get_cancel)(PGconn *);
    int (*cancel)(PGcancel *, char *message, int message_size);
    void (*free_cancel)(PGcancel *);
    int (*version)(void);
} holdfast_libpq;

/// Loads libpq.so.5. It is not linked, so that backups without PostgreSQL do not need it, and start faster.
/// - Returns: null if it is not installed.
const holdfast_libpq *holdfast_libpq_load(void);

enum {
    holdfast_connection_ok = 0,
    holdfast_result_command = 1,
    holdfast_result_tuples = 2,
    holdfast_field_state = 'C',
    holdfast_field_message = 'M',
    holdfast_field_hint = 'H',
};

enum { holdfast_postgres_page_bytes = 8192 };

/// The checksum that PostgreSQL keeps in the header of the page that is `block` pages into its relation (its source,
/// storage/checksum_impl.h: 32 interleaved FNV-1a sums, folded and mixed with the block number, never 0).
uint16_t holdfast_postgres_checksum(const void *page, uint32_t block);

/// Adds bytes to a CRC-32C as PostgreSQL has it in its control file and its WAL. The state begins and ends inverted.
uint32_t holdfast_crc32c(uint32_t state, const void *bytes, size_t count);
