/* Timers: in order, never early, fixed rate and fixed delay, again from their own callback, stopped by another's. */
#include "check.h"

/* A timer whose deadline lies between two times, for starting it takes time. */
struct single {
    int64_t earliest, latest;
    int calls;
};
static int64_t last_earliest;

static void note(fsock_loop *loop, uint64_t token, uint64_t passed, void *user) {
    struct single *single = (struct single *)user;
    (void)loop, (void)token;
    CHECK(passed == 1);
    CHECK(now_ns() >= single->earliest);
    CHECK(single->latest >= last_earliest);
    last_earliest = single->earliest;
    single->calls++;
}

static void start_single(fsock_loop *loop, struct single *single, int64_t after, uint64_t *token) {
    single->calls = 0;
    single->earliest = now_ns() + after;
    CHECK_IS(fsock_timer_start(loop, after, 0, 0, note, single, NULL, token), 0);
    single->latest = now_ns() + after;
}

struct repeater {
    int calls, drops, again;
    uint64_t passed, token, victim;
    int64_t last, busy_ns, gap;
};

static void idle(int64_t ns) {
    int64_t end = now_ns() + ns;
    while (now_ns() < end) {}
}

static void repeat(fsock_loop *loop, uint64_t token, uint64_t passed, void *user) {
    struct repeater *r = (struct repeater *)user;
    if (r->calls++ > 0) {
        int64_t gap = now_ns() - r->last;
        if (r->gap == 0 || gap < r->gap) r->gap = gap;
    }
    r->passed += passed;
    r->token = token;
    if (r->busy_ns && r->calls == 1) idle(r->busy_ns);
    r->last = now_ns();
    if (r->calls == 4) CHECK_IS(fsock_timer_stop(loop, token), 0);
}

static void again(fsock_loop *loop, uint64_t token, uint64_t passed, void *user) {
    struct repeater *r = (struct repeater *)user;
    (void)passed;
    r->calls++;
    if (r->calls < 5) CHECK_IS(fsock_timer_again(loop, token, MS / 10), 0);
}

static void stop_other(fsock_loop *loop, uint64_t token, uint64_t passed, void *user) {
    struct repeater *r = (struct repeater *)user;
    (void)token, (void)passed;
    r->calls++;
    CHECK_IS(fsock_timer_stop(loop, r->victim), 0);
    CHECK_IS(fsock_timer_stop(loop, r->victim), FSOCK_E_STALE);
}

static void count_repeater(void *user) { ((struct repeater *)user)->drops++; }

/* Stops itself, and starts another, which may get its place. Nothing is given back before this has returned. */
static void replace(fsock_loop *loop, uint64_t token, uint64_t passed, void *user) {
    struct repeater *r = (struct repeater *)user;
    (void)passed;
    r->calls++;
    CHECK_IS(fsock_timer_stop(loop, token), 0);
    CHECK_IS(fsock_timer_again(loop, token, 0), FSOCK_E_STALE);
    CHECK_IS(fsock_timer_start(loop, 0, 0, 0, again, r + 1, count_repeater, &r[1].token), 0);
    CHECK(r[1].token != token);
    CHECK_IS(fsock_timer_start(loop, 0, 0, 0, again, r + 2, count_repeater, &r[2].token), 0);
    CHECK_IS(fsock_timer_stop(loop, r[2].token), 0);
    CHECK(r->drops == 0 && r[1].drops == 0 && r[2].drops == 1);
}

static void free_all(fsock_loop *loop, uint64_t token, uint64_t passed, void *user) {
    struct repeater *r = (struct repeater *)user;
    (void)passed;
    r->calls++;
    CHECK_IS(fsock_timer_start(loop, 0, 0, 0, again, r + 1, count_repeater, NULL), 0);
    if (r->again) CHECK_IS(fsock_timer_stop(loop, token), 0);
    CHECK_IS(fsock_loop_free(loop), 0);
    CHECK(r->drops == 0);
}

/* Whoever gives back starts the next, in the place of what was given back. */
struct heir {
    fsock_loop *loop;
    int left, calls;
};
static void count_heir(fsock_loop *loop, uint64_t token, uint64_t passed, void *user) {
    (void)loop, (void)token, (void)passed;
    ((struct heir *)user)->calls++;
}
static void inherit(void *user) {
    struct heir *heir = (struct heir *)user;
    if (heir->left-- > 0) CHECK_IS(fsock_timer_start(heir->loop, 0, 0, 0, count_heir, heir, inherit, NULL), 0);
}

