/* Drop is called exactly once on every path, and never when the add has failed. */
#include <sys/resource.h>

#include "check.h"

static fsock_loop *shared;
static uint64_t victims[4];
static int drops;

static void never(fsock_loop *loop, uint64_t token, uint32_t ready, void *user) {
    (void)loop, (void)token, (void)ready, (void)user;
    CHECK(!"called");
}

static void never_due(fsock_loop *loop, uint64_t token, uint64_t passed, void *user) {
    (void)loop, (void)token, (void)passed, (void)user;
    CHECK(!"called");
}

static void never_woken(fsock_loop *loop, void *user) {
    (void)loop, (void)user;
    CHECK(!"called");
}

static void remove_all(fsock_loop *loop, uint64_t token, uint32_t ready, void *user) {
    (void)ready, (void)user;
    CHECK_IS(fsock_remove(loop, token), 0);
    CHECK_IS(fsock_remove(loop, victims[0]), 0);
    CHECK_IS(fsock_timer_stop(loop, victims[1]), 0);
}

/* A drop function that removes another source, whose drop function does the same. */
static void drop_next(void *user) {
    uint64_t *next = (uint64_t *)user;
    drops++;
    if (*next) CHECK_IS(fsock_remove(shared, *next), 0);
    CHECK_IS(fsock_loop_run_once(shared, 0), -EBUSY);
}

/* The same at the end of a loop, where nothing can be removed any more. */
static void drop_at_end(void *user) {
    fsock_event event;
    uint64_t token = *(uint64_t *)user;
    drops++;
    CHECK_IS(fsock_remove(shared, token), FSOCK_E_CLOSED);
    CHECK_IS(fsock_timer_start(shared, 0, 0, 0, never_due, NULL, NULL, NULL), FSOCK_E_CLOSED);
    CHECK_IS(fsock_loop_wait(shared, &event, 1, 0), -EBUSY);
    CHECK_IS(fsock_loop_stop(shared), FSOCK_E_CLOSED);
    CHECK_IS(fsock_loop_free(shared), FSOCK_E_CLOSED);
}

static void failed_adds(fsock_loop *loop) {
    int pair[2], file = open("/proc/self/exe", O_RDONLY), dropped = 0;
    uint64_t token = 42, taken;
    make_pair(pair);
    CHECK_IS(fsock_add(loop, pair[1], FSOCK_READABLE, 0, &taken), 0);
    CHECK_IS(fsock_add_callback(loop, file, FSOCK_READABLE, 0, never, &dropped, count_drop, &token), -EPERM);
    CHECK_IS(fsock_add_callback(loop, -1, FSOCK_READABLE, 0, never, &dropped, count_drop, &token), -EBADF);
    CHECK_IS(fsock_add_callback(loop, 19999, FSOCK_READABLE, 0, never, &dropped, count_drop, &token), -EBADF);
    CHECK_IS(fsock_add_callback(loop, pair[1], FSOCK_READABLE, 0, never, &dropped, count_drop, &token), -EEXIST);
    CHECK_IS(fsock_add_callback(loop, pair[0], 8, 0, never, &dropped, count_drop, &token), -EINVAL);
    CHECK_IS(fsock_add_callback(loop, pair[0], FSOCK_READABLE, 3, never, &dropped, count_drop, &token), -EINVAL);
    CHECK_IS(fsock_add_callback(loop, pair[0], FSOCK_READABLE, 8, never, &dropped, count_drop, &token), -EINVAL);
    CHECK_IS(fsock_add_callback(loop, pair[0], FSOCK_READABLE, 0, NULL, &dropped, count_drop, &token), -EINVAL);
    CHECK_IS(fsock_timer_start(loop, -1, 0, 0, never_due, &dropped, count_drop, &token), -EINVAL);
    CHECK_IS(fsock_timer_start(loop, 0, -1, 0, never_due, &dropped, count_drop, &token), -EINVAL);
    CHECK_IS(fsock_timer_start(loop, 0, 0, 2, never_due, &dropped, count_drop, &token), -EINVAL);
    CHECK_IS(fsock_timer_start(loop, 0, 0, 0, NULL, &dropped, count_drop, &token), -EINVAL);
    CHECK_IS(fsock_waker_new(loop, never_woken, &dropped, count_drop, NULL), -EINVAL);
    CHECK(dropped == 0 && token == 42);
    CHECK_IS(fsock_remove(loop, taken), 0);
    CHECK(dropped == 0);
    close(file);
    close_pair(pair);
}

