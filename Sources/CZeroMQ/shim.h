#include <zmq.h>

// Two things that the Glibc module leaves out: eventfd, and a way to name the calling thread.
#if defined(__linux__)
#include <sys/eventfd.h>
#include <sys/prctl.h>

static inline void apus_name_this_thread(const char *name) {
    prctl(PR_SET_NAME, name, 0, 0, 0);
}
#endif
