/* A planted bug: a datagram is read after its batch is gone. */
#include "check.h"

int main(void) {
    const fsock_datagram *got;
    fsock_recv_batch *batch;
    int pair[2];
    CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0);
    CHECK_IS(fsock_recv_batch_new(1, 10, &batch), 0);
    CHECK(send(pair[1], "x", 1, 0) == 1);
    CHECK_IS(fsock_recv_batch_recv(batch, pair[0], &got), 1);
    CHECK_IS(fsock_recv_batch_free(batch), 0);
    printf("%c\n", got->bytes[0]);
    return 0;
}
