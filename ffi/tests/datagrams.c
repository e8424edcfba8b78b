/* Datagrams in batches: all that is there in one call, with the sender's address; what does not fit or go waits. */
#include "check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/udp.h>

static int udp(struct sockaddr_in *address) {
    socklen_t length = sizeof *address;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    memset(address, 0, sizeof *address);
    address->sin_family = AF_INET;
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)address, length) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)address, &length) == 0);
    return fd;
}

static void sizes(void) {
    fsock_recv_batch *recv = NULL;
    fsock_send_batch *send = NULL;
    static const size_t wrong[][2] = {{0, 10}, {1025, 10}, {SIZE_MAX, 10}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        CHECK_IS(fsock_recv_batch_new(wrong[i][0], wrong[i][1], &recv), -EINVAL);
        CHECK_IS(fsock_send_batch_new(wrong[i][0], wrong[i][1], &send), -EINVAL);
    }
    CHECK_IS(fsock_recv_batch_new(1, 0, &recv), -EINVAL);
    CHECK_IS(fsock_recv_batch_new(1024, SIZE_MAX / 8, &recv), -ENOMEM);
    CHECK_IS(fsock_send_batch_new(1, SIZE_MAX, &send), -ENOMEM);
    CHECK_IS(fsock_recv_batch_new(1, 1, NULL), -EINVAL);
    CHECK_IS(fsock_send_batch_new(1, 1, NULL), -EINVAL);
    CHECK(recv == NULL && send == NULL);
    CHECK_IS(fsock_recv_batch_free(NULL), 0);
    CHECK_IS(fsock_send_batch_free(NULL), 0);
    CHECK_IS(fsock_send_batch_push(NULL, "x", 1, 0, NULL, 0), -EINVAL);
    CHECK_IS(fsock_send_batch_send(NULL, 0), -EINVAL);
    CHECK_IS(fsock_send_batch_length(NULL), -EINVAL);
    CHECK_IS(fsock_send_batch_skip(NULL), -EINVAL);
    CHECK_IS(fsock_send_batch_clear(NULL), -EINVAL);
}

static void there_and_back(void) {
    struct sockaddr_in here, there;
    const fsock_datagram *got = NULL;
    fsock_recv_batch *recv;
    fsock_send_batch *send;
    int a = udp(&here), b = udp(&there), pipes[2];
    char text[64];
    CHECK(pipe(pipes) == 0);
    CHECK_IS(fsock_recv_batch_new(4, 8, &recv), 0);
    CHECK_IS(fsock_send_batch_new(6, 40, &send), 0);
    CHECK_IS(fsock_recv_batch_recv(NULL, b, &got), -EINVAL);
    CHECK_IS(fsock_recv_batch_recv(recv, b, NULL), -EINVAL);
    CHECK_IS(fsock_recv_batch_recv(recv, -1, &got), -EBADF);
    CHECK_IS(fsock_recv_batch_recv(recv, pipes[0], &got), -ENOTSOCK);
    CHECK_IS(fsock_recv_batch_recv(recv, b, &got), -EAGAIN);
    CHECK(got == NULL);
    CHECK_IS(fsock_send_batch_send(send, a), 0);
    CHECK_IS(fsock_send_batch_skip(send), 0);

    const struct sockaddr *to = (const struct sockaddr *)&there;
    CHECK_IS(fsock_send_batch_push(send, NULL, 1, 0, to, sizeof there), -EINVAL);
    CHECK_IS(fsock_send_batch_push(send, "x", 1, 65536, to, sizeof there), -EINVAL);
    CHECK_IS(fsock_send_batch_push(send, "x", 1, 0, to, 3), -EINVAL);
    CHECK_IS(fsock_send_batch_push(send, "x", SIZE_MAX, 0, to, sizeof there), -ENOBUFS);
    CHECK_IS(fsock_send_batch_push(send, text, 41, 0, to, sizeof there), -ENOBUFS);
    CHECK_IS(fsock_send_batch_length(send), 0);
    CHECK_IS(fsock_send_batch_push(send, "one", 3, 0, to, sizeof there), 0);
    CHECK_IS(fsock_send_batch_push(send, NULL, 0, 0, to, sizeof there), 0);
    CHECK_IS(fsock_send_batch_push(send, "too long for it", 15, 0, to, sizeof there), 0);
    for (int i = 0; i < 3; i++) CHECK_IS(fsock_send_batch_push(send, "next", 4, 0, to, sizeof there), 0);
    CHECK_IS(fsock_send_batch_push(send, "7", 1, 0, to, sizeof there), -ENOBUFS);
    CHECK_IS(fsock_send_batch_length(send), 6);
    CHECK_IS(fsock_send_batch_send(send, -1), -EBADF);
    CHECK_IS(fsock_send_batch_send(send, pipes[1]), -ENOTSOCK);
    CHECK_IS(fsock_send_batch_send(send, a), 6);
    CHECK_IS(fsock_send_batch_length(send), 0);

    CHECK_IS(fsock_recv_batch_recv(recv, b, &got), 4);
    CHECK(got[0].length == 3 && memcmp(got[0].bytes, "one", 3) == 0 && got[0].flags == 0 && got[0].segment == 0);
    CHECK(got[1].length == 0 && got[1].flags == 0);
    CHECK(got[2].length == 8 && memcmp(got[2].bytes, "too long", 8) == 0 && got[2].flags == FSOCK_DATAGRAM_TRUNCATED);
    for (int i = 0; i < 4; i++) {
        CHECK(got[i].from_length == sizeof here && memcmp(got[i].from, &here, sizeof here) == 0 && got[i].reserved == 0);
    }
    CHECK_IS(fsock_recv_batch_recv(recv, b, &got), 2);
    CHECK(got[1].length == 4 && memcmp(got[1].bytes, "next", 4) == 0);
    CHECK_IS(fsock_recv_batch_recv(recv, b, &got), -EAGAIN);

    /* The answer goes to the sender; a connected socket needs no address. */
    CHECK(connect(a, to, sizeof there) == 0);
    CHECK_IS(fsock_send_batch_push(send, "hello", 5, 0, NULL, 0), 0);
    CHECK_IS(fsock_send_batch_send(send, a), 1);
    CHECK_IS(fsock_recv_batch_recv(recv, b, &got), 1);
    CHECK(fsock_address_format(got->from, got->from_length, text, sizeof text) > 0 && strncmp(text, "127.0.0.1:", 10) == 0);
    CHECK_IS(fsock_send_batch_push(send, got->bytes, got->length, 0, got->from, got->from_length), 0);
    CHECK_IS(fsock_send_batch_send(send, b), 1);
    CHECK_IS(fsock_recv_batch_recv(recv, a, &got), 1);
    CHECK(got->length == 5);

    /* One that cannot go is told of, and given up; the others go. */
    CHECK_IS(fsock_send_batch_push(send, "nowhere", 7, 0, NULL, 0), 0);
    CHECK_IS(fsock_send_batch_push(send, "b", 1, 0, to, sizeof there), 0);
    CHECK_IS(fsock_send_batch_send(send, b), -EDESTADDRREQ);
    CHECK_IS(fsock_send_batch_length(send), 2);
    CHECK_IS(fsock_send_batch_skip(send), 0);
    CHECK_IS(fsock_send_batch_send(send, b), 1);
    CHECK_IS(fsock_send_batch_push(send, "nowhere", 7, 0, NULL, 0), 0);
    CHECK_IS(fsock_send_batch_clear(send), 0);
    CHECK_IS(fsock_send_batch_length(send), 0);
    CHECK_IS(fsock_recv_batch_free(recv), 0);
    CHECK_IS(fsock_send_batch_free(send), 0);
    close(a), close(b), close(pipes[0]), close(pipes[1]);
}

