/* A drop function runs before the next callback is chosen: what it removes is not called, what it puts off waits. */
#include <pthread.h>

#include "check.h"

static fsock_loop *loop;
static uint64_t tokens[2];
static fsock_waker *wakers[2];
static int calls, drops;

/* Of two that are ready, whoever comes first removes itself, and its drop function the other. */
static int other(void *user) { return user == &tokens[0] ? 1 : 0; }

static void on_ready(fsock_loop *l, uint64_t token, uint32_t ready, void *user) {
    (void)ready, (void)user;
    calls++;
    CHECK_IS(fsock_remove(l, token), 0);
    CHECK(drops == 0);
}

static void remove_other(void *user) {
    drops++;
    if (drops == 1) CHECK_IS(fsock_remove(loop, tokens[other(user)]), 0);
}

static void on_time(fsock_loop *l, uint64_t token, uint64_t passed, void *user) {
    (void)l, (void)token, (void)passed, (void)user;
    calls++;
}

static void stop_other(void *user) {
    drops++;
    if (drops == 1) CHECK_IS(fsock_timer_stop(loop, tokens[other(user)]), 0);
}

static void put_other_off(void *user) {
    drops++;
    if (drops == 1) CHECK_IS(fsock_timer_again(loop, tokens[other(user)], 3600 * 1000 * MS), 0);
}

static void on_wake(fsock_loop *l, void *user) {
    int i = !other(user);
    (void)l;
    calls++;
    CHECK_IS(fsock_waker_free(wakers[i]), 0);
    CHECK(drops == 0);
}

static void free_other(void *user) {
    drops++;
    if (drops == 1) CHECK_IS(fsock_waker_free(wakers[other(user)]), 0);
}

static void *free_it(void *waker) {
    CHECK_IS(fsock_waker_free((fsock_waker *)waker), 0);
    return NULL;
}

static void free_other_elsewhere(void *user) {
    pthread_t thread;
    drops++;
    if (drops > 1) return;
    CHECK(pthread_create(&thread, NULL, free_it, wakers[other(user)]) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
}

static void begin(void) {
    loop = new_loop();
    calls = drops = 0;
}

static void end(void) {
    CHECK_IS(fsock_loop_run(loop), 0);
    CHECK(calls == 1 && drops == 2);
    CHECK_IS(fsock_loop_free(loop), 0);
}

static void sources(void) {
    int pairs[2][2];
    begin();
    for (int i = 0; i < 2; i++) {
        make_pair(pairs[i]);
        put(pairs[i][1], "x");
        CHECK_IS(fsock_add_callback(loop, pairs[i][0], FSOCK_READABLE, 0, on_ready, &tokens[i], remove_other, &tokens[i]),
                 0);
    }
    end();
    for (int i = 0; i < 2; i++) close_pair(pairs[i]);
}

static void timers(fsock_drop drop) {
    begin();
    for (int i = 0; i < 2; i++) CHECK_IS(fsock_timer_start(loop, 0, 0, 0, on_time, &tokens[i], drop, &tokens[i]), 0);
}

static void wake(fsock_drop drop) {
    begin();
    for (int i = 0; i < 2; i++) {
        CHECK_IS(fsock_waker_new(loop, on_wake, &tokens[i], drop, &wakers[i]), 0);
        CHECK_IS(fsock_waker_wake(wakers[i]), 0);
    }
    end();
}

int main(void) {
    sources();
    timers(stop_other);
    end();
    timers(put_other_off);
    while (calls == 0) CHECK(fsock_loop_run_once(loop, FSOCK_FOREVER) >= 0);
    CHECK_IS(fsock_loop_run_once(loop, 0), 0);
    CHECK(calls == 1 && drops == 1);
    CHECK_IS(fsock_loop_free(loop), 0);
    CHECK(drops == 2);
    wake(free_other);
    wake(free_other_elsewhere);
    return 0;
}