/* eventfd(2) fails for want of a descriptor: the first waker of a loop cannot be made. */
static void failed_waker(void) {
    struct rlimit old, none;
    int dropped = 0;
    fsock_waker *waker = NULL;
    fsock_loop *loop = new_loop();
    CHECK(getrlimit(RLIMIT_NOFILE, &old) == 0);
    none = old;
    none.rlim_cur = 0;
    CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
    CHECK_IS(fsock_waker_new(loop, never_woken, &dropped, count_drop, &waker), -EMFILE);
    CHECK(setrlimit(RLIMIT_NOFILE, &old) == 0);
    CHECK(waker == NULL && dropped == 0);
    CHECK_IS(fsock_loop_free(loop), 0);
}

int main(void) {
    int pair[2], second[2], a = 0, b = 0, c = 0;
    uint64_t token, chain[3];
    fsock_waker *waker;
    fsock_loop *loop = new_loop();
    make_pair(pair);
    make_pair(second);
    failed_adds(loop);
    failed_waker();

    /* Removed by another's callback, while both are ready; and stopped while due. */
    put(pair[1], "x");
    put(second[1], "x");
    CHECK_IS(fsock_add_callback(loop, pair[0], FSOCK_READABLE, 0, remove_all, &a, count_drop, &token), 0);
    CHECK_IS(fsock_add_callback(loop, second[0], FSOCK_READABLE, 0, remove_all, &b, count_drop, &victims[0]), 0);
    CHECK_IS(fsock_timer_start(loop, 3600000 * MS, 0, 0, never_due, &c, count_drop, &victims[1]), 0);
    uint64_t first = token, other = victims[0];
    /* Whichever comes first removes the rest. */
    CHECK_IS(fsock_modify(loop, other, 0, 0), 0);
    CHECK_IS(fsock_loop_run(loop), 0);
    CHECK(a == 1 && b == 1 && c == 1);
    CHECK_IS(fsock_remove(loop, first), FSOCK_E_STALE);

    /* Drop functions may use the loop, except to wait. */
    shared = loop;
    chain[2] = 0;
    CHECK_IS(fsock_add_callback(loop, pair[0], 0, 0, never, &chain[2], drop_next, &chain[1]), 0);
    CHECK_IS(fsock_add_callback(loop, pair[1], 0, 0, never, &chain[1], drop_next, &chain[0]), 0);
    CHECK_IS(fsock_add_callback(loop, second[0], 0, 0, never, &chain[0], drop_next, &token), 0);
    CHECK_IS(fsock_remove(loop, token), 0);
    CHECK(drops == 3);

    /* The end of the loop gives everything back. */
    a = b = 0;
    CHECK_IS(fsock_add_callback(loop, pair[0], FSOCK_READABLE, 0, never, &a, count_drop, &token), 0);
    CHECK_IS(fsock_add_callback(loop, pair[1], FSOCK_READABLE, 0, never, &token, drop_at_end, NULL), 0);
    CHECK_IS(fsock_timer_start(loop, INT64_MAX, 0, 0, never_due, &b, count_drop, NULL), 0);
    CHECK_IS(fsock_waker_new(loop, never_woken, &b, count_drop, &waker), 0);
    CHECK_IS(fsock_loop_free(loop), 0);
    CHECK(a == 1 && b == 2 && drops == 4);
    CHECK_IS(fsock_waker_free(waker), 0);
    CHECK(b == 2);
    close_pair(pair);
    close_pair(second);
    return 0;
}
