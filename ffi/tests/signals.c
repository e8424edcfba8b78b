/* Signals: told to every loop that asks, in a turn and not in a handler; the disposition is put back after the last. */
#include <signal.h>

#include "check.h"

struct watch {
    int calls, drops, signum;
    uint64_t token, times;
};

static void on_signal(fsock_loop *loop, uint64_t token, int signum, uint64_t times, void *user) {
    struct watch *watch = (struct watch *)user;
    CHECK_IS(fsock_loop_run(loop), -EBUSY);
    watch->calls++;
    watch->times += times;
    watch->token = token;
    watch->signum = signum;
    free(malloc(1)); /* no signal handler: everything may be called */
}

static void on_drop(void *user) { ((struct watch *)user)->drops++; }

static void stop_self(fsock_loop *loop, uint64_t token, int signum, uint64_t times, void *user) {
    on_signal(loop, token, signum, times, user);
    CHECK_IS(fsock_signal_stop(loop, token), 0);
    CHECK_IS(fsock_signal_stop(loop, token), FSOCK_E_STALE);
    CHECK(((struct watch *)user)->drops == 0);
}

static void turn(fsock_loop *loop) {
    int r;
    /* The signal may have interrupted this very wait. */
    while ((r = fsock_loop_run_once(loop, FSOCK_FOREVER)) == -EINTR) {}
    CHECK(r >= 0);
}

static int handled;
static void handler(int signum) {
    (void)signum;
    handled++;
}

int main(void) {
    fsock_loop *loops[2];
    struct watch watches[3];
    uint64_t tokens[3];
    struct sigaction mine, now;
    static const int wrong[] = {0, -1, 65, 1000, SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    memset(watches, 0, sizeof watches);
    memset(&mine, 0, sizeof mine);
    mine.sa_handler = handler;
    CHECK(sigaction(SIGUSR1, &mine, NULL) == 0);
    for (int i = 0; i < 2; i++) loops[i] = new_loop();

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK_IS(fsock_signal_start(loops[0], wrong[i], on_signal, &watches[0], on_drop, &tokens[0]), -EINVAL);
    CHECK_IS(fsock_signal_start(NULL, SIGUSR1, on_signal, &watches[0], on_drop, NULL), -EINVAL);
    CHECK_IS(fsock_signal_start(loops[0], SIGUSR1, NULL, &watches[0], on_drop, NULL), -EINVAL);
    CHECK_IS(fsock_signal_stop(NULL, 1), -EINVAL);
    CHECK_IS(fsock_signal_stop(loops[0], 0), FSOCK_E_STALE);
    CHECK(watches[0].drops == 0);

    /* Two callbacks on one loop, one on another: each is told. */
    for (int i = 0; i < 3; i++)
        CHECK_IS(fsock_signal_start(loops[i / 2], SIGUSR1, on_signal, &watches[i], on_drop, &tokens[i]), 0);
    CHECK(raise(SIGUSR1) == 0 && raise(SIGUSR1) == 0);
    turn(loops[0]);
    turn(loops[1]);
    for (int i = 0; i < 3; i++) {
        CHECK(watches[i].calls == 1 && watches[i].times == 2 && watches[i].signum == SIGUSR1);
        CHECK(watches[i].token == tokens[i]);
    }
    CHECK(handled == 0);

    /* Another kind's token does not stop it, nor does its own reach another kind. */
    CHECK_IS(fsock_remove(loops[0], tokens[0]), FSOCK_E_STALE);
    CHECK_IS(fsock_timer_stop(loops[0], tokens[0]), FSOCK_E_STALE);
    CHECK_IS(fsock_signal_stop(loops[0], tokens[0]), 0);
    CHECK_IS(fsock_signal_stop(loops[0], tokens[0]), FSOCK_E_STALE);
    CHECK(watches[0].drops == 1);

    /* What came and was not told before the stop is forgotten. */
    CHECK(raise(SIGUSR1) == 0);
    CHECK_IS(fsock_signal_stop(loops[0], tokens[1]), 0);
    CHECK_IS(fsock_loop_run_once(loops[0], 0), 0);
    CHECK(watches[1].calls == 1 && watches[1].drops == 1);
    /* The other loop has its own count. */
    turn(loops[1]);
    CHECK(watches[2].calls == 2);
    CHECK_IS(fsock_loop_free(loops[1]), 0);
    CHECK(watches[2].drops == 1);

    /* After the last, the signal does what it did before. */
    CHECK(sigaction(SIGUSR1, NULL, &now) == 0 && now.sa_handler == handler);
    CHECK(raise(SIGUSR1) == 0 && handled == 1);

    /* In its own callback, which run waits for: the loop has nothing else. */
    memset(watches, 0, sizeof watches);
    CHECK_IS(fsock_signal_start(loops[0], SIGUSR2, stop_self, &watches[0], on_drop, NULL), 0);
    CHECK(raise(SIGUSR2) == 0);
    CHECK_IS(fsock_loop_run(loops[0]), 0);
    CHECK(watches[0].calls == 1 && watches[0].drops == 1);
    CHECK(sigaction(SIGUSR2, NULL, &now) == 0 && now.sa_handler == SIG_DFL);
    CHECK_IS(fsock_loop_free(loops[0]), 0);
    return 0;
}
