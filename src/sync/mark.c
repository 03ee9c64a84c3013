#include "sync/mark.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"

/* As it lies in the file, in the machine's byte order: it never leaves the machine. */
struct mark_file {
    char format[8];
    struct uuid incarnation;
    atomic_int_fast64_t at[SHARDS_MAX];
};

struct mark {
    int fd;                 /* holds the lock */
    struct mark_file *file; /* mapped */
};

static const char format[8] = "confab1";

static struct mark_file *map(int fd)
{
    errno = posix_fallocate(fd, 0, sizeof(struct mark_file)); /* a full disk shows here */
    if (errno != 0) {
        return NULL;
    }
    void *p = mmap(NULL, sizeof(struct mark_file), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return p == MAP_FAILED ? NULL : p;
}

enum err mark_open(const char *path, struct mark **out)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool locked = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0;
    bool taken = fd >= 0 && !locked && errno == EWOULDBLOCK;
    struct mark_file *file = locked ? map(fd) : NULL;
    if (file == NULL) {
        log_error("cannot use the file path=%s: %s", path,
                  taken ? "another server uses this database" : strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return taken ? ERR_CONFLICT : ERR_UNAVAILABLE;
    }
    *out = mem_alloc_zero(sizeof(**out));
    **out = (struct mark){fd, file};
    return ERR_OK;
}

void mark_close(struct mark *mark)
{
    if (mark != NULL) {
        munmap(mark->file, sizeof(*mark->file));
        close(mark->fd);
        free(mark);
    }
}

bool mark_read(const struct mark *mark, struct uuid *incarnation, struct position *at)
{
    struct mark_file *file = mark->file;
    *incarnation = file->incarnation;
    for (size_t i = 0; i < SHARDS_MAX; i++) {
        at->at[i] = atomic_load(&file->at[i]);
    }
    return memcmp(file->format, format, sizeof(format)) == 0;
}

enum err mark_begin(struct mark *mark, struct uuid incarnation, const struct position *at)
{
    struct mark_file *file = mark->file;
    memcpy(file->format, format, sizeof(format));
    file->incarnation = incarnation;
    for (size_t i = 0; i < SHARDS_MAX; i++) {
        atomic_store(&file->at[i], at->at[i]);
    }
    if (msync(file, sizeof(*file), MS_SYNC) != 0) {
        log_error("cannot write down how far clients were told: %s", strerror(errno));
        return ERR_UNAVAILABLE;
    }
    return ERR_OK;
}

void mark_raise(struct mark *mark, const struct position *at)
{
    for (size_t i = 0; i < SHARDS_MAX; i++) {
        int_fast64_t known = atomic_load(&mark->file->at[i]);
        while (known < at->at[i] &&
               !atomic_compare_exchange_weak(&mark->file->at[i], &known, at->at[i])) {
        }
    }
}
