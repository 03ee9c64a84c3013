/* One message to all members of one conversation: from its POST to the last socket. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "modes.h"
#include "poster.h"
#include "swarm.h"

enum { AT_ONCE = 256, CONNECT_PATIENCE_S = 600, PATIENCE_S = 30, PATH_SIZE = 128 };

struct fanout {
    struct loop loop;
    struct swarm swarm;
    struct poster poster;
    char path[PATH_SIZE];
    uint32_t number;   /* of the message under way */
    uint32_t *reached; /* by client: the number of the last message it got */
    size_t count;      /* clients that have it */
    int64_t first_ns, last_ns;
    size_t frame_size;
    /* of the present command */
    struct samples last, first, answer, after_answer, spread;
};

static struct fanout fanout;

static void note_frame(struct client *client, const struct frame *frame, int64_t now_ns)
{
    struct mark mark;
    if (!frame_is(frame, "message") || !mark_find(frame, &mark) || mark.number != fanout.number ||
        fanout.reached[client->number] == mark.number) {
        return;
    }
    fanout.reached[client->number] = mark.number;
    fanout.frame_size = frame->n;
    fanout.first_ns = fanout.count == 0 ? now_ns : fanout.first_ns;
    fanout.last_ns = now_ns;
    fanout.count++;
}

static void note_times(int64_t begin_ns)
{
    int64_t answered_ns = fanout.poster.answered_ns;
    samples_add(&fanout.last, fanout.last_ns - begin_ns);
    samples_add(&fanout.first, fanout.first_ns - begin_ns);
    samples_add(&fanout.answer, answered_ns - begin_ns);
    samples_add(&fanout.after_answer, fanout.last_ns - answered_ns);
    samples_add(&fanout.spread, fanout.last_ns - fanout.first_ns);
}

static void send_one(const char *token)
{
    char text[MARK_SIZE], body[256];
    fanout.number++;
    fanout.count = 0;
    int64_t begin_ns = clock_now_ns(), until_ns = clock_in_ns(PATIENCE_S);
    mark_write(text, (struct mark){begin_ns, fanout.number});
    (void)snprintf(body, sizeof(body), "{\"message_body\": \"see you at the station, %s\"}", text);
    poster_send(&fanout.poster, fanout.path, token, body);
    while (fanout.count < fanout.swarm.count || fanout.poster.answered_ns == 0) {
        loop_step(&fanout.loop, until_ns);
        if (clock_now_ns() >= until_ns) {
            fail("after %d s a message has reached %zu of %zu sockets (answered: %s)", PATIENCE_S,
                 fanout.count, fanout.swarm.count, fanout.poster.answered_ns ? "yes" : "no");
        }
    }
    note_times(begin_ns);
}

static void send_some(long times, long pause_ms, const char *token)
{
    struct samples *all[] = {&fanout.last, &fanout.first, &fanout.answer, &fanout.after_answer,
                             &fanout.spread};
    static const char *const names[] = {"last", "first", "answer", "after_answer", "spread"};
    poster_open(&fanout.poster, &fanout.loop, fanout.swarm.port);
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        samples_clear(all[i]);
    }
    for (long i = 0; i < times; i++) {
        loop_sleep(&fanout.loop, (double)pause_ms / 1000);
        send_one(token);
    }
    poster_close(&fanout.poster);
    printf("{\"sockets\": %zu, \"messages\": %ld, \"frame_size\": %zu", fanout.swarm.count, times,
           fanout.frame_size);
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        fputs(", ", stdout);
        samples_print(all[i], names[i]);
    }
    puts("}");
}

void mode_fanout(const struct mode_arguments *arguments)
{
    size_t count = (size_t)mode_number(arguments->words[0], "COUNT", 1);
    (void)snprintf(fanout.path, sizeof(fanout.path), "/api/conversations/%s/messages/",
                   arguments->words[1]);
    fanout.swarm = (struct swarm){
        .loop = &fanout.loop,
        .port = arguments->port,
        .tokens = &arguments->tokens,
        .count = count,
        .cursor = arguments->words[2],
        .room_size = SIZE_MAX,
        .on_frame = note_frame,
    };
    fanout.reached = calloc(count, sizeof(*fanout.reached));
    if (fanout.reached == NULL) {
        fail("out of memory");
    }
    loop_init(&fanout.loop, count);
    swarm_init(&fanout.swarm);
    swarm_connect(&fanout.swarm, AT_ONCE, CONNECT_PATIENCE_S);
    printf("{\"sockets\": %zu}\n", fanout.swarm.synced);
    for (const char *line; (line = loop_command(&fanout.loop)) != NULL;) {
        const struct mode_command command = mode_parse(line);
        if (strcmp(command.name, "send") != 0 || command.first < 1) {
            fail("unknown command \"%s\"", line);
        }
        send_some(command.first, command.second, arguments->tokens.line[0]);
    }
}
