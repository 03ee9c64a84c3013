/* The other end of the socket benchmarks: clients that hold, receive and send, all in one loop and
 * with one clock. bench/run.py starts it and tells it what to do; by hand:
 *
 *     sockets hold PORT TOKENS COUNT
 *         connect N | storm N   all clients, N at a time; storm drops them first
 *         churn N               each goes once it is synced
 *         drop | forget         close all; lose their cursors
 *     sockets fanout PORT TOKENS COUNT CONVERSATION CURSOR
 *         send TIMES PAUSE_MS   POSTs a message; until all clients have it
 *     sockets relay PORT TOKENS ROOMS MEMBERS
 *         run RATE SECONDS      messages a second into the conversations in turn, in an open loop
 *     sockets slow PORT TOKENS CONVERSATION READERS SLOW
 *         slow                  connects further clients, which then take 1,000 bytes a second
 *         run BODY SECONDS      1 MB a second in messages of BODY bytes
 *         catchup               the slow ones read as fast as they can, until they have all
 *
 * CURSOR is where all clients begin, so that they need not read first what they have no use for.
 * TOKENS is a file with an access token a line, ROOMS one with a conversation a line. Member m of
 * room r has token r * MEMBERS + m. It ends with its standard input. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loop.h"
#include "modes.h"

static const struct {
    const char *name;
    int words;
    void (*run)(const struct mode_arguments *arguments);
} modes[] = {
    {"hold", 1, mode_hold},
    {"fanout", 3, mode_fanout},
    {"relay", 2, mode_relay},
    {"slow", 3, mode_slow},
};

long mode_number(const char *text, const char *name, long min)
{
    char *end;
    long number = strtol(text, &end, 10);
    if (end == text || *end != '\0' || number < min) {
        fail("%s is a number of at least %ld, not \"%s\"", name, min, text);
    }
    return number;
}

struct mode_command mode_parse(const char *line)
{
    struct mode_command command = {.first = 0};
    if (sscanf(line, "%15s %ld %ld", command.name, &command.first, &command.second) < 1) {
        fail("an empty command");
    }
    return command;
}

int main(int argc, char **argv)
{
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (argc == 4 + modes[i].words && strcmp(argv[1], modes[i].name) == 0) {
            const struct mode_arguments arguments = {
                .port = (uint16_t)mode_number(argv[2], "PORT", 1),
                .tokens = lines_read(argv[3]),
                .words = (const char **)argv + 4,
            };
            modes[i].run(&arguments);
            return EXIT_SUCCESS;
        }
    }
    fputs("usage: sockets hold|fanout|relay|slow PORT TOKENS ...; see bench/sockets/main.c\n",
          stderr);
    return 2;
}
