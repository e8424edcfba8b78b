/* A loop inside a host's own: by its descriptor, by its next deadline, or its wait alone. */
#include "check.h"

#include <poll.h>
#include <signal.h>

static int timers, reads, wakes, signals;

static void on_time(fsock_loop *loop, uint64_t token, uint64_t passed, void *user) {
    (void)loop, (void)token, (void)passed, (void)user;
    timers++;
}

static void on_ready(fsock_loop *loop, uint64_t token, uint32_t ready, void *user) {
    (void)loop, (void)token, (void)ready;
    CHECK(take(*(int *)user) > 0);
    reads++;
}

static void on_wake(fsock_loop *loop, void *user) {
    (void)loop, (void)user;
    wakes++;
}

static void on_signal(fsock_loop *loop, uint64_t token, int signum, uint64_t times, void *user) {
    (void)loop, (void)token, (void)signum, (void)times, (void)user;
    signals++;
}

/* The host: waits for the loop's descriptor alone, without end. */
static void host_turn(fsock_loop *loop) {
    struct pollfd entry;
    entry.fd = fsock_loop_fd(loop), entry.events = POLLIN, entry.revents = 0;
    CHECK(entry.fd >= 0);
    while (poll(&entry, 1, -1) < 0) CHECK(errno == EINTR);
    CHECK(fsock_loop_run_once(loop, 0) >= 0);
}

static void by_descriptor(fsock_loop *loop) {
    fsock_waker *waker;
    int pair[2];
    uint64_t token, timer;
    make_pair(pair);
    CHECK_IS(fsock_timer_start(loop, 5 * MS, 0, 0, on_time, NULL, NULL, NULL), 0);
    while (timers == 0) host_turn(loop);
    CHECK_IS(fsock_add_callback(loop, pair[0], FSOCK_READABLE, 0, on_ready, &pair[0], NULL, &token), 0);
    put(pair[1], "x");
    while (reads == 0) host_turn(loop);
    CHECK_IS(fsock_waker_new(loop, on_wake, NULL, NULL, &waker), 0);
    CHECK_IS(fsock_waker_wake(waker), 0);
    while (wakes == 0) host_turn(loop);
    CHECK_IS(fsock_signal_start(loop, SIGUSR1, on_signal, NULL, NULL, NULL), 0);
    CHECK(raise(SIGUSR1) == 0);
    while (signals == 0) host_turn(loop);
    /* Set nearer from outside: the descriptor knows. */
    timers = 0;
    CHECK_IS(fsock_timer_start(loop, 3600000 * MS, 0, 0, on_time, NULL, NULL, &timer), 0);
    CHECK_IS(fsock_timer_again(loop, timer, 2 * MS), 0);
    while (timers == 0) host_turn(loop);
    CHECK_IS(fsock_waker_free(waker), 0);
    CHECK_IS(fsock_remove(loop, token), 0);
    close_pair(pair);
}

static void by_deadline(fsock_loop *loop) {
    uint64_t token, plain;
    int64_t left;
    int pair[2];
    fsock_event event;
    CHECK(fsock_loop_timeout(loop) == FSOCK_FOREVER);
    CHECK_IS(fsock_timer_start(loop, 3600000 * MS, 0, 0, on_time, NULL, NULL, &token), 0);
    left = fsock_loop_timeout(loop);
    CHECK(left > 3000000 * MS && left <= 3600000 * MS);
    CHECK_IS(fsock_timer_again(loop, token, 0), 0);
    CHECK(fsock_loop_timeout(loop) == 0);
    CHECK_IS(fsock_loop_run_once(loop, 0), 1);
    CHECK(fsock_loop_timeout(loop) == FSOCK_FOREVER);
    /* A stop that nothing has ended by, and an event that found no place, are news. */
    CHECK_IS(fsock_loop_stop(loop), 0);
    CHECK(fsock_loop_timeout(loop) == 0);
    CHECK_IS(fsock_loop_run(loop), 0);
    CHECK(fsock_loop_timeout(loop) == FSOCK_FOREVER);
    make_pair(pair);
    CHECK_IS(fsock_add(loop, pair[0], FSOCK_WRITABLE, FSOCK_LEVEL, &plain), 0);
    CHECK_IS(fsock_loop_run_once(loop, 0), FSOCK_E_NOCALLBACK);
    CHECK(fsock_loop_timeout(loop) == 0);
    CHECK_IS(fsock_loop_wait(loop, &event, 1, 0), 1);
    CHECK_IS(fsock_remove(loop, plain), 0);
    CHECK(fsock_loop_timeout(loop) == FSOCK_FOREVER);
    CHECK(fsock_loop_timeout(NULL) == -EINVAL);
    close_pair(pair);
}

