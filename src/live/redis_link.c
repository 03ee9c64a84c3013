#include "live/redis_link.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "crypto/random.h"
#include "crypto/tls.h"
#include "live/resp.h"

enum {
    RETRY_FIRST_MS = 100,
    RETRY_MAX_MS = 5000,
    CONNECT_MS = 3000, /* until it listens */
    ANSWER_MS = 5000,
    PIECE = 65536,
    PROBLEM_MAX = 256
};

/* A connection, or an attempt at one. Freed when its handle is closed. */
struct conn {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    };
    struct redis_link *link; /* NULL: it is being closed */
    uv_connect_t connect;
    struct tls *tls; /* NULL: without */
    struct buf input;
    char piece[PIECE];
};

struct redis_link {
    struct redis_link_options options;
    uv_loop_t *loop;
    uv_timer_t timer; /* the next try; or the end of the patience with this one */
    uv_getaddrinfo_t lookup;
    bool is_looking_up;
    bool is_stopped;
    bool is_up;
    bool is_busy;     /* what was said has not been answered */
    bool is_reported; /* that it is down */
    int64_t retry_ms;
    unsigned tries;
    struct conn *conn;
};

static void try_once(struct redis_link *link);

/* --- failing --------------------------------------------------------------------------------- */

static void on_conn_closed(uv_handle_t *handle)
{
    struct conn *conn = handle->data;
    tls_free(conn->tls);
    buf_fini(&conn->input);
    free(conn);
}

static void drop_conn(struct redis_link *link)
{
    if (link->conn != NULL) {
        link->conn->link = NULL;
        uv_close(&link->conn->handle, on_conn_closed);
        link->conn = NULL;
    }
    link->is_up = false;
    link->is_busy = false;
}

static void on_retry(uv_timer_t *timer)
{
    try_once(timer->data);
}

/* The next try comes after a random time between half of retry_ms and all of it, so that not all nodes
 * come at once. */
static void fail(struct redis_link *link, const char *problem)
{
    uint32_t number = 0;
    bool is_news = !link->is_reported;
    random_bytes(&number, sizeof(number));
    drop_conn(link);
    link->is_reported = true;
    int64_t wait_ms = link->retry_ms / 2 + (int64_t)number % (link->retry_ms / 2 + 1);
    uv_timer_start(&link->timer, on_retry, (uint64_t)wait_ms, 0);
    link->retry_ms = 2 * link->retry_ms < RETRY_MAX_MS ? 2 * link->retry_ms : RETRY_MAX_MS;
    if (is_news) {
        link->options.down(problem, link->options.context);
    }
}

static void on_patience(uv_timer_t *timer)
{
    fail(timer->data, "it does not answer in time");
}

/* --- writing --------------------------------------------------------------------------------- */

struct write {
    uv_write_t request;
    struct conn *conn;
    size_t n;
    char bytes[];
};

/* A closed handle's writes come back before its close does, so conn is there. */
static void on_written(uv_write_t *request, int status)
{
    struct write *write = request->data;
    struct redis_link *link = write->conn->link;
    free(write);
    if (status != 0 && link != NULL) {
        fail(link, uv_strerror(status));
    }
}

static bool write_wire(struct conn *conn, struct str wire)
{
    if (wire.n == 0) {
        return true;
    }
    struct write *write = mem_alloc(sizeof(*write) + wire.n);
    write->request.data = write;
    write->conn = conn;
    memcpy(write->bytes, wire.p, wire.n);
    uv_buf_t piece = uv_buf_init(write->bytes, (unsigned)wire.n);
    if (uv_write(&write->request, &conn->stream, &piece, 1, on_written) != 0) {
        free(write);
        return false;
    }
    return true;
}

static bool write_tls(struct conn *conn)
{
    struct buf wire;
    buf_init(&wire, 4 * RESP_SIZE_MAX);
    tls_take_wire(conn->tls, &wire);
    bool is_good = !wire.failed && write_wire(conn, buf_view(&wire));
    buf_fini(&wire);
    return is_good;
}

static void put(struct redis_link *link, struct str text)
{
    struct conn *conn = link->conn;
    bool is_good =
        conn->tls == NULL ? write_wire(conn, text) : tls_say(conn->tls, text) && write_tls(conn);
    if (!is_good) {
        fail(link, "the connection has broken");
    }
}

static void add_word(struct buf *out, struct str word)
{
    buf_printf(out, "$%zu\r\n", word.n);
    buf_str(out, word);
    buf_lit(out, "\r\n");
}

