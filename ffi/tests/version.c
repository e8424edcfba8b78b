/* The header's version, the library's and Cargo's (given by the test) are one; every code has a name and a sentence. */
#include "check.h"

#if FSOCK_VERSION_NUMBER < 0x000100 || FSOCK_E_STALE > -10000
#error "the constants can be used by the preprocessor"
#endif

int main(void) {
    static const struct {
        int code;
        const char *name;
    } codes[] = {
        {0, "OK"}, {7, "OK"}, {-EINTR, "EINTR"}, {-EBADF, "EBADF"}, {-E2BIG, "E2BIG"}, {-99999, "UNKNOWN"},
        {INT32_MIN, "UNKNOWN"}, {FSOCK_E_STALE, "FSOCK_E_STALE"}, {FSOCK_E_THREAD, "FSOCK_E_THREAD"},
        {FSOCK_E_PANIC, "FSOCK_E_PANIC"}, {FSOCK_E_CLOSED, "FSOCK_E_CLOSED"},
        {FSOCK_E_NOCALLBACK, "FSOCK_E_NOCALLBACK"},
    };
    char text[32];
    snprintf(text, sizeof text, "%d.%d.%d", (int)FSOCK_VERSION_MAJOR, (int)FSOCK_VERSION_MINOR, (int)FSOCK_VERSION_PATCH);
    CHECK(strcmp(text, CARGO_VERSION) == 0);
    CHECK(strcmp(FSOCK_VERSION_STRING, CARGO_VERSION) == 0);
    CHECK(strcmp(fsock_version_string(), CARGO_VERSION) == 0);
    CHECK(fsock_version() == FSOCK_VERSION_NUMBER);
    CHECK(fsock_version() == (FSOCK_VERSION_MAJOR << 16) + (FSOCK_VERSION_MINOR << 8) + FSOCK_VERSION_PATCH);
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        CHECK(strcmp(fsock_err_name(codes[i].code), codes[i].name) == 0);
        CHECK(strlen(fsock_strerror(codes[i].code)) > 6);
    }
    CHECK(fsock_strerror(-EINTR) == fsock_strerror(-EINTR));

    /* Into a buffer: cut short like snprintf's, and for what the table does not know the system's own words. */
    char sentence[200], small[8];
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        int length = fsock_strerror_r(codes[i].code, sentence, sizeof sentence);
        CHECK(length > 6 && length == (int)strlen(sentence));
        CHECK_IS(fsock_strerror_r(codes[i].code, small, sizeof small), length);
        CHECK(strlen(small) == 7 && strncmp(small, sentence, 7) == 0);
        CHECK_IS(fsock_strerror_r(codes[i].code, NULL, 0), length);
    }
    CHECK(fsock_strerror_r(-EINTR, sentence, sizeof sentence) > 0 && strcmp(sentence, fsock_strerror(-EINTR)) == 0);
    CHECK(strcmp(fsock_err_name(-EXDEV), "UNKNOWN") == 0);
    CHECK(fsock_strerror_r(-EXDEV, sentence, sizeof sentence) > 0 && strstr(sentence, strerror(EXDEV)) != NULL);
    CHECK_IS(fsock_strerror_r(0, NULL, 1), -EINVAL);
    return 0;
}
