#include "db/sqlite_vfs.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"

/* Thirty pages with their headers. SQLite's VFS for Unix takes less than 128 KiB in one xWrite: it asks
 * no more of itself, and of exactly as much it would write nothing. */
enum { GATHERED_MAX = 30 * (4096 + 24), PAGES_AT_ONCE = 8 };

static sqlite3_vfs *real_vfs; /* set once, before the first use */

/* --- a log whose writes are gathered -------------------------------------------------------- */

/* Behind the default VFS's own file of the database. */
struct database {
    sqlite3_io_methods methods; /* the default ones but for xShmLock */
    int (*lock)(sqlite3_file *file, int offset, int n, int flags);
    struct wal *wal; /* NULL: not open */
};

/* What SQLite has as the file of a log. The default VFS's own file follows it in the same memory. */
struct wal {
    sqlite3_file file;
    sqlite3_file *real;
    sqlite3_file *database;
    char *bytes; /* GATHERED_MAX, that belong at `at` of the file and are not written yet */
    int n;
    sqlite3_int64 at;
};

static struct wal *wal_of(sqlite3_file *file)
{
    return (struct wal *)file; /* its first member */
}

static struct database *database_of(sqlite3_file *file)
{
    return (struct database *)((char *)file + real_vfs->szOsFile);
}

static sqlite3_file *real_of(sqlite3_file *file)
{
    return wal_of(file)->real;
}

/* What could not be written is given up, as it is when xWrite fails. */
static int write_gathered(struct wal *wal)
{
    int n = wal->n;
    wal->n = 0;
    return n == 0 ? SQLITE_OK : wal->real->pMethods->xWrite(wal->real, wal->bytes, n, wal->at);
}

static int wal_write(sqlite3_file *file, const void *bytes, int n, sqlite3_int64 at)
{
    struct wal *wal = wal_of(file);
    int code = SQLITE_OK;
    if (at != wal->at + wal->n || n > GATHERED_MAX - wal->n) {
        code = write_gathered(wal);
        wal->at = at;
    }
    if (code != SQLITE_OK || n > GATHERED_MAX) {
        return code != SQLITE_OK ? code : wal->real->pMethods->xWrite(wal->real, bytes, n, at);
    }
    memcpy(wal->bytes + wal->n, bytes, (size_t)n);
    wal->n += n;
    return SQLITE_OK;
}

static int wal_read(sqlite3_file *file, void *bytes, int n, sqlite3_int64 at)
{
    int code = write_gathered(wal_of(file));
    return code != SQLITE_OK ? code : real_of(file)->pMethods->xRead(real_of(file), bytes, n, at);
}

static int wal_sync(sqlite3_file *file, int flags)
{
    int code = write_gathered(wal_of(file));
    return code != SQLITE_OK ? code : real_of(file)->pMethods->xSync(real_of(file), flags);
}

static int wal_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    int code = write_gathered(wal_of(file));
    return code != SQLITE_OK ? code : real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static int wal_file_size(sqlite3_file *file, sqlite3_int64 *size)
{
    int code = write_gathered(wal_of(file));
    return code != SQLITE_OK ? code : real_of(file)->pMethods->xFileSize(real_of(file), size);
}

static int wal_close(sqlite3_file *file)
{
    struct wal *wal = wal_of(file);
    int written = write_gathered(wal);
    database_of(wal->database)->wal = NULL;
    int closed = wal->real->pMethods->xClose(wal->real);
    free(wal->bytes);
    wal->bytes = NULL;
    return written != SQLITE_OK ? written : closed;
}

static int wal_lock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int wal_unlock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int wal_check_reserved_lock(sqlite3_file *file, int *is_reserved)
{
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), is_reserved);
}

static int wal_file_control(sqlite3_file *file, int what, void *arg)
{
    return real_of(file)->pMethods->xFileControl(real_of(file), what, arg);
}

