/* Addresses as text, there and back. */
#include "check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

int main(void) {
    struct sockaddr_storage address;
    struct sockaddr *at = (struct sockaddr *)&address;
    struct sockaddr_un none;
    uint32_t length = 0;
    char text[128], small[5], path[160];
    static const char *const good[] = {"127.0.0.1:80", "0.0.0.0:65535", "[::1]:7777", "[2001:db8::1]:1",
                                       "/run/some.sock", "./here", "@abstract name"};
    static const char *const bad[] = {"", "localhost:80", "127.0.0.1", "127.0.0.1:65536", "127.0.0.1:x", "::1:80",
                                      "1.2.3:4", "\xff\xfe:1", "path"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        memset(&address, 0xff, sizeof address);
        CHECK_IS(fsock_address_parse(good[i], &address, &length), 0);
        CHECK(at->sa_family == (good[i][0] == '[' ? AF_INET6 : strchr("/.@", good[i][0]) ? AF_UNIX : AF_INET));
        CHECK_IS(fsock_address_format(at, length, text, sizeof text), (int)strlen(good[i]));
        CHECK(strcmp(text, good[i]) == 0);
        CHECK_IS(fsock_address_format(at, length, small, sizeof small), (int)strlen(good[i]));
        CHECK(strncmp(small, good[i], 4) == 0 && small[4] == 0);
        CHECK_IS(fsock_address_format(at, length, NULL, 0), (int)strlen(good[i]));
    }
    length = 77;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) CHECK_IS(fsock_address_parse(bad[i], &address, &length), -EINVAL);
    memset(path, 'x', sizeof path);
    path[0] = '/', path[108] = 0;
    CHECK_IS(fsock_address_parse(path, &address, &length), -ENAMETOOLONG);
    CHECK(length == 77);
    path[107] = 0;
    CHECK_IS(fsock_address_parse(path, &address, &length), 0);
    CHECK_IS(fsock_address_format(at, length, text, sizeof text), 107);

    CHECK_IS(fsock_address_parse(NULL, &address, &length), -EINVAL);
    CHECK_IS(fsock_address_parse(good[0], NULL, &length), -EINVAL);
    CHECK_IS(fsock_address_parse(good[0], &address, NULL), -EINVAL);
    CHECK_IS(fsock_address_format(NULL, 16, text, sizeof text), -EINVAL);
    CHECK_IS(fsock_address_format(at, 0, text, sizeof text), -EINVAL);
    CHECK_IS(fsock_address_format(at, 1, text, sizeof text), -EINVAL);
    CHECK_IS(fsock_address_format(at, sizeof address + 1, text, sizeof text), -EINVAL);
    CHECK_IS(fsock_address_format(at, length, NULL, 1), -EINVAL);

    /* What other programs make of an address is read as it is. */
    struct sockaddr_in v4;
    memset(&v4, 0, sizeof v4);
    v4.sin_family = AF_INET, v4.sin_port = htons(99), v4.sin_addr.s_addr = htonl(0x01020304);
    CHECK_IS(fsock_address_format((struct sockaddr *)&v4, sizeof v4, text, sizeof text), 10);
    CHECK(strcmp(text, "1.2.3.4:99") == 0);
    memset(&none, 0, sizeof none);
    none.sun_family = AF_UNIX;
    CHECK_IS(fsock_address_format((struct sockaddr *)&none, sizeof(sa_family_t), text, sizeof text), 7);
    CHECK(strcmp(text, "unnamed") == 0);
    none.sun_family = 250;
    CHECK_IS(fsock_address_format((struct sockaddr *)&none, sizeof none, text, sizeof text), 10);
    CHECK(strcmp(text, "family 250") == 0);
    return 0;
}
