/* Timers and signals: ticker [MILLISECONDS]. Ticks until SIGINT or SIGTERM, then says good-bye; SIGUSR1 asks how it does,
 * SIGHUP makes it tick twice as fast. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <fastsock.h>

#define MS INT64_C(1000000)

struct ticker {
    uint64_t timer, ticks;
    int64_t period;
};

static void on_tick(fsock_loop *loop, uint64_t token, uint64_t passed, void *user) {
    struct ticker *ticker = (struct ticker *)user;
    (void)loop, (void)token;
    /* More than one has passed when the machine, or a callback, held us up: the clock goes on. */
    ticker->ticks += passed;
    printf("tick %" PRIu64 "\n", ticker->ticks);
    fflush(stdout);
}

static int start(fsock_loop *loop, struct ticker *ticker) {
    return fsock_timer_start(loop, ticker->period, ticker->period, FSOCK_TIMER_RATE, on_tick, ticker, NULL, &ticker->timer);
}

/* On the loop's thread, between two other callbacks: nothing is forbidden here that is not there. */
static void on_signal(fsock_loop *loop, uint64_t token, int signum, uint64_t times, void *user) {
    struct ticker *ticker = (struct ticker *)user;
    fsock_stats stats = FSOCK_STATS_INIT;
    (void)token, (void)times;
    switch (signum) {
        case SIGUSR1:
            fsock_loop_stats(loop, &stats);
            printf("%" PRIu64 " ticks, %" PRIu64 " turns, idle for %" PRIu64 " ms\n", ticker->ticks, stats.turns,
                   stats.idle_ns / 1000000);
            fflush(stdout);
            break;
        case SIGHUP:
            if (ticker->period >= 2 * MS) ticker->period /= 2;
            fsock_timer_stop(loop, ticker->timer);
            if (start(loop, ticker) < 0) fsock_loop_stop(loop);
            break;
        default: fsock_loop_stop(loop);
    }
}

int main(int argc, char **argv) {
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1};
    struct ticker ticker = {0, 0, 1000 * MS};
    fsock_loop *loop = NULL;
    size_t i;
    int r;
    if (argc > 1) {
        char *end;
        long ms = strtol(argv[1], &end, 10);
        if (*end || end == argv[1] || ms < 1 || ms > 86400000) {
            fputs("usage: ticker [MILLISECONDS], from 1 to a day\n", stderr);
            return 2;
        }
        ticker.period = ms * MS;
    }
    if ((r = fsock_loop_new(NULL, &loop)) == 0) r = fsock_loop_measure(loop, 1);
    for (i = 0; r == 0 && i < sizeof signals / sizeof *signals; i++)
        r = fsock_signal_start(loop, signals[i], on_signal, &ticker, NULL, NULL);
    if (r == 0) r = start(loop, &ticker);
    if (r == 0) {
        printf("READY %d\n", (int)getpid());
        fflush(stdout);
        r = fsock_loop_run(loop);
    }
    if (r < 0) fprintf(stderr, "ticker: %s\n", fsock_strerror(r));
    else printf("good-bye after %" PRIu64 " ticks\n", ticker.ticks);
    fsock_loop_free(loop); /* and the signals do again what they did before */
    return r < 0;
}
