/* Measured: how long the loop was idle, and how long its longest callback took. Only when asked to. */
#include "check.h"

static void busy(fsock_loop *loop, uint64_t token, uint64_t passed, void *user) {
    int64_t end = now_ns() + *(int64_t *)user;
    (void)loop, (void)token, (void)passed;
    while (now_ns() < end) {}
}

int main(void) {
    fsock_loop *loop = new_loop();
    fsock_stats stats = FSOCK_STATS_INIT;
    int64_t work = 2 * MS, wait = 3 * MS;
    CHECK_IS(fsock_timer_start(loop, wait, 0, 0, busy, &work, NULL, NULL), 0);
    CHECK_IS(fsock_loop_run(loop), 0);
    CHECK_IS(fsock_loop_stats(loop, &stats), 0);
    CHECK(stats.idle_ns == 0 && stats.longest_callback_ns == 0);
    CHECK_IS(fsock_loop_measure(loop, 1), 0);
    CHECK_IS(fsock_loop_run_once(loop, wait), 0);
    CHECK_IS(fsock_timer_start(loop, 0, 0, 0, busy, &work, NULL, NULL), 0);
    CHECK_IS(fsock_loop_run(loop), 0);
    CHECK_IS(fsock_loop_stats(loop, &stats), 0);
    CHECK(stats.idle_ns >= (uint64_t)wait && stats.longest_callback_ns >= (uint64_t)work);
    CHECK_IS(fsock_loop_measure(loop, 0), 0);
    uint64_t idle = stats.idle_ns;
    CHECK_IS(fsock_loop_run_once(loop, MS), 0);
    CHECK_IS(fsock_loop_stats(loop, &stats), 0);
    CHECK(stats.idle_ns == idle);
    CHECK_IS(fsock_loop_measure(NULL, 1), -EINVAL);
    CHECK_IS(fsock_loop_free(loop), 0);
    return 0;
}
