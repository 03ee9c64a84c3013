/* A conversation that gets a megabyte a second, members that read all of it, and members that take
 * a thousand bytes a second. The first must not notice the second, and those must in the end have
 * everything: each message since they connected, or from the seq that the server told them to keep
 * ("limited") on. The server's memory is watched by who runs this. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "modes.h"
#include "swarm.h"

enum {
    AT_ONCE = 16,
    CONNECT_PATIENCE_S = 60,
    PATIENCE_S = 120,
    SECOND_NS = 1000 * 1000 * 1000,
    RATE = 1000 * 1000, /* bytes of text a second */
    SLOW_RATE = 1000,   /* bytes a second that a slow one takes */
    SLOW_BUFFER = 4096, /* and its kernel keeps, doubled */
    ALIVE_EVERY_S = 10, /* it says something, or it is taken for dead */
    BODY_MAX = 10000,   /* characters that the server allows */
    SEQ_MAX = 1000 * 1000,
    ID_SIZE = 40,
};

/* What one slow client knows of the conversation. */
struct view {
    int64_t floor; /* it has nothing below, and need not */
    int64_t newest;
    unsigned char has[SEQ_MAX];
};

struct slow {
    struct loop loop;
    struct swarm readers, slow;
    const char *conversation;
    char body[BODY_MAX + 1];
    uint64_t nonce;
    int64_t newest; /* seq that a reader has seen */
    struct view *views;
    size_t limited; /* times that a slow one was told to forget */
    int64_t tick_ns;
    unsigned ticks;
    /* of the present run */
    int64_t start_ns;
    size_t messages, delivered;
    size_t doubled;    /* allowed: an overflow ends in a catch-up that may overlap */
    uint64_t *reached; /* by message: which readers have it */
    struct samples delivery;
};

static struct slow slow;

static bool is_ours(const struct frame *frame)
{
    char id[ID_SIZE];
    return frame_string(frame, "conversation_id", id, sizeof(id)) &&
           strcmp(id, slow.conversation) == 0;
}

static int64_t seq_of(const struct frame *frame)
{
    int64_t seq = frame_number(frame, "seq");
    if (seq < 0 || seq >= SEQ_MAX) {
        fail("a message without a seq, or with one that is too large");
    }
    return seq;
}

static void note_reader(struct client *client, const struct frame *frame, int64_t now_ns)
{
    struct mark mark;
    if (!frame_is(frame, "message") || !is_ours(frame)) {
        return;
    }
    int64_t seq = seq_of(frame);
    slow.newest = seq > slow.newest ? seq : slow.newest;
    if (!mark_find(frame, &mark) || mark.due_ns < slow.start_ns || mark.number >= slow.messages) {
        return;
    }
    uint64_t reader = UINT64_C(1) << client->number;
    if ((slow.reached[mark.number] & reader) != 0) {
        slow.doubled++;
        return;
    }
    slow.reached[mark.number] |= reader;
    slow.delivered++;
    samples_add(&slow.delivery, now_ns - mark.due_ns);
}

static void note_slow(struct client *client, const struct frame *frame, int64_t now_ns)
{
    (void)now_ns;
    struct view *view = &slow.views[client->number];
    if (frame_is(frame, "message") && is_ours(frame)) {
        int64_t seq = seq_of(frame);
        view->has[seq] = 1;
        view->newest = seq > view->newest ? seq : view->newest;
    } else if (frame_is(frame, "conversation") && is_ours(frame)) {
        int64_t from = frame_number(frame, "from_seq");
        slow.limited += from > view->floor && client->state == CLIENT_SYNCED;
        view->floor = from > view->floor ? from : view->floor;
    }
}

static void let_slow_ones_read(void)
{
    static const char alive[] = "{\"type\":\"pong\"}";
    if (slow.slow.synced == 0 || clock_now_ns() < slow.tick_ns) {
        return;
    }
    slow.tick_ns += SECOND_NS;
    slow.ticks++;
    for (size_t i = 0; i < slow.slow.count; i++) {
        client_receive(&slow.slow.clients[i], SLOW_RATE);
        if (slow.ticks % ALIVE_EVERY_S == 0) {
            client_say(&slow.slow.clients[i], alive, sizeof(alive) - 1);
        }
    }
}

static void send_one(struct mark mark)
{
    static char said[BODY_MAX + 512];
    char text[MARK_SIZE];
    mark_write(text, mark);
    memcpy(slow.body, text, MARK_SIZE - 1);
    int n = snprintf(said, sizeof(said),
                     "{\"type\": \"send\", \"conversation_id\": \"%s\", "
                     "\"client_id\": \"%08" PRIx32 "-0000-4000-8000-%012" PRIx64 "\", "
                     "\"message_body\": \"%s\"}",
                     slow.conversation, mark.number, slow.nonce & 0xffffffffffff, slow.body);
    client_say(&slow.readers.clients[mark.number % slow.readers.count], said, (size_t)n);
}

static void begin(size_t body_size, long seconds)
{
    if (body_size < MARK_SIZE || body_size > BODY_MAX) {
        fail("a body of %d to %d bytes", MARK_SIZE, BODY_MAX);
    }
    memset(slow.body, 'x', body_size);
    slow.body[body_size] = '\0';
    slow.nonce++;
    slow.messages = (size_t)seconds * RATE / body_size;
    slow.delivered = slow.doubled = 0;
    free(slow.reached);
    slow.reached = calloc(slow.messages, sizeof(*slow.reached));
    if (slow.reached == NULL) {
        fail("out of memory");
    }
    samples_clear(&slow.delivery);
    slow.start_ns = clock_in_ns(0.01);
}

