/*
 * The echo itself, for loops that say when a socket is ready and leave the rest to the program: one recv and one send
 * for each readiness. What the socket does not take at once is kept, and nothing more is received until it is gone.
 */
#ifndef PEER_H
#define PEER_H

#include <errno.h>
#include <string.h>

#include "serve.h"

/* What one connection is owed: bytes received that its socket did not take yet; none if `bytes` is NULL. */
struct owed {
    char *bytes;
    size_t sent, length;
};

/* What is to be done next with a connection. WRITE and READ are said only when they change something. */
enum next { AS_BEFORE, READ, WRITE, HANG_UP };

static char buffer[BUFFER];

static enum next pay(int fd, struct owed *owed) {
    ssize_t sent = send(fd, owed->bytes + owed->sent, owed->length - owed->sent, MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN ? AS_BEFORE : HANG_UP;
    owed->sent += (size_t)sent;
    if (owed->sent < owed->length) return AS_BEFORE;
    free(owed->bytes);
    owed->bytes = NULL;
    return READ;
}

static enum next keep(struct owed *owed, const char *bytes, size_t length) {
    owed->bytes = malloc(length);
    if (!owed->bytes) fail("malloc");
    memcpy(owed->bytes, bytes, length);
    owed->sent = 0;
    owed->length = length;
    return WRITE;
}

static inline enum next echo(int fd, struct owed *owed) {
    if (owed->bytes) return pay(fd, owed);
    ssize_t got = recv(fd, buffer, sizeof buffer, 0);
    if (got <= 0) return got == 0 || errno != EAGAIN ? HANG_UP : AS_BEFORE;
    ssize_t sent = send(fd, buffer, (size_t)got, MSG_NOSIGNAL);
    if (sent == got) return AS_BEFORE;
    if (sent < 0) {
        if (errno != EAGAIN) return HANG_UP;
        sent = 0;
    }
    return keep(owed, buffer + sent, (size_t)(got - sent));
}

#endif
