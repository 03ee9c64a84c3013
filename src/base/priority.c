#include "base/priority.h"

#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SLICE_NS = 100000 };

void priority_give_way(int nice)
{
    /* sched_setattr(2); the header that declares it cannot stand beside <pthread.h>. */
    const struct {
        uint32_t size;
        uint32_t policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t slice_ns;
        uint64_t deadline;
        uint64_t period;
    } attributes = {.size = sizeof(attributes), .nice = nice, .slice_ns = SLICE_NS};
    if (syscall(SYS_sched_setattr, 0, &attributes, 0) != 0) {
        (void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), nice);
    }
}
