/* Timers of libev. Re-armed by ev_timer_again, which its manual names as the cheaper way. */
#include "timers.h"

#include <ev.h>

static struct ev_loop *loop;
static ev_timer *timers;

static const char *library(void) {
    static char text[64];
    snprintf(text, sizeof text, "libev %d.%d", ev_version_major(), ev_version_minor());
    return text;
}

static void on_timer(struct ev_loop *of, ev_timer *timer, int events) {
    (void)events;
    ev_timer_stop(of, timer); /* what ev_timer_again has set would repeat */
    due((size_t)(timer - timers));
}

static int set(size_t i, uint32_t ms) {
    ev_timer_init(&timers[i], on_timer, ms / 1000.0, 0);
    ev_timer_start(loop, &timers[i]);
    return 0;
}

static int again(size_t i, uint32_t ms) {
    timers[i].repeat = ms / 1000.0;
    ev_timer_again(loop, &timers[i]);
    return 0;
}

static int cancel(size_t i) {
    ev_timer_stop(loop, &timers[i]);
    return ev_is_active(&timers[i]) ? -1 : 0;
}

static void last(void) { ev_break(loop, EVBREAK_ALL); }

static int room(size_t count) {
    timers = calloc(count, sizeof *timers);
    loop = ev_default_loop(EVBACKEND_EPOLL);
    return timers && loop ? 0 : -1;
}

static void on_begin(struct ev_loop *of, ev_timer *timer, int events) {
    (void)of, (void)events;
    ((void (*)(void))timer->data)();
}

static int begin(void (*work)(void)) {
    ev_timer timer;
    ev_timer_init(&timer, on_begin, 0, 0);
    timer.data = (void *)work;
    ev_timer_start(loop, &timer);
    ev_run(loop, 0);
    return 0;
}
