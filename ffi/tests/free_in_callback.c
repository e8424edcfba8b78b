/* fsock_loop_free inside a callback or a drop function: nothing else is called, everything is given back. */
#include "check.h"

static int calls, drops;

static void die(fsock_loop *loop) {
    fsock_event event;
    uint64_t token = 7;
    int r;
    calls++;
    CHECK_IS(fsock_loop_free(loop), 0);
    CHECK_IS(fsock_loop_free(loop), FSOCK_E_CLOSED);
    /* Until this returns the loop can be spoken to, but it does nothing any more. */
    CHECK_IS(fsock_add(loop, 0, FSOCK_READABLE, 0, &token), FSOCK_E_CLOSED);
    CHECK_IS(fsock_remove(loop, 1), FSOCK_E_CLOSED);
    CHECK_IS(fsock_loop_stop(loop), FSOCK_E_CLOSED);
    r = fsock_loop_wait(loop, &event, 1, 0);
    CHECK_IS(r, -EBUSY);
    CHECK(token == 7 && drops == 0);
}

static void on_ready(fsock_loop *loop, uint64_t token, uint32_t ready, void *user) {
    (void)token, (void)ready, (void)user;
    die(loop);
}

static void on_time(fsock_loop *loop, uint64_t token, uint64_t passed, void *user) {
    (void)token, (void)passed, (void)user;
    die(loop);
}

static void on_wake(fsock_loop *loop, void *user) {
    (void)user;
    die(loop);
}

static void on_drop(void *user) {
    (void)user;
    drops++;
}

static fsock_loop *doomed;

static void free_on_drop(void *user) {
    on_drop(user);
    CHECK_IS(fsock_loop_free(doomed), 0);
}

static void free_at_first(void *user) {
    on_drop(user);
    CHECK_IS(fsock_loop_free(doomed), drops == 1 ? 0 : FSOCK_E_CLOSED);
}

static void remove_self(fsock_loop *loop, uint64_t token, uint32_t ready, void *user) {
    (void)ready, (void)user;
    calls++;
    CHECK_IS(fsock_remove(loop, token), 0);
}

/* A loop in which everything is ready at once. */
static fsock_loop *eager(int pair[2], fsock_waker *wakers[2]) {
    fsock_loop *loop = new_loop();
    make_pair(pair);
    put(pair[0], "x");
    put(pair[1], "x");
    for (int i = 0; i < 2; i++) {
        CHECK_IS(fsock_add_callback(loop, pair[i], FSOCK_READABLE, 0, on_ready, NULL, on_drop, NULL), 0);
        CHECK_IS(fsock_waker_new(loop, on_wake, NULL, on_drop, &wakers[i]), 0);
        CHECK_IS(fsock_waker_wake(wakers[i]), 0);
    }
    calls = drops = 0;
    return loop;
}

static void end(int pair[2], fsock_waker *wakers[2]) {
    for (int i = 0; i < 2; i++) {
        CHECK_IS(fsock_waker_wake(wakers[i]), FSOCK_E_CLOSED);
        CHECK_IS(fsock_waker_free(wakers[i]), 0);
    }
    CHECK(calls == 1);
    close_pair(pair);
}

int main(void) {
    int pair[2], i;
    fsock_waker *wakers[2];
    fsock_event events[4];
    fsock_loop *loop;
    uint64_t token;

    for (i = 0; i < 3; i++) {
        loop = eager(pair, wakers);
        if (i == 0) CHECK_IS(fsock_loop_run(loop), FSOCK_E_CLOSED);
        if (i == 1) CHECK_IS(fsock_loop_run_once(loop, 0), FSOCK_E_CLOSED);
        if (i == 2) CHECK_IS(fsock_loop_wait(loop, events, 4, 0), FSOCK_E_CLOSED);
        CHECK(drops == 4);
        end(pair, wakers);
    }

    /* By a timer, which comes before the sources. */
    loop = eager(pair, wakers);
    CHECK_IS(fsock_timer_start(loop, 0, MS, 0, on_time, NULL, on_drop, NULL), 0);
    CHECK_IS(fsock_timer_start(loop, 0, MS, 0, on_time, NULL, on_drop, NULL), 0);
    CHECK_IS(fsock_loop_run(loop), FSOCK_E_CLOSED);
    CHECK(drops == 6);
    end(pair, wakers);

    /* By a waker. */
    loop = new_loop();
    make_pair(pair);
    calls = drops = 0;
    for (i = 0; i < 2; i++) {
        CHECK_IS(fsock_waker_new(loop, on_wake, NULL, on_drop, &wakers[i]), 0);
        CHECK_IS(fsock_waker_wake(wakers[i]), 0);
    }
    CHECK_IS(fsock_loop_run(loop), FSOCK_E_CLOSED);
    CHECK(drops == 2);
    end(pair, wakers);

    /* By a drop function, outside of any turn. */
    doomed = new_loop();
    make_pair(pair);
    calls = drops = 0;
    CHECK_IS(fsock_add_callback(doomed, pair[0], FSOCK_READABLE, 0, on_ready, NULL, free_on_drop, &token), 0);
    CHECK_IS(fsock_add_callback(doomed, pair[1], FSOCK_READABLE, 0, on_ready, NULL, on_drop, NULL), 0);
    CHECK_IS(fsock_remove(doomed, token), FSOCK_E_CLOSED);
    CHECK(calls == 0 && drops == 2);
    close_pair(pair);

    /* By the drop function of a source that removed itself: the other one, ready as well, is not called. */
    doomed = new_loop();
    make_pair(pair);
    calls = drops = 0;
    for (i = 0; i < 2; i++)
        CHECK_IS(fsock_add_callback(doomed, pair[i], FSOCK_WRITABLE, 0, remove_self, NULL, free_at_first, &token), 0);
    CHECK_IS(fsock_loop_run(doomed), FSOCK_E_CLOSED);
    CHECK(calls == 1 && drops == 2);
    close_pair(pair);
    return 0;
}
