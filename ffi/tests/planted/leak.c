/* A planted bug: a waker is never freed. */
#include "check.h"

static void forget(void) {
    fsock_loop *loop = new_loop();
    fsock_waker *waker;
    CHECK_IS(fsock_waker_new(loop, NULL, NULL, NULL, &waker), 0);
    CHECK_IS(fsock_loop_free(loop), 0);
    waker = NULL;
}

int main(void) {
    forget();
    return 0;
}
