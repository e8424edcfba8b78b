/* fsock_config and fsock_stats: older and newer callers than the library. */
#include "check.h"

int main(void) {
    fsock_loop *loop = NULL;
    fsock_config config = FSOCK_CONFIG_INIT;
    struct {
        fsock_config known;
        uint32_t more[2];
    } newer;
    struct {
        fsock_stats known;
        uint64_t more;
    } stats;
    uint32_t short_config = sizeof short_config;

    CHECK(sizeof(fsock_event) == 16 && sizeof(fsock_config) == 8 && sizeof(fsock_stats) == 88);
    CHECK(offsetof(fsock_event, ready) == 8 && offsetof(fsock_event, reserved) == 12);
    CHECK(offsetof(fsock_config, size) == 0 && offsetof(fsock_stats, size) == 0);

    for (uint32_t backend = FSOCK_BACKEND_EPOLL; backend <= FSOCK_BACKEND_SELECT; backend++) {
        config.backend = backend;
        CHECK_IS(fsock_loop_new(&config, &loop), 0);
        CHECK_IS(fsock_loop_backend(loop), (int)backend);
        CHECK((fsock_loop_fd(loop) >= 0) == (backend == FSOCK_BACKEND_EPOLL));
        CHECK_IS(fsock_loop_free(loop), 0);
    }
    loop = NULL;
    config.backend = 4;
    CHECK_IS(fsock_loop_new(&config, &loop), -EINVAL);
    config.backend = FSOCK_BACKEND_DEFAULT;
    config.size = 0;
    CHECK_IS(fsock_loop_new(&config, &loop), -EINVAL);
    config.size = 3;
    CHECK_IS(fsock_loop_new(&config, &loop), -EINVAL);
    config.size = UINT32_MAX;
    CHECK_IS(fsock_loop_new(&config, &loop), -E2BIG);

    /* A newer caller: zeroes are fine, anything else is not. */
    memset(&newer, 0, sizeof newer);
    newer.known.size = sizeof newer;
    newer.more[1] = 1;
    CHECK_IS(fsock_loop_new(&newer.known, &loop), -E2BIG);
    CHECK(loop == NULL);
    newer.more[1] = 0;
    CHECK_IS(fsock_loop_new(&newer.known, &loop), 0);
    CHECK_IS(fsock_loop_free(loop), 0);
    /* An older one. */
    CHECK_IS(fsock_loop_new((const fsock_config *)(const void *)&short_config, &loop), 0);

    memset(&stats, 0xff, sizeof stats);
    stats.known.size = sizeof stats;
    CHECK_IS(fsock_loop_run_once(loop, 0), 0);
    CHECK_IS(fsock_loop_stats(loop, &stats.known), 0);
    CHECK(stats.known.turns == 1 && stats.known.size == sizeof stats && stats.more == 0);
    memset(&stats, 0xff, sizeof stats);
    stats.known.size = 16;
    CHECK_IS(fsock_loop_stats(loop, &stats.known), 0);
    CHECK(stats.known.turns == 1 && stats.known.events == UINT64_MAX);
    stats.known.size = 0;
    CHECK_IS(fsock_loop_stats(loop, &stats.known), -EINVAL);
    stats.known.size = UINT32_MAX;
    CHECK_IS(fsock_loop_stats(loop, &stats.known), -EINVAL);
    CHECK_IS(fsock_loop_free(loop), 0);

    CHECK(setenv("FASTSOCK_BACKEND", "kqueue", 1) == 0);
    CHECK_IS(fsock_loop_new(NULL, &loop), -EINVAL);
    CHECK(setenv("FASTSOCK_BACKEND", "poll", 1) == 0);
    CHECK_IS(fsock_loop_new(NULL, &loop), 0);
    CHECK_IS(fsock_loop_backend(loop), (int)FSOCK_BACKEND_POLL);
    CHECK_IS(fsock_loop_free(loop), 0);
    return 0;
}