static int wal_sector_size(sqlite3_file *file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int wal_device_characteristics(sqlite3_file *file)
{
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int open_wal(const char *name, struct wal *wal, int flags, int *out_flags)
{
    static const sqlite3_io_methods methods = {
        .iVersion = 1,
        .xClose = wal_close,
        .xRead = wal_read,
        .xWrite = wal_write,
        .xTruncate = wal_truncate,
        .xSync = wal_sync,
        .xFileSize = wal_file_size,
        .xLock = wal_lock,
        .xUnlock = wal_unlock,
        .xCheckReservedLock = wal_check_reserved_lock,
        .xFileControl = wal_file_control,
        .xSectorSize = wal_sector_size,
        .xDeviceCharacteristics = wal_device_characteristics,
    };
    sqlite3_file *real = (sqlite3_file *)(wal + 1);
    *wal = (struct wal){.real = real, .database = sqlite3_database_file_object(name)};
    int code = real_vfs->xOpen(real_vfs, name, real, flags, out_flags);
    if (code == SQLITE_OK) {
        wal->bytes = mem_alloc(GATHERED_MAX);
        wal->file.pMethods = &methods;
        database_of(wal->database)->wal = wal;
    } else if (real->pMethods != NULL) {
        real->pMethods->xClose(real);
    }
    return code;
}

/* Once the lock of those who write is gone, others may write there: what is gathered goes out before,
 * also what a transaction left behind that was rolled back (SQLite tells the log's file nothing of
 * that). */
static int database_lock(sqlite3_file *file, int offset, int n, int flags)
{
    struct database *database = database_of(file);
    bool write_lock_ends = offset == 0 && (flags & SQLITE_SHM_UNLOCK) != 0 &&
                           (flags & SQLITE_SHM_EXCLUSIVE) != 0; /* WAL_WRITE_LOCK */
    if (write_lock_ends && database->wal != NULL) {
        (void)write_gathered(database->wal); /* what was committed is written: xSync */
    }
    return database->lock(file, offset, n, flags);
}

static int open_database(const char *name, sqlite3_file *file, int flags, int *out_flags)
{
    int code = real_vfs->xOpen(real_vfs, name, file, flags, out_flags);
    if (code == SQLITE_OK) {
        struct database *database = database_of(file);
        *database = (struct database){.methods = *file->pMethods, .lock = file->pMethods->xShmLock};
        database->methods.xShmLock = database_lock;
        file->pMethods = &database->methods;
    }
    return code;
}

static int open_committing(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                           int *out_flags)
{
    (void)vfs;
    if ((flags & SQLITE_OPEN_WAL) != 0) {
        return open_wal(name, (struct wal *)file, flags, out_flags);
    }
    if ((flags & SQLITE_OPEN_MAIN_DB) != 0) {
        return open_database(name, file, flags, out_flags);
    }
    return real_vfs->xOpen(real_vfs, name, file, flags, out_flags);
}

/* --- a database that is written slowly ------------------------------------------------------ */

/* Behind the default VFS's own file, which is the one that SQLite has. */
struct pace {
    sqlite3_io_methods methods; /* the default ones but for xWrite */
    int (*write)(sqlite3_file *file, const void *bytes, int n, sqlite3_int64 at);
    atomic_int pause_us;
    int pages; /* since the last pause */
};

static struct pace *pace_of(sqlite3_file *file)
{
    return (struct pace *)((char *)file + real_vfs->szOsFile);
}

static int paced_write(sqlite3_file *file, const void *bytes, int n, sqlite3_int64 at)
{
    struct pace *pace = pace_of(file);
    int code = pace->write(file, bytes, n, at);
    int pause_us = atomic_load(&pace->pause_us);
    if (code == SQLITE_OK && pause_us > 0 && ++pace->pages >= PAGES_AT_ONCE) {
        pace->pages = 0;
        code = file->pMethods->xSync(file, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY);
        usleep((useconds_t)pause_us);
    }
    return code;
}

static int open_checkpointing(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                              int *out_flags)
{
    (void)vfs;
    int code = real_vfs->xOpen(real_vfs, name, file, flags, out_flags);
    if (code == SQLITE_OK && (flags & SQLITE_OPEN_MAIN_DB) != 0) {
        struct pace *pace = pace_of(file);
        *pace = (struct pace){.methods = *file->pMethods, .write = file->pMethods->xWrite};
        pace->methods.xWrite = paced_write;
        file->pMethods = &pace->methods;
    }
    return code;
}

atomic_int *sqlite_vfs_pause(sqlite3 *db)
{
    sqlite3_file *file = NULL;
    if (sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK) {
        abort(); /* SQLite itself answers it, whichever the VFS is */
    }
    return &pace_of(file)->pause_us;
}

/* --- registration --------------------------------------------------------------------------- */

static const char committing_name[] = "confab-committing";
static const char checkpointing_name[] = "confab-checkpointing";

/* All methods of the default one but xOpen; they look at nothing of the struct that differs. */
static void register_one(sqlite3_vfs *vfs, const char *name, size_t more,
                         int (*open)(sqlite3_vfs *, const char *, sqlite3_file *, int, int *))
{
    *vfs = *real_vfs;
    vfs->zName = name;
    vfs->szOsFile = real_vfs->szOsFile + (int)more;
    vfs->pNext = NULL;
    vfs->xOpen = open;
    if (sqlite3_vfs_register(vfs, 0) != SQLITE_OK) {
        abort();
    }
}

static void register_both(void)
{
    static sqlite3_vfs committing;
    static sqlite3_vfs checkpointing;
    real_vfs = sqlite3_vfs_find(NULL);
    register_one(&committing, committing_name, sizeof(struct wal) + sizeof(struct database),
                 open_committing); /* a file is one or the other */
    register_one(&checkpointing, checkpointing_name, sizeof(struct pace), open_checkpointing);
}

static void register_once(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, register_both);
}

const char *sqlite_vfs_committing(void)
{
    register_once();
    return committing_name;
}

const char *sqlite_vfs_checkpointing(void)
{
    register_once();
    return checkpointing_name;
}
