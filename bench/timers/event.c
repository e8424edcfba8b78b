/* Timers of libevent. */
#include "timers.h"

#include <event2/event.h>
#include <event2/event_struct.h>

static struct event_base *base;
static struct event *timers;

static const char *library(void) {
    static char text[64];
    snprintf(text, sizeof text, "libevent %s", event_get_version());
    return text;
}

static void on_timer(evutil_socket_t none, short events, void *timer) {
    (void)none, (void)events;
    due((size_t)((struct event *)timer - timers));
}

static int again(size_t i, uint32_t ms) {
    struct timeval after = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    return evtimer_add(&timers[i], &after);
}

static int set(size_t i, uint32_t ms) {
    return evtimer_assign(&timers[i], base, on_timer, &timers[i]) ? -1 : again(i, ms);
}

static int cancel(size_t i) { return evtimer_del(&timers[i]); }

static void last(void) { event_base_loopbreak(base); }

static int room(size_t count) {
    timers = calloc(count, sizeof *timers);
    base = event_base_new();
    return timers && base ? 0 : -1;
}

static void on_begin(evutil_socket_t none, short events, void *user) {
    (void)none, (void)events;
    (*(void (**)(void))user)();
}

static int begin(void (*work)(void)) {
    struct event timer;
    struct timeval now = {0};
    evtimer_assign(&timer, base, on_begin, &work);
    if (evtimer_add(&timer, &now) != 0) return -1;
    return event_base_dispatch(base);
}
