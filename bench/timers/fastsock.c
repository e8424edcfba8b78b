/* Timers of fastsock. What is kept for each is its token. */
#include "timers.h"

#include <fastsock.h>

#define MILLISECOND INT64_C(1000000)

static fsock_loop *loop;
static uint64_t *tokens;

static const char *library(void) {
    static char text[64];
    snprintf(text, sizeof text, "fastsock %s", fsock_version_string());
    return text;
}

static void on_timer(fsock_loop *of, uint64_t token, uint64_t passed, void *user) {
    (void)of, (void)token, (void)passed;
    due((size_t)(uintptr_t)user);
}

static int set(size_t i, uint32_t ms) {
    return fsock_timer_start(loop, ms * MILLISECOND, 0, 0, on_timer, (void *)(uintptr_t)i, NULL, &tokens[i]);
}

static int again(size_t i, uint32_t ms) { return fsock_timer_again(loop, tokens[i], ms * MILLISECOND); }

static int cancel(size_t i) { return fsock_timer_stop(loop, tokens[i]); }

static void last(void) { fsock_loop_stop(loop); }

static int room(size_t timers) {
    tokens = malloc(timers * sizeof *tokens);
    return tokens ? fsock_loop_new(NULL, &loop) : -1;
}

static void on_begin(fsock_loop *of, uint64_t token, uint64_t passed, void *user) {
    (void)of, (void)token, (void)passed;
    (*(void (**)(void))user)();
}

static int begin(void (*work)(void)) {
    int r = fsock_timer_start(loop, 0, 0, 0, on_begin, &work, NULL, NULL);
    return r < 0 ? r : fsock_loop_run(loop);
}
