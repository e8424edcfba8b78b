/* A time service over UDP: udp_time HOST:PORT. Each datagram is answered with the time as text, many in one system call. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <fastsock.h>

enum { BATCH = 64, QUESTION = 512, ANSWER = 32 };

struct service {
    int fd;
    fsock_recv_batch *questions;
    fsock_send_batch *answers;
};

static void die(const char *what, int error) {
    fprintf(stderr, "udp_time: %s: %s\n", what, fsock_strerror(error));
    exit(1);
}

/* Sends what waits. Returns whether all has gone. */
static int answer(struct service *service) {
    while (fsock_send_batch_length(service->answers) > 0) {
        int sent = fsock_send_batch_send(service->answers, service->fd);
        if (sent == -EAGAIN) return 0;
        /* The first cannot go: to an address that the kernel refuses, say. It is one client's loss. */
        if (sent < 0) fsock_send_batch_skip(service->answers);
    }
    return 1;
}

static void on_ready(fsock_loop *loop, uint64_t token, uint32_t ready, void *user) {
    struct service *service = (struct service *)user;
    const fsock_datagram *question;
    char text[ANSWER];
    time_t now = time(NULL);
    size_t length = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ\n", gmtime(&now));
    int count, i;
    (void)ready;
    if (!answer(service)) return; /* still no room: no more questions before that */
    count = fsock_recv_batch_recv(service->questions, service->fd, &question);
    for (i = 0; i < count; i++, question++) {
        /* There is room for as many answers as questions. A sender without an address wants none. */
        if (question->from_length > 0)
            fsock_send_batch_push(service->answers, text, length, 0, question->from, question->from_length);
    }
    /* While answers wait, the loop tells when there is room for them. */
    fsock_modify(loop, token, answer(service) ? FSOCK_READABLE : FSOCK_WRITABLE, FSOCK_LEVEL);
}

int main(int argc, char **argv) {
    struct sockaddr_storage at;
    struct sockaddr *address = (struct sockaddr *)&at;
    struct service service;
    uint32_t size = 0;
    char text[128];
    fsock_loop *loop;
    int r;
    if (argc != 2 || fsock_address_parse(argv[1], &at, &size) < 0) {
        fprintf(stderr, "usage: udp_time HOST:PORT, such as 127.0.0.1:1313; port 0: any\n");
        return 2;
    }
    service.fd = socket(address->sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (service.fd < 0 || bind(service.fd, address, size) < 0) die(argv[1], -errno);
    size = sizeof at;
    if (getsockname(service.fd, address, &size) < 0) die("getsockname", -errno);
    if ((r = fsock_recv_batch_new(BATCH, QUESTION, &service.questions)) < 0) die("fsock_recv_batch_new", r);
    if ((r = fsock_send_batch_new(BATCH, BATCH * ANSWER, &service.answers)) < 0) die("fsock_send_batch_new", r);
    if ((r = fsock_loop_new(NULL, &loop)) < 0) die("fsock_loop_new", r);
    r = fsock_add_callback(loop, service.fd, FSOCK_READABLE, FSOCK_LEVEL, on_ready, &service, NULL, NULL);
    if (r < 0) die("fsock_add_callback", r);
    fsock_address_format(address, size, text, sizeof text);
    printf("READY %s\n", text);
    fflush(stdout);
    if ((r = fsock_loop_run(loop)) < 0) die("fsock_loop_run", r);
    return 0;
}
