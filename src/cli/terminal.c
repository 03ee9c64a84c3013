#include "cli/terminal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "base/utf8.h"
#include "cli/cli.h"

void terminal_init(struct terminal *t)
{
    t->is_person = isatty(STDIN_FILENO) == 1;
    t->n = 0;
}

/* While nothing is shown, signals wait, so that none ends the process before the terminal is as it
 * was. */
struct silence {
    struct termios before;
    sigset_t mask;
    int signals; /* a signalfd */
};

static bool begin_silence(struct silence *s)
{
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGINT);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGHUP);
    sigaddset(&blocked, SIGQUIT);
    if (tcgetattr(STDIN_FILENO, &s->before) != 0) {
        return false;
    }
    s->signals = signalfd(-1, &blocked, SFD_CLOEXEC);
    if (s->signals < 0) {
        return false;
    }
    (void)sigprocmask(SIG_BLOCK, &blocked, &s->mask);
    struct termios silent = s->before;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) != 0) {
        (void)close(s->signals);
        (void)sigprocmask(SIG_SETMASK, &s->mask, NULL);
        return false;
    }
    return true;
}

static void end_silence(struct silence *s)
{
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &s->before);
    (void)fputc('\n', stderr); /* the one that was typed was not shown */
    (void)close(s->signals);
    (void)sigprocmask(SIG_SETMASK, &s->mask, NULL); /* a signal that came is delivered here */
}

/* False: a signal came first. */
static bool wait_for_input(const struct silence *s)
{
    struct pollfd what[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                            {.fd = s->signals, .events = POLLIN}};
    while (poll(what, COUNT_OF(what), -1) < 0) {
        if (errno != EINTR) {
            return false;
        }
    }
    return what[1].revents == 0;
}

/* Fills t->data up to a line end, the end of the input or the end of the room. `s` may be NULL. */
static bool read_line(struct terminal *t, const struct silence *s)
{
    while (memchr(t->data, '\n', t->n) == NULL && t->n < sizeof(t->data)) {
        if (s != NULL && !wait_for_input(s)) {
            return false;
        }
        ssize_t n = read(STDIN_FILENO, t->data + t->n, sizeof(t->data) - t->n);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return t->n > 0;
        }
        t->n += (size_t)n;
    }
    return true;
}

static bool take_line(struct terminal *t, struct arena *a, struct str *out)
{
    const char *end = memchr(t->data, '\n', t->n);
    if (end == NULL && t->n == sizeof(t->data)) {
        (void)cli_fail(1, "the line is longer than %d bytes.", TERMINAL_LINE_MAX - 1);
        return false;
    }
    size_t length = end != NULL ? (size_t)(end - t->data) : t->n;
    size_t used = end != NULL ? length + 1 : length;
    *out = arena_copy(a, (struct str){t->data, length});
    if (out->n > 0 && out->p[out->n - 1] == '\r') {
        out->n--;
    }
    memmove(t->data, t->data + used, t->n - used);
    t->n -= used;
    if (!utf8_valid(*out, NULL)) {
        (void)cli_fail(1, "what was entered is not UTF-8.");
        return false;
    }
    return true;
}

bool terminal_ask(struct terminal *t, struct arena *a, const char *prompt, bool hidden,
                  struct str *out)
{
    struct silence silence;
    bool silent = hidden && t->is_person;
    if (silent && !begin_silence(&silence)) { /* before the prompt: some type at once */
        (void)cli_fail(1, "the terminal cannot hide what is typed; pipe the answers in instead.");
        return false;
    }
    if (t->is_person) {
        (void)fputs(prompt, stderr);
        (void)fflush(stderr);
    }
    bool good = read_line(t, silent ? &silence : NULL);
    if (silent) {
        end_silence(&silence);
    }
    if (!good) {
        (void)cli_fail(1, "the input ended before everything was asked; nothing was changed.");
        return false;
    }
    return take_line(t, a, out);
}