/* HELLO and SUBSCRIBE at one go: what is wrong with the first is answered first. */
static void greet(struct redis_link *link)
{
    const struct redis_url *url = link->options.url;
    bool has_login = url->password.p != NULL;
    struct buf out;
    buf_init(&out, RESP_SIZE_MAX);
    buf_printf(&out, "*%d\r\n", has_login ? 7 : 4);
    add_word(&out, STR("HELLO"));
    add_word(&out, STR("3"));
    if (has_login) {
        add_word(&out, STR("AUTH"));
        add_word(&out, url->user.p != NULL ? url->user : STR("default"));
        add_word(&out, url->password);
    }
    add_word(&out, STR("SETNAME"));
    add_word(&out, STR("confab"));
    buf_lit(&out, "*2\r\n");
    add_word(&out, STR("SUBSCRIBE"));
    add_word(&out, str_of(link->options.channel));
    put(link, buf_view(&out));
    buf_fini(&out);
}

void redis_link_say(struct redis_link *link, struct str text)
{
    struct buf out;
    buf_init(&out, text.n + 1024);
    link->is_busy = true;
    buf_lit(&out, "*3\r\n");
    add_word(&out, STR("PUBLISH"));
    add_word(&out, str_of(link->options.channel));
    add_word(&out, text);
    uv_timer_start(&link->timer, on_patience, ANSWER_MS, 0);
    put(link, buf_view(&out));
    buf_fini(&out);
}

bool redis_link_is_free(const struct redis_link *link)
{
    return link->is_up && !link->is_busy;
}

/* --- reading --------------------------------------------------------------------------------- */

static void come_up(struct redis_link *link)
{
    uv_timer_stop(&link->timer);
    link->is_up = true;
    link->is_reported = false;
    link->retry_ms = RETRY_FIRST_MS;
    link->options.up(link->options.context);
}

static void take_push(struct redis_link *link, const struct resp *push)
{
    bool is_ours = str_eq(push->items[1], str_of(link->options.channel));
    if (is_ours && str_eq(push->items[0], STR("subscribe")) && !link->is_up) {
        come_up(link);
    } else if (is_ours && str_eq(push->items[0], STR("message")) && push->items[2].p != NULL) {
        link->options.message(push->items[2], link->options.context);
    }
}

static void take_value(struct redis_link *link, const struct resp *value)
{
    char problem[PROBLEM_MAX];
    if (value->kind == RESP_ERROR) {
        (void)snprintf(problem, sizeof(problem), "it says: %.*s", STR_ARG(value->text));
        fail(link, problem);
    } else if (value->kind == RESP_PUSH) {
        take_push(link, value);
    } else if (value->kind == RESP_NUMBER && link->is_busy) {
        link->is_busy = false;
        uv_timer_stop(&link->timer);
        link->options.said(link->options.context);
    }
}

/* A callback may end the connection. */
static void take_input(struct conn *conn)
{
    size_t at = 0;
    enum resp_result result = RESP_OK;
    while (conn->link != NULL && result == RESP_OK && at < conn->input.n) {
        struct resp value;
        size_t used = 0;
        result = resp_read((struct str){conn->input.p + at, conn->input.n - at}, &value, &used);
        at += used;
        if (result == RESP_OK) {
            take_value(conn->link, &value);
        }
    }
    if (conn->link == NULL) {
        return;
    }
    if (result == RESP_BAD || conn->input.failed) {
        fail(conn->link, "it is no Redis server of version 6 or later");
        return;
    }
    if (at > 0) {
        memmove(conn->input.p, conn->input.p + at, conn->input.n - at);
        conn->input.n -= at;
    }
}

static void take_bytes(struct conn *conn, struct str bytes)
{
    if (conn->tls == NULL) {
        buf_str(&conn->input, bytes);
    } else if (!tls_feed(conn->tls, bytes)) {
        fail(conn->link, tls_problem(conn->tls));
        return;
    } else {
        tls_hear(conn->tls, &conn->input);
        if (!write_tls(conn)) {
            fail(conn->link, "the connection has broken");
            return;
        }
    }
    take_input(conn);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct conn *conn = handle->data;
    (void)suggested;
    *out = uv_buf_init(conn->piece, sizeof(conn->piece));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct conn *conn = stream->data;
    if (conn->link == NULL || n == 0) {
        return;
    }
    if (n < 0) {
        fail(conn->link, uv_strerror((int)n));
        return;
    }
    take_bytes(conn, (struct str){buf->base, (size_t)n});
}

