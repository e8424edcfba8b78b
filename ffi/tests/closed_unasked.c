/* A descriptor that is closed before its source is removed: no crash, no other source is hurt, drop is called once. */
#include "check.h"

static void on_ready(fsock_loop *loop, uint64_t token, uint32_t ready, void *user) {
    (void)loop, (void)token, (void)ready;
    ++*(int *)user;
}

static int warnings;

static void on_log(uint32_t level, const char *text, void *user) {
    CHECK(level == FSOCK_LOG_WARNING && strstr(text, "fsock_remove") != NULL && user == &warnings);
    warnings++;
    CHECK_IS(fsock_set_log(NULL, NULL), -EBUSY);
}

static fsock_loop *doomed;

static void free_it(uint32_t level, const char *text, void *user) {
    (void)level, (void)text, (void)user;
    warnings++;
    CHECK_IS(fsock_loop_free(doomed), 0);
}

/* The log may be the place where a program gives up. */
static void freed_by_the_log(void) {
    int pair[2], copy, calls = 0, drops = 0;
    uint64_t token;
    doomed = new_loop();
    make_pair(pair);
    CHECK((copy = dup(pair[0])) >= 0);
    CHECK_IS(fsock_add_callback(doomed, pair[0], FSOCK_READABLE, 0, on_ready, &calls, NULL, &token), 0);
    close(pair[0]);
    CHECK_IS(fsock_remove(doomed, token), 0);
    CHECK_IS(fsock_add_callback(doomed, pair[1], FSOCK_READABLE, 0, on_ready, &drops, count_drop, &token), 0);
    put(pair[1], "x");
    warnings = 0;
    CHECK_IS(fsock_set_log(free_it, NULL), 0);
    if (is_epoll(doomed)) CHECK_IS(fsock_loop_run_once(doomed, 0), FSOCK_E_CLOSED);
    else CHECK_IS(fsock_loop_free(doomed), 0);
    CHECK(drops == 1 && calls == 0);
    close(copy);
    close(pair[1]);
}

/* A duplicate keeps the closed one's registration alive, of which only epoll tells. */
static void ghost(void) {
    fsock_loop *loop = new_loop();
    fsock_stats stats = FSOCK_STATS_INIT;
    int pair[2], calls = 0, copy;
    uint64_t token;
    make_pair(pair);
    CHECK((copy = dup(pair[0])) >= 0);
    CHECK_IS(fsock_add_callback(loop, pair[0], FSOCK_READABLE, 0, on_ready, &calls, NULL, &token), 0);
    close(pair[0]);
    CHECK_IS(fsock_remove(loop, token), 0);
    put(pair[1], "x");
    warnings = 0;
    for (int i = 0; i < 3; i++) CHECK_IS(fsock_loop_run_once(loop, 0), 0);
    CHECK_IS(fsock_loop_stats(loop, &stats), 0);
    CHECK(calls == 0 && stats.stale_events == (uint64_t)is_epoll(loop) && stats.rebuilds == stats.stale_events);
    CHECK(warnings == is_epoll(loop));
    close(copy);
    close(pair[1]);
    CHECK_IS(fsock_loop_free(loop), 0);
}

int main(void) {
    fsock_loop *loop = new_loop();
    fsock_stats stats = FSOCK_STATS_INIT;
    CHECK_IS(fsock_set_log(on_log, &warnings), 0);
    int old_pair[2], new_pair[2], dropped[2] = {0, 0};
    uint64_t old_token, new_token;
    make_pair(old_pair);
    CHECK_IS(fsock_add_callback(loop, old_pair[0], FSOCK_READABLE, 0, on_ready, &dropped[0], count_drop, &old_token), 0);
    /* The mistake. The number is used again at once. */
    close_pair(old_pair);
    make_pair(new_pair);
    CHECK(new_pair[0] == old_pair[0]);
    if (is_epoll(loop)) {
        /* The kernel has noticed. */
        CHECK_IS(fsock_add_callback(loop, new_pair[0], FSOCK_READABLE, 0, on_ready, &dropped[1], count_drop, &new_token),
                 0);
        CHECK(dropped[0] == 1 && dropped[1] == 0);
        CHECK_IS(fsock_loop_run_once(loop, 0), 0);
        CHECK_IS(fsock_loop_run_once(loop, 0), 0);
        CHECK(warnings == 1);
        CHECK_IS(fsock_loop_stats(loop, &stats), 0);
        CHECK(stats.closed_unasked == 1);
        CHECK_IS(fsock_remove(loop, old_token), FSOCK_E_STALE);
        CHECK_IS(fsock_remove(loop, new_token), 0);
        CHECK(dropped[1] == 1);
    } else {
        /* Nobody can: the old source has to go first. */
        CHECK_IS(fsock_add_callback(loop, new_pair[0], FSOCK_READABLE, 0, on_ready, &dropped[1], count_drop, &new_token),
                 -EEXIST);
        CHECK_IS(fsock_remove(loop, old_token), 0);
        CHECK(dropped[0] == 1 && dropped[1] == 0);
    }
    CHECK_IS(fsock_loop_free(loop), 0);
    CHECK(dropped[0] == 1);
    close_pair(new_pair);

    /* Closed and not used again: remove works as ever. */
    loop = new_loop();
    dropped[0] = 0;
    make_pair(old_pair);
    CHECK_IS(fsock_add_callback(loop, old_pair[0], FSOCK_READABLE, 0, on_ready, &dropped[0], count_drop, &old_token), 0);
    close_pair(old_pair);
    CHECK_IS(fsock_loop_run_once(loop, 0), 0);
    CHECK_IS(fsock_remove(loop, old_token), 0);
    CHECK(dropped[0] == 1);
    CHECK_IS(fsock_loop_free(loop), 0);
    ghost();
    freed_by_the_log();
    CHECK_IS(fsock_set_log(NULL, NULL), 0);
    return 0;
}
