/* Clients that connect, catch up and stay: what a socket costs, and how fast they come (back). */
#include <stdio.h>
#include <string.h>

#include "modes.h"
#include "swarm.h"

enum { PATIENCE_S = 600 };

static void connect_all(struct swarm *swarm, long at_once)
{
    size_t bytes = swarm->bytes, frames = swarm->frames;
    int64_t begin_ns = clock_now_ns();
    if (at_once < 1) {
        fail("connect how many at a time?");
    }
    swarm_connect(swarm, (size_t)at_once, PATIENCE_S);
    printf("{\"sockets\": %zu, \"seconds\": %.6f, \"bytes\": %zu, \"frames\": %zu, ", swarm->count,
           (double)(clock_now_ns() - begin_ns) / 1e9, swarm->bytes - bytes, swarm->frames - frames);
    samples_print(&swarm->connect_ns, "sync");
    puts("}");
}

static void churn(struct swarm *swarm, long at_once)
{
    swarm->leaves = true;
    connect_all(swarm, at_once);
    swarm->leaves = false;
}

static void obey(struct swarm *swarm, const struct mode_command *command)
{
    if (strcmp(command->name, "connect") == 0) {
        connect_all(swarm, command->first);
    } else if (strcmp(command->name, "churn") == 0) {
        churn(swarm, command->first);
    } else if (strcmp(command->name, "storm") == 0) {
        swarm_drop(swarm);
        connect_all(swarm, command->first);
    } else if (strcmp(command->name, "drop") == 0) {
        swarm_drop(swarm);
        puts("{}");
    } else if (strcmp(command->name, "forget") == 0) {
        swarm_forget(swarm);
        puts("{}");
    } else {
        fail("unknown command \"%s\"", command->name);
    }
}

void mode_hold(const struct mode_arguments *arguments)
{
    static struct loop loop;
    static struct swarm swarm;
    swarm = (struct swarm){
        .loop = &loop,
        .port = arguments->port,
        .tokens = &arguments->tokens,
        .count = (size_t)mode_number(arguments->words[0], "COUNT", 1),
        .room_size = SIZE_MAX,
    };
    loop_init(&loop, swarm.count);
    swarm_init(&swarm);
    puts("{}");
    for (const char *line; (line = loop_command(&loop)) != NULL;) {
        const struct mode_command command = mode_parse(line);
        obey(&swarm, &command);
    }
}