static void given_back(void) {
    struct repeater r[3];
    struct heir heir = {new_loop(), 5, 0};
    memset(r, 0, sizeof r);
    CHECK_IS(fsock_timer_start(heir.loop, 0, MS, 0, replace, r, count_repeater, NULL), 0);
    CHECK_IS(fsock_loop_run(heir.loop), 0);
    CHECK(r[0].calls == 1 && r[0].drops == 1 && r[1].calls == 5 && r[1].drops == 1 && r[2].calls == 0 && r[2].drops == 1);
    CHECK_IS(fsock_timer_start(heir.loop, 0, 0, 0, count_heir, &heir, inherit, NULL), 0);
    CHECK_IS(fsock_loop_run(heir.loop), 0);
    CHECK(heir.calls == 6 && heir.left == -1);
    CHECK_IS(fsock_loop_free(heir.loop), 0);
    for (int stops = 0; stops < 2; stops++) {
        fsock_loop *loop = new_loop();
        memset(r, 0, sizeof r);
        r[0].again = stops;
        CHECK_IS(fsock_timer_start(loop, 0, 0, 0, free_all, r, count_repeater, NULL), 0);
        CHECK_IS(fsock_timer_start(loop, 0, 0, 0, again, r + 2, count_repeater, NULL), 0);
        CHECK_IS(fsock_loop_run(loop), FSOCK_E_CLOSED);
        CHECK(r[0].calls == 1 && r[0].drops == 1 && r[1].calls == 0 && r[1].drops == 1 && r[2].calls == 0 && r[2].drops == 1);
    }
}

static void in_order(fsock_loop *loop) {
    static const int64_t after[] = {30, 10, 20, 10, 0};
    struct single singles[6];
    uint64_t token;
    for (int i = 0; i < 5; i++) start_single(loop, &singles[i], after[i] * MS, NULL);
    start_single(loop, &singles[5], MS, &token);
    singles[5].earliest = now_ns() + 40 * MS;
    CHECK_IS(fsock_timer_again(loop, token, 40 * MS), 0);
    singles[5].latest = now_ns() + 40 * MS;
    CHECK_IS(fsock_loop_run(loop), 0);
    for (int i = 0; i < 6; i++) CHECK(singles[i].calls == 1);
    CHECK_IS(fsock_timer_again(loop, token, MS), FSOCK_E_STALE);
    CHECK_IS(fsock_timer_stop(loop, token), FSOCK_E_STALE);
}

static void never_early(fsock_loop *loop) {
    static const int64_t waits[] = {1, 50000, 100000, 1000001, 2500000};
    for (int i = 0; i < 5; i++) {
        struct single single;
        fsock_event event;
        int64_t start;
        start_single(loop, &single, waits[i], NULL);
        CHECK_IS(fsock_loop_run(loop), 0);
        CHECK(single.calls == 1);
        /* And so is a wait's end. */
        start = now_ns();
        CHECK_IS(fsock_loop_wait(loop, &event, 1, waits[i]), 0);
        CHECK(now_ns() - start >= waits[i]);
    }
}

static void repeating(fsock_loop *loop) {
    struct repeater rate, delay;
    memset(&rate, 0, sizeof rate);
    memset(&delay, 0, sizeof delay);
    /* The first call takes five periods: fixed rate tells of what it missed, and keeps to its grid. */
    rate.busy_ns = delay.busy_ns = 10 * MS;
    int64_t start = now_ns();
    CHECK_IS(fsock_timer_start(loop, 2 * MS, 2 * MS, FSOCK_TIMER_RATE, repeat, &rate, count_repeater, NULL), 0);
    CHECK_IS(fsock_loop_run(loop), 0);
    CHECK(rate.calls == 4 && rate.drops == 1 && rate.passed >= 8);
    CHECK(now_ns() - start >= (int64_t)rate.passed * 2 * MS);

    CHECK_IS(fsock_timer_start(loop, 2 * MS, 2 * MS, FSOCK_TIMER_DELAY, repeat, &delay, count_repeater, NULL), 0);
    CHECK_IS(fsock_loop_run(loop), 0);
    CHECK(delay.calls == 4 && delay.drops == 1 && delay.passed == 4 && delay.gap >= 2 * MS);
}

int main(void) {
    struct repeater r, other;
    fsock_loop *loop = new_loop();
    in_order(loop);
    never_early(loop);
    repeating(loop);
    given_back();

    memset(&r, 0, sizeof r);
    CHECK_IS(fsock_timer_start(loop, 0, 0, 0, again, &r, count_repeater, NULL), 0);
    CHECK_IS(fsock_loop_run(loop), 0);
    CHECK(r.calls == 5 && r.drops == 1);

    /* Both are due in the same turn; the second is stopped by the first. */
    memset(&r, 0, sizeof r);
    memset(&other, 0, sizeof other);
    CHECK_IS(fsock_timer_start(loop, 0, 0, 0, stop_other, &r, count_repeater, NULL), 0);
    CHECK_IS(fsock_timer_start(loop, 0, MS, 0, repeat, &other, count_repeater, &r.victim), 0);
    idle(MS);
    CHECK_IS(fsock_loop_run(loop), 0);
    CHECK(r.calls == 1 && r.drops == 1 && other.calls == 0 && other.drops == 1);

    /* The longest there is. */
    CHECK_IS(fsock_timer_start(loop, INT64_MAX, INT64_MAX, 0, repeat, &other, count_repeater, &r.victim), 0);
    CHECK_IS(fsock_loop_run_once(loop, MS), 0);
    CHECK_IS(fsock_timer_stop(loop, r.victim), 0);
    CHECK(other.calls == 0 && other.drops == 2);

    fsock_stats stats = FSOCK_STATS_INIT;
    CHECK_IS(fsock_loop_stats(loop, &stats), 0);
    CHECK(stats.timers_fired == 25);
    CHECK_IS(fsock_loop_free(loop), 0);
    return 0;
}
