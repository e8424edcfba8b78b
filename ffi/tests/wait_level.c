/* fsock_loop_wait: a level source is reported at every wait for as long as it is ready. */
#include "check.h"

int main(void) {
    fsock_loop *loop = new_loop();
    fsock_event events[4];
    uint64_t token = 0, other = 0;
    int pair[2], second[2];
    make_pair(pair);
    make_pair(second);

    CHECK_IS(fsock_add(loop, pair[0], FSOCK_READABLE, FSOCK_LEVEL, &token), 0);
    CHECK(token != 0);
    CHECK_IS(fsock_loop_wait(loop, events, 4, 0), 0);
    put(pair[1], "hello");
    for (int i = 0; i < 3; i++) {
        memset(events, 0xff, sizeof events);
        CHECK_IS(fsock_loop_wait(loop, events, 4, FSOCK_FOREVER), 1);
        CHECK(events[0].token == token && events[0].ready == FSOCK_READY_READ && events[0].reserved == 0);
        CHECK(events[1].token == UINT64_MAX);
    }
    CHECK(take(pair[0]) == 5);
    CHECK_IS(fsock_loop_wait(loop, events, 4, 0), 0);

    /* Another interest. */
    CHECK_IS(fsock_modify(loop, token, FSOCK_READABLE | FSOCK_WRITABLE, FSOCK_LEVEL), 0);
    CHECK_IS(fsock_loop_wait(loop, events, 4, FSOCK_FOREVER), 1);
    CHECK(events[0].ready == FSOCK_READY_WRITE);
    CHECK_IS(fsock_modify(loop, token, 0, FSOCK_LEVEL), 0);
    put(pair[1], "unheard");
    CHECK_IS(fsock_loop_wait(loop, events, 4, MS), 0);
    CHECK_IS(fsock_modify(loop, token, FSOCK_READABLE, FSOCK_LEVEL), 0);
    CHECK_IS(fsock_loop_wait(loop, events, 4, 0), 1);

    /* A small array: the rest is told of by the waits that follow, each in its turn. */
    CHECK_IS(fsock_add(loop, second[0], FSOCK_WRITABLE, FSOCK_LEVEL, &other), 0);
    int seen[2] = {0, 0};
    for (int i = 0; i < 4; i++) {
        CHECK_IS(fsock_loop_wait(loop, events, 1, 0), 1);
        CHECK(events[0].token == token || events[0].token == other);
        seen[events[0].token == other]++;
    }
    if (is_epoll(loop)) CHECK(seen[0] == 2 && seen[1] == 2);

    /* The peer's end is told of as it is. */
    CHECK_IS(fsock_remove(loop, other), 0);
    take(pair[0]);
    close(pair[1]);
    CHECK_IS(fsock_loop_wait(loop, events, 4, FSOCK_FOREVER), 1);
    if (is_select(loop)) CHECK(events[0].ready == FSOCK_READY_READ);
    else CHECK(events[0].ready == (FSOCK_READY_READ | FSOCK_READY_HUP | FSOCK_READY_RDHUP));
    /* No interest, no hang-up either. */
    CHECK_IS(fsock_modify(loop, token, 0, FSOCK_LEVEL), 0);
    CHECK_IS(fsock_loop_wait(loop, events, 4, MS), 0);

    CHECK_IS(fsock_remove(loop, token), 0);
    close(pair[0]);
    close_pair(second);
    CHECK_IS(fsock_loop_free(loop), 0);
    return 0;
}