/* --- connecting ------------------------------------------------------------------------------ */

static void on_connected(uv_connect_t *request, int status)
{
    struct conn *conn = request->data;
    if (conn->link == NULL) {
        return;
    }
    if (status == 0) {
        status = uv_read_start(&conn->stream, on_alloc, on_read);
    }
    if (status != 0) {
        fail(conn->link, uv_strerror(status));
        return;
    }
    greet(conn->link);
}

static struct conn *new_conn(struct redis_link *link)
{
    const struct redis_url *url = link->options.url;
    struct conn *conn = mem_alloc_zero(sizeof(*conn));
    int code = url->path != NULL ? uv_pipe_init(link->loop, &conn->pipe, 0)
                                 : uv_tcp_init(link->loop, &conn->tcp);
    if (code != 0) {
        free(conn);
        return NULL;
    }
    conn->link = link;
    conn->handle.data = conn;
    conn->connect.data = conn;
    buf_init(&conn->input, RESP_SIZE_MAX + PIECE);
    link->conn = conn;
    return conn;
}

static void connect_path(struct redis_link *link)
{
    struct conn *conn = new_conn(link);
    if (conn == NULL) {
        fail(link, "there is no handle for a connection");
        return;
    }
    uv_pipe_connect(&conn->connect, &conn->pipe, link->options.url->path, on_connected);
}

static void connect_address(struct redis_link *link, const struct sockaddr *address)
{
    struct conn *conn = new_conn(link);
    if (conn == NULL) {
        fail(link, "there is no handle for a connection");
        return;
    }
    if (link->options.url->is_tls) {
        conn->tls = tls_client_new(link->options.url->host);
        if (conn->tls == NULL) {
            fail(link, "TLS does not work here");
            return;
        }
    }
    (void)uv_tcp_nodelay(&conn->tcp, 1);
    int code = uv_tcp_connect(&conn->connect, &conn->tcp, address, on_connected);
    if (code != 0) {
        fail(link, uv_strerror(code));
    }
}

/* With several addresses each try takes the next one. */
static void on_looked_up(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
    struct redis_link *link = request->data;
    unsigned count = 0;
    link->is_looking_up = false;
    for (const struct addrinfo *one = list; one != NULL; one = one->ai_next) {
        count++;
    }
    if (!link->is_stopped && (status != 0 || count == 0)) {
        fail(link, status != 0 ? uv_strerror(status) : "it has no address");
    } else if (!link->is_stopped) {
        const struct addrinfo *one = list;
        for (unsigned skip = link->tries++ % count; skip > 0; skip--) {
            one = one->ai_next;
        }
        uv_timer_start(&link->timer, on_patience, CONNECT_MS, 0);
        connect_address(link, one->ai_addr);
    }
    uv_freeaddrinfo(list);
}

static void look_up(struct redis_link *link)
{
    const struct addrinfo wish = {.ai_socktype = SOCK_STREAM};
    char port[16];
    (void)snprintf(port, sizeof(port), "%d", (int)link->options.url->port);
    int code = uv_getaddrinfo(link->loop, &link->lookup, on_looked_up, link->options.url->host,
                              port, &wish);
    link->is_looking_up = code == 0;
    if (code != 0) {
        fail(link, uv_strerror(code));
    }
}

/* A look-up that has not come back goes on; nothing shortens it. */
static void try_once(struct redis_link *link)
{
    uv_timer_start(&link->timer, on_patience, CONNECT_MS, 0);
    if (link->options.url->path != NULL) {
        connect_path(link);
    } else if (!link->is_looking_up) {
        look_up(link);
    }
}

/* --- life ------------------------------------------------------------------------------------ */

struct redis_link *redis_link_new(uv_loop_t *loop, const struct redis_link_options *options)
{
    struct redis_link *link = mem_alloc_zero(sizeof(*link));
    link->options = *options;
    link->loop = loop;
    link->retry_ms = RETRY_FIRST_MS;
    if (uv_timer_init(loop, &link->timer) != 0) {
        abort();
    }
    link->timer.data = link;
    link->lookup.data = link;
    return link;
}

void redis_link_start(struct redis_link *link)
{
    try_once(link);
}

void redis_link_stop(struct redis_link *link)
{
    link->is_stopped = true;
    drop_conn(link);
    uv_close((uv_handle_t *)&link->timer, NULL);
    if (link->is_looking_up) {
        (void)uv_cancel((uv_req_t *)&link->lookup);
    }
}

void redis_link_free(struct redis_link *link)
{
    free(link);
}
