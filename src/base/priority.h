/* The priority of threads that do what can wait. */
#pragma once

/* From here on the calling thread takes what others leave over. Besides the nice value (Linux has one
 * for each thread) it asks for short slices of time, so that a request that wakes up need not wait for
 * the end of a long one; kernels before 6.12 do not know that and keep to the nice value. */
void priority_give_way(int nice);