/* Cut by the kernel and joined again, where it can do so. */
static void segments(void) {
    struct sockaddr_in here, there;
    const fsock_datagram *got;
    fsock_recv_batch *recv;
    fsock_send_batch *send;
    int a = udp(&here), b = udp(&there), on = 1, r;
    char bytes[2500];
    size_t sum = 0;
    memset(bytes, 7, sizeof bytes);
    CHECK_IS(fsock_recv_batch_new(8, 65535, &recv), 0);
    CHECK_IS(fsock_send_batch_new(1, sizeof bytes, &send), 0);
    CHECK_IS(fsock_send_batch_push(send, bytes, sizeof bytes, 1000, (struct sockaddr *)&there, sizeof there), 0);
    int joined = setsockopt(b, IPPROTO_UDP, UDP_GRO, &on, sizeof on) == 0;
    r = fsock_send_batch_send(send, a);
    if (r != -EOPNOTSUPP) { /* before Linux 4.18 */
        CHECK_IS(r, 1);
        while ((r = fsock_recv_batch_recv(recv, b, &got)) > 0) {
            for (int i = 0; i < r; i++) {
                CHECK(got[i].segment == 0 ? got[i].length <= 1000 : (joined && got[i].segment == 1000));
                sum += got[i].length;
            }
        }
        CHECK(r == -EAGAIN && sum == sizeof bytes);
    }
    CHECK_IS(fsock_recv_batch_free(recv), 0);
    CHECK_IS(fsock_send_batch_free(send), 0);
    close(a), close(b);
}

/* A sender without a name has no address. */
static void unnamed(void) {
    const fsock_datagram *got;
    fsock_recv_batch *recv;
    int pair[2];
    CHECK(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair) == 0);
    CHECK_IS(fsock_recv_batch_new(2, 10, &recv), 0);
    CHECK(send(pair[1], "x", 1, 0) == 1);
    CHECK_IS(fsock_recv_batch_recv(recv, pair[0], &got), 1);
    CHECK(got->length == 1 && (got->from_length == 0) == (got->from == NULL));
    CHECK_IS(fsock_recv_batch_free(recv), 0);
    close_pair(pair);
}

int main(void) {
    sizes();
    there_and_back();
    segments();
    unnamed();
    return 0;
}
