/* Thousands of sources are ready at once, and the first callback removes them all: no other is called. */
#include <sys/eventfd.h>
#include <sys/resource.h>

#include "check.h"

enum { MANY = 2500 };
static uint64_t tokens[MANY];
static int fds[MANY], count, calls, drops;

static void on_ready(fsock_loop *loop, uint64_t token, uint32_t ready, void *user) {
    (void)token, (void)ready, (void)user;
    calls++;
    for (int i = 0; i < count; i++) CHECK_IS(fsock_remove(loop, tokens[i]), 0);
}

static void on_drop(void *user) {
    drops++;
    close(*(int *)user);
}

int main(void) {
    struct rlimit limit;
    fsock_loop *loop = new_loop();
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    for (count = 0; count < MANY; count++) {
        fds[count] = eventfd(1, EFD_NONBLOCK);
        if (fds[count] < 0 && errno == EMFILE) {
            fprintf(stderr, "only %d of %d: the hard limit of descriptors is low\n", count, (int)MANY);
            break;
        }
        CHECK(fds[count] >= 0);
        CHECK_IS(fsock_add_callback(loop, fds[count], FSOCK_READABLE, FSOCK_LEVEL, on_ready, &fds[count], on_drop,
                                    &tokens[count]),
                 0);
    }
    CHECK(count > 100);
    CHECK_IS(fsock_loop_run(loop), 0);
    CHECK(calls == 1 && drops == count);
    CHECK_IS(fsock_loop_free(loop), 0);
    CHECK(drops == count);
    return 0;
}
