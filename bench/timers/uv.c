/* Timers of libuv. */
#include "timers.h"

#include <uv.h>

static uv_loop_t *loop;
static uv_timer_t *timers;

static const char *library(void) {
    static char text[64];
    snprintf(text, sizeof text, "libuv %s", uv_version_string());
    return text;
}

static void on_timer(uv_timer_t *timer) { due((size_t)(timer - timers)); }

/* uv_timer_stop leaves a handle initialized: set again, it need not be. */
static int set(size_t i, uint32_t ms) {
    if (!timers[i].loop) uv_timer_init(loop, &timers[i]);
    return uv_timer_start(&timers[i], on_timer, ms, 0);
}

static int again(size_t i, uint32_t ms) { return uv_timer_start(&timers[i], on_timer, ms, 0); }

static int cancel(size_t i) { return uv_timer_stop(&timers[i]); }

static void last(void) { uv_stop(loop); }

static int room(size_t count) {
    timers = calloc(count, sizeof *timers);
    loop = uv_default_loop();
    return timers && loop ? 0 : -1;
}

static void on_begin(uv_timer_t *timer) { ((void (*)(void))timer->data)(); }

static int begin(void (*work)(void)) {
    uv_timer_t timer;
    uv_timer_init(loop, &timer);
    timer.data = (void *)work;
    uv_timer_start(&timer, on_begin, 0, 0);
    uv_run(loop, UV_RUN_DEFAULT);
    return 0;
}