static void run(size_t body_size, long seconds)
{
    size_t slow_bytes = slow.slow.bytes;
    begin(body_size, seconds);
    for (uint32_t sent = 0; sent < slow.messages;) {
        int64_t due_ns =
            slow.start_ns + (int64_t)sent * seconds * SECOND_NS / (int64_t)slow.messages;
        let_slow_ones_read();
        if (clock_now_ns() >= due_ns) {
            send_one((struct mark){due_ns, sent++});
        } else {
            loop_step(&slow.loop, due_ns);
        }
    }
    int64_t until_ns = clock_in_ns(PATIENCE_S);
    size_t expected = slow.messages * slow.readers.count;
    while (slow.delivered < expected && clock_now_ns() < until_ns) {
        loop_step(&slow.loop, clock_in_ns(0.1));
        let_slow_ones_read();
    }
    printf("{\"messages\": %zu, \"delivered\": %zu, \"missing\": %zu, \"doubled\": %zu, "
           "\"slow_bytes\": %zu, ",
           slow.messages, slow.delivered, expected - slow.delivered, slow.doubled,
           slow.slow.bytes - slow_bytes);
    samples_print(&slow.delivery, "delivery");
    puts("}");
}

static void connect_slow_ones(void)
{
    swarm_init(&slow.slow);
    swarm_connect(&slow.slow, AT_ONCE, CONNECT_PATIENCE_S);
    for (size_t i = 0; i < slow.slow.count; i++) {
        struct view *view = &slow.views[i];
        view->floor = slow.newest + 1 > view->floor ? slow.newest + 1 : view->floor;
        client_set_idle(&slow.slow.clients[i], true);
    }
    slow.tick_ns = clock_in_ns(1);
    printf("{\"sockets\": %zu}\n", slow.slow.synced);
}

/* The first seq that a client should have and has not. */
static int64_t lacks(const struct view *view)
{
    for (int64_t seq = view->floor; seq <= slow.newest; seq++) {
        if (!view->has[seq]) {
            return seq;
        }
    }
    return 0;
}

static bool all_have_all(void)
{
    for (size_t i = 0; i < slow.slow.count; i++) {
        if (slow.views[i].newest < slow.newest || lacks(&slow.views[i]) > 0) {
            return false;
        }
    }
    return true;
}

static void fail_to_converge(void)
{
    for (size_t i = 0; i < slow.slow.count; i++) {
        const struct view *view = &slow.views[i];
        int64_t seq = lacks(view);
        if (seq > 0) {
            fail("after %d s slow client %zu (from %" PRId64 " on, newest %" PRId64 " of %" PRId64
                 ") lacks %" PRId64,
                 PATIENCE_S, i, view->floor, view->newest, slow.newest, seq);
        }
    }
}

static void catch_up(void)
{
    size_t bytes = slow.slow.bytes;
    int64_t begin_ns = clock_now_ns(), until_ns = clock_in_ns(PATIENCE_S);
    for (size_t i = 0; i < slow.slow.count; i++) {
        client_set_idle(&slow.slow.clients[i], false);
    }
    while (!all_have_all()) {
        loop_step(&slow.loop, clock_in_ns(0.1));
        if (clock_now_ns() > until_ns) {
            fail_to_converge();
        }
    }
    printf("{\"seconds\": %.3f, \"bytes\": %zu, \"limited\": %zu}\n",
           (double)(clock_now_ns() - begin_ns) / 1e9, slow.slow.bytes - bytes, slow.limited);
}

static void obey(const struct mode_command *command)
{
    if (strcmp(command->name, "slow") == 0) {
        connect_slow_ones();
    } else if (strcmp(command->name, "run") == 0 && command->second > 0) {
        run((size_t)command->first, command->second);
    } else if (strcmp(command->name, "catchup") == 0) {
        catch_up();
    } else {
        fail("unknown command \"%s\"", command->name);
    }
}

static void prepare(const struct mode_arguments *arguments)
{
    enum { READERS_MAX = 64 }; /* bits of slow.reached */
    slow.conversation = arguments->words[0];
    slow.nonce = (uint64_t)clock_now_ns() ^ (uint64_t)getpid() << 32;
    slow.readers = (struct swarm){
        .loop = &slow.loop,
        .port = arguments->port,
        .tokens = &arguments->tokens,
        .count = (size_t)mode_number(arguments->words[1], "READERS", 1),
        .room_size = SIZE_MAX,
        .on_frame = note_reader,
    };
    if (slow.readers.count > READERS_MAX) {
        fail("at most %d readers", READERS_MAX);
    }
    slow.slow = slow.readers;
    slow.slow.first_token = slow.readers.count;
    slow.slow.count = (size_t)mode_number(arguments->words[2], "SLOW", 1);
    slow.slow.receive_buffer = SLOW_BUFFER;
    slow.slow.on_frame = note_slow;
    slow.views = calloc(slow.slow.count, sizeof(*slow.views));
    if (slow.views == NULL) {
        fail("out of memory");
    }
}

void mode_slow(const struct mode_arguments *arguments)
{
    prepare(arguments);
    loop_init(&slow.loop, slow.readers.count + slow.slow.count);
    swarm_init(&slow.readers);
    swarm_connect(&slow.readers, AT_ONCE, CONNECT_PATIENCE_S);
    printf("{\"sockets\": %zu}\n", slow.readers.synced);
    for (const char *line; (line = loop_command(&slow.loop)) != NULL;) {
        const struct mode_command command = mode_parse(line);
        obey(&command);
    }
}
