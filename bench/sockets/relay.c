/* Messages at a steady rate into many small conversations: from when each was due to each of its
 * members' sockets. The loop is open: what is late is sent late and counted from when it was
 * due. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "modes.h"
#include "swarm.h"

enum {
    AT_ONCE = 256,
    CONNECT_PATIENCE_S = 600,
    PATIENCE_S = 20, /* for the last deliveries */
    SECOND_NS = 1000 * 1000 * 1000,
    MEMBERS_MAX = 64,
};

struct relay {
    struct loop loop;
    struct swarm swarm;
    struct lines rooms;
    size_t members;
    uint64_t nonce; /* no client_id twice */
    /* of the present run */
    int64_t start_ns;
    uint64_t *reached; /* by message: which members have it */
    size_t messages, delivered, doubled, acked;
    size_t frame_size;
    struct samples delivery, ack, late;
};

static struct relay relay;

static void note_delivery(const struct client *client, const struct mark *mark, int64_t now_ns)
{
    uint64_t member = UINT64_C(1) << client->number % relay.members;
    if ((relay.reached[mark->number] & member) != 0) {
        relay.doubled++;
        return;
    }
    relay.reached[mark->number] |= member;
    relay.delivered++;
    samples_add(&relay.delivery, now_ns - mark->due_ns);
}

static void note_frame(struct client *client, const struct frame *frame, int64_t now_ns)
{
    struct mark mark;
    bool is_message = frame_is(frame, "message");
    if ((!is_message && !frame_is(frame, "ack")) || !mark_find(frame, &mark) ||
        mark.due_ns < relay.start_ns || mark.number >= relay.messages) {
        return;
    }
    if (is_message) {
        relay.frame_size = frame->n;
        note_delivery(client, &mark, now_ns);
    } else {
        relay.acked++;
        samples_add(&relay.ack, now_ns - mark.due_ns);
    }
}

static void send_one(struct mark mark)
{
    size_t room = mark.number % relay.rooms.count;
    char text[MARK_SIZE], said[512];
    mark_write(text, mark);
    int n = snprintf(said, sizeof(said),
                     "{\"type\": \"send\", \"conversation_id\": \"%s\", "
                     "\"client_id\": \"%08" PRIx32 "-0000-4000-8000-%012" PRIx64 "\", "
                     "\"message_body\": \"see you at the station, %s\"}",
                     relay.rooms.line[room], mark.number, relay.nonce & 0xffffffffffff, text);
    samples_add(&relay.late, clock_now_ns() - mark.due_ns);
    client_say(&relay.swarm.clients[room * relay.members], said, (size_t)n);
}

static void begin(size_t messages)
{
    relay.nonce++;
    relay.messages = messages;
    relay.delivered = relay.doubled = relay.acked = 0;
    samples_clear(&relay.delivery);
    samples_clear(&relay.ack);
    samples_clear(&relay.late);
    free(relay.reached);
    relay.reached = calloc(messages, sizeof(*relay.reached));
    if (relay.reached == NULL) {
        fail("out of memory");
    }
    relay.start_ns = clock_in_ns(0.01);
}

static void tell(long rate, long seconds)
{
    size_t expected = relay.messages * relay.members;
    printf("{\"rate\": %ld, \"seconds\": %ld, \"messages\": %zu, \"delivered\": %zu, "
           "\"missing\": %zu, \"doubled\": %zu, \"acked\": %zu, \"frame_size\": %zu, ",
           rate, seconds, relay.messages, relay.delivered, expected - relay.delivered,
           relay.doubled, relay.acked, relay.frame_size);
    samples_print(&relay.delivery, "delivery");
    fputs(", ", stdout);
    samples_print(&relay.ack, "ack");
    fputs(", ", stdout);
    samples_print(&relay.late, "late");
    puts("}");
}

static void run(long rate, long seconds)
{
    begin((size_t)(rate * seconds));
    for (uint32_t sent = 0; sent < relay.messages;) {
        int64_t due_ns = relay.start_ns + (int64_t)sent * SECOND_NS / rate;
        if (clock_now_ns() >= due_ns) {
            send_one((struct mark){due_ns, sent++});
        } else {
            loop_step(&relay.loop, due_ns);
        }
    }
    int64_t until_ns = clock_in_ns(PATIENCE_S);
    while (relay.delivered < relay.messages * relay.members && clock_now_ns() < until_ns) {
        loop_step(&relay.loop, until_ns);
    }
    loop_sleep(&relay.loop, 0.2); /* acks, and anything that comes twice */
    tell(rate, seconds);
}

void mode_relay(const struct mode_arguments *arguments)
{
    relay.rooms = lines_read(arguments->words[0]);
    relay.members = (size_t)mode_number(arguments->words[1], "MEMBERS", 1);
    if (relay.members > MEMBERS_MAX) {
        fail("at most %d members", MEMBERS_MAX);
    }
    relay.nonce = (uint64_t)clock_now_ns() ^ (uint64_t)getpid() << 32;
    relay.swarm = (struct swarm){
        .loop = &relay.loop,
        .port = arguments->port,
        .tokens = &arguments->tokens,
        .count = relay.rooms.count * relay.members,
        .room_size = relay.members,
        .on_frame = note_frame,
    };
    loop_init(&relay.loop, relay.swarm.count);
    swarm_init(&relay.swarm);
    swarm_connect(&relay.swarm, AT_ONCE, CONNECT_PATIENCE_S);
    printf("{\"sockets\": %zu}\n", relay.swarm.synced);
    for (const char *line; (line = loop_command(&relay.loop)) != NULL;) {
        const struct mode_command command = mode_parse(line);
        if (strcmp(command.name, "run") != 0 || command.first < 1 || command.second < 1) {
            fail("unknown command \"%s\"", line);
        }
        run(command.first, command.second);
    }
}