/* A host with a lock: it waits without it, and is called back with it. */
static int locked;

static void on_locked(fsock_loop *loop, uint64_t token, uint32_t ready, void *user) {
    (void)token, (void)ready;
    CHECK(locked && take(*(int *)user) > 0);
    CHECK_IS(fsock_loop_harvest(loop, 0), -EBUSY);
    reads++;
}

static void wait_and_calls_apart(fsock_loop *loop) {
    int pair[2], other[2];
    uint64_t token, plain[2];
    fsock_event event;
    make_pair(pair);
    make_pair(other);
    locked = reads = timers = 0;
    CHECK_IS(fsock_loop_harvest(NULL, 0), -EINVAL);
    CHECK_IS(fsock_loop_harvest(loop, 0), 0);
    CHECK_IS(fsock_add_callback(loop, pair[0], FSOCK_READABLE, 0, on_locked, &pair[0], NULL, &token), 0);
    put(pair[1], "x");
    CHECK_IS(fsock_loop_harvest(loop, FSOCK_FOREVER), 1);
    CHECK_IS(fsock_loop_harvest(loop, FSOCK_FOREVER), 1); /* it waits for the dispatch */
    CHECK(reads == 0);
    locked = 1;
    CHECK_IS(fsock_loop_run_once(loop, FSOCK_FOREVER), 1);
    CHECK(reads == 1);
    locked = 0;
    CHECK_IS(fsock_timer_start(loop, MS, 0, 0, on_time, NULL, NULL, NULL), 0);
    CHECK_IS(fsock_loop_harvest(loop, FSOCK_FOREVER), 0);
    CHECK(timers == 0);
    CHECK_IS(fsock_loop_run_once(loop, FSOCK_FOREVER), 1);
    CHECK(timers == 1);
    /* More was harvested than the array has room for: nothing is lost. */
    for (int i = 0; i < 2; i++) CHECK_IS(fsock_add(loop, other[i], FSOCK_WRITABLE, FSOCK_ONESHOT, &plain[i]), 0);
    CHECK_IS(fsock_loop_harvest(loop, FSOCK_FOREVER), 2);
    CHECK_IS(fsock_loop_wait(loop, &event, 1, FSOCK_FOREVER), 1);
    uint64_t first = event.token;
    CHECK(fsock_loop_harvest(loop, FSOCK_FOREVER) == 1);
    CHECK_IS(fsock_loop_wait(loop, &event, 1, FSOCK_FOREVER), 1);
    CHECK(event.token != first && (event.token == plain[0] || event.token == plain[1]));
    CHECK_IS(fsock_loop_stop(loop), 0);
    CHECK_IS(fsock_loop_harvest(loop, FSOCK_FOREVER), 0);
    CHECK_IS(fsock_loop_run(loop), 0);
    CHECK_IS(fsock_remove(loop, token), 0);
    for (int i = 0; i < 2; i++) CHECK_IS(fsock_remove(loop, plain[i]), 0);
    close_pair(pair);
    close_pair(other);
}

int main(void) {
    fsock_loop *loop = new_loop();
    wait_and_calls_apart(loop);
    by_deadline(loop);
    if (is_epoll(loop)) by_descriptor(loop);
    else CHECK_IS(fsock_loop_fd(loop), -EOPNOTSUPP);
    CHECK_IS(fsock_loop_free(loop), 0);
    return 0;
}
