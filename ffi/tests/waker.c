/* Wakers: from another thread, kept when early, counted once; free on either thread; harmless after the loop. */
#include <pthread.h>

#include "check.h"

struct state {
    fsock_waker *waker;
    int calls, drops, stop_after, posted, seen;
};

static void on_wake(fsock_loop *loop, void *user) {
    struct state *state = (struct state *)user;
    state->calls++;
    state->seen = state->posted;
    if (state->calls == state->stop_after) CHECK_IS(fsock_loop_stop(loop), 0);
}

static void on_drop(void *user) { ((struct state *)user)->drops++; }

static void free_own(fsock_loop *loop, void *user) {
    struct state *state = (struct state *)user;
    (void)loop;
    state->calls++;
    CHECK_IS(fsock_waker_free(state->waker), 0);
    CHECK(state->drops == 0);
}

static void *wake_later(void *user) {
    struct state *state = (struct state *)user;
    await_main_asleep();
    state->posted = 77;
    CHECK_IS(fsock_waker_wake(state->waker), 0);
    return NULL;
}

static void *wake_often(void *user) {
    for (int i = 0; i < 2000; i++) CHECK_IS(fsock_waker_wake(((struct state *)user)->waker), 0);
    return NULL;
}

static void *free_later(void *user) {
    struct state *state = (struct state *)user;
    await_main_asleep();
    CHECK_IS(fsock_waker_free(state->waker), 0);
    return NULL;
}

static void *free_at_once(void *user) {
    CHECK_IS(fsock_waker_free(((struct state *)user)->waker), 0);
    return NULL;
}

static void reset(struct state *state, int stop_after) {
    memset(state, 0, sizeof *state);
    state->stop_after = stop_after;
}

static void in_thread(void *(*body)(void *), struct state *state) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, body, state) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
}

int main(void) {
    fsock_loop *loop = new_loop();
    fsock_event event;
    struct state state, other;
    pthread_t thread;

    /* Before the wait: kept, and one call however often. */
    reset(&state, 0);
    reset(&other, 0);
    CHECK_IS(fsock_waker_new(loop, on_wake, &state, on_drop, &state.waker), 0);
    CHECK_IS(fsock_waker_new(loop, on_wake, &other, on_drop, &other.waker), 0);
    for (int i = 0; i < 3; i++) CHECK_IS(fsock_waker_wake(state.waker), 0);
    CHECK_IS(fsock_loop_wait(loop, &event, 1, FSOCK_FOREVER), 0);
    CHECK(state.calls == 1 && other.calls == 0);
    CHECK_IS(fsock_loop_run_once(loop, 0), 0);
    CHECK(state.calls == 1);

    /* During the wait, from another thread; what that wrote is seen. */
    state.stop_after = 2;
    CHECK(pthread_create(&thread, NULL, wake_later, &state) == 0);
    CHECK_IS(fsock_loop_run(loop), 0);
    CHECK(state.calls == 2 && state.seen == 77);
    CHECK(pthread_join(thread, NULL) == 0);

    /* Under a hail of wakes the last one is never lost. */
    state.stop_after = 0;
    CHECK(pthread_create(&thread, NULL, wake_often, &state) == 0);
    for (int i = 0; i < 200; i++) CHECK(fsock_loop_run_once(loop, 0) >= 0);
    CHECK(pthread_join(thread, NULL) == 0);
    while (fsock_loop_run_once(loop, 0) > 0) {}
    state.calls = 0;
    CHECK_IS(fsock_waker_wake(state.waker), 0);
    CHECK_IS(fsock_loop_run_once(loop, FSOCK_FOREVER), 1);
    CHECK(state.calls == 1);

    /* Freed with a wake on the way: no call, and the other's is not lost. */
    CHECK_IS(fsock_waker_wake(state.waker), 0);
    CHECK_IS(fsock_waker_wake(other.waker), 0);
    CHECK_IS(fsock_waker_free(state.waker), 0);
    CHECK(state.drops == 1);
    CHECK_IS(fsock_loop_run_once(loop, FSOCK_FOREVER), 1);
    CHECK(state.calls == 1 && other.calls == 1);

    /* Freed by its own callback: that is the last of its loop, so the run ends. */
    CHECK_IS(fsock_waker_free(other.waker), 0);
    reset(&state, 0);
    CHECK_IS(fsock_waker_new(loop, free_own, &state, on_drop, &state.waker), 0);
    CHECK_IS(fsock_waker_wake(state.waker), 0);
    CHECK_IS(fsock_loop_run(loop), 0);
    CHECK(state.calls == 1 && state.drops == 1);

    /* Freed on another thread: not called, dropped here, and the run ends. */
    reset(&state, 0);
    CHECK_IS(fsock_waker_new(loop, on_wake, &state, on_drop, &state.waker), 0);
    CHECK(pthread_create(&thread, NULL, free_later, &state) == 0);
    CHECK_IS(fsock_loop_run(loop), 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(state.calls == 0 && state.drops == 1);

    /* ... also when it was used before, and when the loop never turns again. */
    reset(&state, 0);
    CHECK_IS(fsock_waker_new(loop, on_wake, &state, on_drop, &state.waker), 0);
    CHECK_IS(fsock_waker_wake(state.waker), 0);
    in_thread(free_at_once, &state);
    CHECK(state.drops == 0);
    CHECK_IS(fsock_loop_run(loop), 0);
    CHECK(state.calls == 0 && state.drops == 1);
    CHECK_IS(fsock_waker_new(loop, on_wake, &state, on_drop, &state.waker), 0);
    in_thread(free_at_once, &state);

    /* Without a callback it ends the wait, and that is all. */
    reset(&other, 0);
    CHECK_IS(fsock_waker_new(loop, NULL, &other, on_drop, &other.waker), 0);
    CHECK(pthread_create(&thread, NULL, wake_later, &other) == 0);
    CHECK_IS(fsock_loop_wait(loop, &event, 1, FSOCK_FOREVER), 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(state.drops == 2);

    /* After the loop: an error, from any thread. */
    CHECK_IS(fsock_loop_free(loop), 0);
    CHECK(other.drops == 1);
    CHECK_IS(fsock_waker_wake(other.waker), FSOCK_E_CLOSED);
    in_thread(free_at_once, &other);
    CHECK(other.drops == 1);
    CHECK_IS(fsock_waker_free(NULL), 0);
    CHECK_IS(fsock_waker_wake(NULL), -EINVAL);
    return 0;
}
