/* A planted bug: the library is told that there is more room than there is. */
#include "check.h"

int main(void) {
    fsock_loop *loop = new_loop();
    fsock_stats *stats = (fsock_stats *)malloc(sizeof *stats);
    stats->size = sizeof *stats + 64;
    CHECK_IS(fsock_loop_stats(loop, stats), 0);
    free(stats);
    CHECK_IS(fsock_loop_free(loop), 0);
    return 0;
}
