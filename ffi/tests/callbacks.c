/* Callback sources: called with what they were given, by every function that waits; run ends by itself and by stop. */
#include "check.h"

struct state {
    int fd, calls, drops, stop_at;
    uint64_t token;
    uint32_t ready;
};

static void on_ready(fsock_loop *loop, uint64_t token, uint32_t ready, void *user) {
    struct state *state = (struct state *)user;
    state->calls++;
    state->token = token;
    state->ready = ready;
    if (state->calls == state->stop_at) CHECK_IS(fsock_loop_stop(loop), 0);
}

static void on_drop(void *user) { ((struct state *)user)->drops++; }

static void remove_when_read(fsock_loop *loop, uint64_t token, uint32_t ready, void *user) {
    struct state *state = (struct state *)user;
    (void)ready;
    state->calls++;
    CHECK(take(state->fd) > 0);
    CHECK_IS(fsock_remove(loop, token), 0);
    CHECK_IS(fsock_remove(loop, token), FSOCK_E_STALE);
    /* Not before the callback has returned. */
    CHECK(state->drops == 0);
}

static void add_another(fsock_loop *loop, uint64_t token, uint32_t ready, void *user) {
    struct state *state = (struct state *)user;
    (void)ready;
    CHECK_IS(fsock_remove(loop, token), 0);
    CHECK_IS(fsock_add_callback(loop, state->fd, FSOCK_READABLE, FSOCK_LEVEL, remove_when_read, user, on_drop, NULL), 0);
}

int main(void) {
    fsock_loop *loop = new_loop();
    struct state state = {0, 0, 0, 0, 0, 0};
    fsock_event events[2];
    uint64_t token, plain;
    int pair[2], second[2], r;
    make_pair(pair);
    make_pair(second);
    state.fd = pair[0];

    /* Nothing registered: nothing to wait for. */
    CHECK_IS(fsock_loop_run(loop), 0);

    CHECK_IS(fsock_add_callback(loop, pair[0], FSOCK_READABLE, 0, on_ready, &state, on_drop, &token), 0);
    CHECK(state.calls == 0);
    put(pair[1], "x");
    CHECK_IS(fsock_loop_run_once(loop, FSOCK_FOREVER), 1);
    CHECK(state.calls == 1 && state.token == token && state.ready == FSOCK_READY_READ);
    CHECK_IS(fsock_loop_wait(loop, events, 2, FSOCK_FOREVER), 0);
    CHECK(state.calls == 2);

    /* Both styles in one wait. */
    CHECK_IS(fsock_add(loop, second[0], FSOCK_WRITABLE, FSOCK_LEVEL, &plain), 0);
    CHECK_IS(fsock_loop_wait(loop, events, 2, FSOCK_FOREVER), 1);
    CHECK(state.calls == 3 && events[0].token == plain);

    /* A source without a callback ends a run, and its event is kept for the wait. */
    CHECK_IS(fsock_loop_run(loop), FSOCK_E_NOCALLBACK);
    CHECK_IS(fsock_loop_run_once(loop, 0), FSOCK_E_NOCALLBACK);
    CHECK_IS(fsock_loop_run(loop), FSOCK_E_NOCALLBACK);
    CHECK_IS(fsock_loop_wait(loop, events, 1, FSOCK_FOREVER), 1);
    CHECK(events[0].token == plain);
    while ((r = fsock_loop_run_once(loop, 0)) > 0) {} /* what was harvested with it comes first */
    CHECK_IS(r, FSOCK_E_NOCALLBACK);
    CHECK_IS(fsock_remove(loop, plain), 0);
    /* ... and forgotten with its source. */
    state.calls = 0;
    CHECK_IS(fsock_loop_run_once(loop, 0), 1);

    /* It is there for the wait that could not be woken by it again. */
    CHECK_IS(fsock_modify(loop, token, 0, FSOCK_LEVEL), 0);
    CHECK_IS(fsock_add(loop, second[0], FSOCK_WRITABLE, FSOCK_ONESHOT, &plain), 0);
    CHECK_IS(fsock_loop_run(loop), FSOCK_E_NOCALLBACK);
    CHECK_IS(fsock_loop_wait(loop, events, 2, FSOCK_FOREVER), 1);
    CHECK(events[0].token == plain && events[0].ready == FSOCK_READY_WRITE);
    CHECK_IS(fsock_remove(loop, plain), 0);
    CHECK_IS(fsock_modify(loop, token, FSOCK_READABLE, FSOCK_LEVEL), 0);

    /* stop: from the callback, and from before. */
    state.stop_at = 3;
    CHECK_IS(fsock_loop_run(loop), 0);
    CHECK(state.calls == 3);
    CHECK_IS(fsock_loop_stop(loop), 0);
    CHECK_IS(fsock_loop_run(loop), 0);
    CHECK_IS(fsock_loop_stop(loop), 0);
    CHECK_IS(fsock_loop_run_once(loop, FSOCK_FOREVER), 0);
    CHECK_IS(fsock_loop_stop(loop), 0);
    CHECK_IS(fsock_loop_wait(loop, events, 2, FSOCK_FOREVER), 0);
    CHECK(state.calls == 3);
    CHECK_IS(fsock_loop_run_once(loop, FSOCK_FOREVER), 1);
    state.stop_at = 5;
    CHECK_IS(fsock_loop_wait(loop, events, 2, FSOCK_FOREVER), 0);
    CHECK_IS(fsock_loop_wait(loop, events, 2, FSOCK_FOREVER), 0);
    CHECK(state.calls == 6);

    /* Remove: drop at once, and once. */
    CHECK(state.drops == 0);
    CHECK_IS(fsock_remove(loop, token), 0);
    CHECK(state.drops == 1);
    CHECK_IS(fsock_remove(loop, token), FSOCK_E_STALE);
    CHECK(state.drops == 1);

    /* A callback removes itself, and puts another in its place: run ends when the last is gone. */
    state.calls = state.drops = 0;
    CHECK_IS(fsock_add_callback(loop, pair[0], FSOCK_READABLE, 0, add_another, &state, NULL, NULL), 0);
    CHECK_IS(fsock_loop_run(loop), 0);
    CHECK(state.calls == 1 && state.drops == 1);

    fsock_stats stats = FSOCK_STATS_INIT;
    CHECK_IS(fsock_loop_stats(loop, &stats), 0);
    CHECK(stats.turns >= 10 && stats.events >= 10 && stats.timers_fired == 0 && stats.reserved == 0);
    CHECK_IS(fsock_loop_free(loop), 0);
    close_pair(pair);
    close_pair(second);
    return 0;
}
