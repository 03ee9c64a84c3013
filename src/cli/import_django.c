/* confab import-django: the users, conversations and messages of the Django app that Confab replaces, into
 * an empty database, in one transaction. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "chat/account.h"
#include "chat/conversation.h"
#include "cli/database.h"
#include "cli/import_plan.h"
#include "cli/options.h"
#include "store/conversation.h"
#include "store/django.h"
#include "store/queries.h"
#include "store/seed.h"
#include "store/statistics.h"
#include "store/system.h"
#include "sync/mark.h"

enum { PAGE = 10000, MEMBERS_PAGE = 100000, TWINS_SHOWN = 20 };

static const char about[] =
    "Takes over a database of the Django app into DATABASE_URL, which has to be empty: users\n"
    "with their passwords, conversations, messages, with their ids and times. All of it is\n"
    "stored at the end, or nothing. No server may run meanwhile; the old database is only\n"
    "read. --map says what columns are called that are not found by themselves, as\n"
    "\"user.email=mail,message.body=text\". docs/moving.md has the rest.";

struct importer {
    struct cli *cli;
    struct django django;
    struct mark *mark; /* no server has the target */
    struct db *db;
    struct uuid anybody; /* the oldest user, for conversations that nobody is in */
    int64_t users;
    int64_t renamed;
    int64_t locked_out; /* their password hash is none that can be checked here */
    int64_t twins;      /* their e-mail address is another's already */
    int64_t conversations;
    int64_t members;
    int64_t pairs;
    int64_t messages;
    struct str problem;
};

/* --- users --------------------------------------------------------------------------------- */

static void note_twin(struct importer *m, const struct user *user)
{
    char id[UUID_TEXT];
    uuid_format(user->id, id);
    if (m->twins++ < TWINS_SHOWN) {
        fprintf(stderr, "%.*s has the address of another user, but for case: %.*s\n", UUID_TEXT, id,
                STR_ARG(user->email));
    }
}

static enum err add_user(struct importer *m, struct arena *a, struct django_user *row)
{
    struct call call = {.db = m->db, .arena = a};
    struct str before = row->user.username;
    enum err e = chat_account_take_over(&call, &row->user, row->password);
    if (e == ERR_CONFLICT) {
        note_twin(m, &row->user);
        return ERR_OK;
    }
    m->anybody = m->users == 0 ? row->user.id : m->anybody;
    m->users++;
    m->renamed += !str_eq(before, row->user.username);
    m->locked_out += !str_starts(row->password, STR("pbkdf2_sha256$"));
    return e;
}

static enum err add_users(struct importer *m)
{
    struct arena a;
    struct django_user *rows;
    size_t count = PAGE;
    enum err e = ERR_OK;
    arena_init(&a);
    for (int64_t offset = 0; e == ERR_OK && count == PAGE; offset += PAGE) {
        arena_reset(&a);
        e = django_users(&m->django, &a, PAGE, offset, &rows, &count);
        for (size_t i = 0; i < count && e == ERR_OK; i++) {
            e = add_user(m, &a, &rows[i]);
        }
    }
    arena_fini(&a);
    if (e == ERR_OK && m->twins > 0) {
        m->problem =
            arena_printf(m->cli->arena,
                         "%" PRId64 " users have an e-mail address that another one has, but for "
                         "case: change or remove them there first. Nothing was stored.",
                         m->twins);
        return ERR_CONFLICT;
    }
    return e;
}

/* --- conversations ------------------------------------------------------------------------- */

/* A conversation under way. */
struct thread {
    const struct django_conversation *from;
    struct arena *arena;
    struct uuid first; /* who was added first; zero: nobody is in it */
    size_t member_count;
    struct import_plan plan;
};

/* Making it is its first rev, each member one more, each message one more. */
static int64_t rev_without_messages(const struct thread *t)
{
    return 1 + (int64_t)t->plan.count;
}

/* Calls `add` for each message in order. */
static enum err each_message(struct importer *m, const struct django_conversation *from,
                             enum err (*add)(void *context, struct message *message), void *context)
{
    struct arena a;
    struct message *rows;
    size_t count = PAGE;
    enum err e = ERR_OK;
    arena_init(&a);
    for (int64_t offset = 0; e == ERR_OK && count == PAGE; offset += PAGE) {
        arena_reset(&a);
        e = django_messages(&m->django, &a, from, PAGE, offset, &rows, &count);
        for (size_t i = 0; i < count && e == ERR_OK; i++) {
            e = add(context, &rows[i]);
        }
    }
    arena_fini(&a);
    return e;
}

static enum err plan_message(void *context, struct message *message)
{
    struct thread *t = context;
    import_plan_add(&t->plan, message->sender_id, message->sent_at, message->is_read);
    return ERR_OK;
}

static enum err plan_thread(struct importer *m, struct thread *t)
{
    struct uuid *ids;
    enum err e =
        django_members(&m->django, t->arena, t->from, MEMBERS_PAGE, 0, &ids, &t->member_count);
    if (e != ERR_OK) {
        return e;
    }
    t->first = t->member_count > 0 ? ids[0] : (struct uuid){{0}};
    import_plan_init(&t->plan, t->arena, ids, t->member_count);
    return each_message(m, t->from, plan_message, t);
}

/* Two people and no title are a one-to-one conversation, unless the pair has one that was active
 * later. */
static enum err find_pair(struct importer *m, const struct thread *t, uint8_t key[SHA256_SIZE],
                          bool *is_pair)
{
    struct uuid pair[2] = {{{0}}};
    struct uuid other;
    bool taken = false;
    size_t found = 0;
    *is_pair = t->member_count == 2 && t->from->conversation.title.n == 0;
    for (size_t i = 0; i < t->plan.count && *is_pair && found < 2; i++) {
        if (!t->plan.members[i].has_left) {
            pair[found++] = t->plan.members[i].id;
        }
    }
    if (!*is_pair) {
        return ERR_OK;
    }
    chat_conversation_direct_key(pair[0], pair[1], key);
    enum err e = store_conversation_direct(m->db, key, &other, &taken);
    *is_pair = !taken;
    return e;
}

static struct conversation describe(const struct importer *m, const struct thread *t)
{
    struct conversation c = t->from->conversation;
    struct uuid maker = uuid_is_zero(t->first) ? m->anybody : t->first;
    int64_t active = t->plan.last_us > c.created_at ? t->plan.last_us : c.created_at;
    c.created_by = uuid_is_zero(c.created_by) ? maker : c.created_by;
    c.updated_at = c.updated_at == 0 ? active : c.updated_at;
    c.last_seq = t->plan.last_seq;
    c.message_count = t->plan.last_seq;
    c.participant_count = (int64_t)t->member_count;
    c.rev = rev_without_messages(t) + t->plan.last_seq;
    return c;
}

static enum err add_member(struct importer *m, const struct thread *t, size_t i)
{
    const struct import_member *member = &t->plan.members[i];
    bool is_owner = uuid_eq(member->id, t->first);
    const struct participant participant = {
        .conversation_id = t->from->conversation.id,
        .user_id = member->id,
        .role = is_owner ? PART_OWNER : PART_MEMBER,
        .joined_at = t->from->conversation.created_at,
        .left_at = member->has_left ? member->sent_us : 0,
        .read_seq = import_plan_read_seq(&t->plan, member),
        .rev = 2 + (int64_t)i,
    };
    return store_participant_begin(m->db, &participant);
}

static enum err add_thread(struct importer *m, const struct thread *t)
{
    uint8_t key[SHA256_SIZE];
    bool is_pair;
    const struct conversation conversation = describe(m, t);
    enum err e = find_pair(m, t, key, &is_pair);
    if (e == ERR_OK) {
        e = store_seed_conversation(m->db, &conversation, is_pair ? key : NULL);
    }
    for (size_t i = 0; i < t->plan.count && e == ERR_OK; i++) {
        e = add_member(m, t, i);
    }
    m->conversations++;
    m->members += (int64_t)t->member_count;
    m->pairs += is_pair;
    return e;
}

/* The messages of a conversation on their way. */
struct stream {
    struct db_load load;
    int64_t seq;
    int64_t rev;
};

static enum err add_message(void *context, struct message *message)
{
    struct stream *s = context;
    message->seq = ++s->seq;
    message->rev = ++s->rev;
    return store_seed_message(&s->load, message);
}

static enum err add_messages(struct importer *m, const struct thread *t)
{
    struct stream s = {.rev = rev_without_messages(t)};
    if (t->plan.last_seq == 0) {
        return ERR_OK;
    }
    store_seed_messages(&s.load);
    enum err e = db_load_begin(m->db, &s.load);
    if (e == ERR_OK) {
        e = each_message(m, t->from, add_message, &s);
    }
    m->messages += s.seq;
    return db_load_end(&s.load, e);
}

static enum err add_conversation(struct importer *m, const struct django_conversation *from)
{
    struct arena a;
    arena_init(&a);
    struct thread t = {.from = from, .arena = &a};
    enum err e = plan_thread(m, &t);
    if (e == ERR_OK) {
        e = add_thread(m, &t);
    }
    if (e == ERR_OK) {
        e = add_messages(m, &t);
    }
    arena_fini(&a);
    return e;
}

static enum err add_conversations(struct importer *m)
{
    struct arena a;
    struct django_conversation *rows;
    size_t count = PAGE;
    enum err e = ERR_OK;
    arena_init(&a);
    for (int64_t offset = 0; e == ERR_OK && count == PAGE; offset += PAGE) {
        arena_reset(&a);
        e = django_conversations(&m->django, &a, PAGE, offset, &rows, &count);
        for (size_t i = 0; i < count && e == ERR_OK; i++) {
            e = add_conversation(m, &rows[i]);
        }
    }
    arena_fini(&a);
    if (e == ERR_OK) {
        e = store_tally_add(m->db, TALLY_CONVERSATIONS, m->conversations);
    }
    return e == ERR_OK ? store_tally_add(m->db, TALLY_MESSAGES, m->messages) : e;
}

/* --- the whole ----------------------------------------------------------------------------- */

static enum err check_count(struct importer *m, enum django_table table, const char *what,
                            int64_t taken)
{
    int64_t there = 0;
    enum err e = django_count(&m->django, table, &there);
    if (e == ERR_OK && there != taken) {
        m->problem = arena_printf(m->cli->arena,
                                  "%" PRId64 " of %" PRId64
                                  " %s could be read: the others refer to rows that "
                                  "are not there. Nothing was stored.",
                                  taken, there, what);
        return ERR_CONFLICT;
    }
    return e;
}

static enum err fill(struct importer *m)
{
    enum err e = add_users(m);
    if (e == ERR_OK) {
        e = add_conversations(m);
    }
    if (e == ERR_OK) {
        e = check_count(m, DJANGO_USER, "users", m->users);
    }
    if (e == ERR_OK) {
        e = check_count(m, DJANGO_CONVERSATION, "conversations", m->conversations);
    }
    if (e == ERR_OK) {
        e = check_count(m, DJANGO_MEMBER, "participants", m->members);
    }
    return e == ERR_OK ? check_count(m, DJANGO_MESSAGE, "messages", m->messages) : e;
}

static enum err store_all(struct importer *m)
{
    bool empty = false;
    enum err e = cli_begin_write(m->db);
    if (e != ERR_OK) {
        return e;
    }
    e = store_seed_is_empty(m->db, &empty);
    if (e == ERR_OK && !empty) {
        m->problem = arena_printf(m->cli->arena, "There are users in %s already.",
                                  m->cli->conf->database_name);
        e = ERR_CONFLICT;
    }
    if (e == ERR_OK) {
        e = fill(m);
    }
    if (e != ERR_OK) {
        db_rollback(m->db);
        return e;
    }
    return db_commit(m->db);
}

static enum err open_target(struct importer *m)
{
    const struct conf *conf = m->cli->conf;
    const struct db_options options = {
        .queries = store_queries, .busy_timeout_ms = conf->db_busy_timeout_ms, .alone = true};
    enum err e = cli_migrate_database(m->cli, &m->problem);
    if (e == ERR_OK) {
        e = mark_open(cli_mark_path(m->cli, conf->database_path), &m->mark);
    }
    if (e == ERR_CONFLICT) {
        m->problem = STR("A server runs on this database: stop it first.");
    }
    return e == ERR_OK
               ? db_open(cli_database_url(m->cli), &options, &m->db, m->cli->arena, &m->problem)
               : e;
}

static enum err run(struct importer *m, const struct conf_database *source)
{
    if (source->path != NULL && access(source->path, F_OK) != 0) {
        m->problem = arena_printf(m->cli->arena, "There is no database at %s.", source->path);
        return ERR_CONFLICT;
    }
    enum err e = django_open(&m->django, source->url, m->cli->conf->db_busy_timeout_ms);
    if (e == ERR_OK) {
        e = open_target(m);
    }
    if (e == ERR_OK) {
        e = store_all(m);
    }
    return e == ERR_OK ? store_statistics_renew(m->db, m->cli->arena, &m->problem) : e;
}

static void print_result(const struct importer *m)
{
    printf("%" PRId64 " users, %" PRId64 " conversations (%" PRId64 " of them one-to-one), %" PRId64
           " messages\n",
           m->users, m->conversations, m->pairs, m->messages);
    if (m->renamed > 0) {
        printf("%" PRId64 " users got a username made of their e-mail address\n", m->renamed);
    }
    if (m->locked_out > 0) {
        printf("%" PRId64 " users have a password that is not pbkdf2_sha256 and cannot log in: "
               "`confab changepassword` gives them another\n",
               m->locked_out);
    }
    if (m->django.metadata_dropped > 0) {
        printf("%" PRId64 " times metadata was no JSON object, and was left out\n",
               m->django.metadata_dropped);
    }
}

static int import(struct importer *m, const struct conf_database *source)
{
    enum err e = run(m, source);
    db_close(m->db);
    mark_close(m->mark);
    if (m->django.db != NULL) {
        db_rollback(m->django.db);
    }
    db_close(m->django.db);
    if (e == ERR_OK) {
        print_result(m);
        return 0;
    }
    if (e == ERR_DB_REFERENCE) {
        return cli_fail(1, "A sender or a participant is no user. Nothing was stored.");
    }
    struct str problem = m->problem.n > 0 ? m->problem : m->django.problem;
    return problem.n > 0 ? cli_fail(1, "%.*s", STR_ARG(problem)) : cli_fail_database(e);
}

/* --- the command --------------------------------------------------------------------------- */

static const char *const table_flags[DJANGO_TABLES] = {"--user-table", "--conversation-table",
                                                       "--participant-table", "--message-table"};

/* What Django calls them if nobody has said otherwise. */
static bool name_tables(struct importer *m, const char *app)
{
    static const char *const models[DJANGO_TABLES] = {"user", "conversation",
                                                      "conversation_participants", "message"};
    for (int i = 0; i < DJANGO_TABLES; i++) {
        const char **name = &m->django.tables[i];
        if (*name == NULL) {
            *name = arena_printf(m->cli->arena, "%s_%s", app, models[i]).p;
        }
        if (!django_name_valid(str_of(*name))) {
            cli_fail(2, "\"%s\" (%s) is no name of a table.", *name, table_flags[i]);
            return false;
        }
    }
    return true;
}

int cli_import_django(struct cli *cli)
{
    struct importer m = {
        .cli = cli, .django = {.arena = cli->arena, .problem = STR("")}, .problem = STR("")};
    struct conf_database source;
    const char *app = "chats";
    const char *map = NULL;
    const char *url = NULL;
    const struct cli_option options[] = {
        {.name = "--app",
         .text = &app,
         .help = "the app's name, which its tables begin with [chats]"},
        {.name = "--user-table", .text = &m.django.tables[DJANGO_USER], .help = "[APP_user]"},
        {.name = "--conversation-table",
         .text = &m.django.tables[DJANGO_CONVERSATION],
         .help = "[APP_conversation]"},
        {.name = "--participant-table",
         .text = &m.django.tables[DJANGO_MEMBER],
         .help = "[APP_conversation_participants]"},
        {.name = "--message-table",
         .text = &m.django.tables[DJANGO_MESSAGE],
         .help = "[APP_message]"},
        {.name = "--map", .text = &map, .help = "TABLE.FIELD=COLUMN, with commas between"},
    };
    const struct cli_usage usage = {.command = "import-django",
                                    .about = about,
                                    .options = options,
                                    .option_count = COUNT_OF(options),
                                    .argument_name = "URL",
                                    .argument = &url,
                                    .argument_required = true};
    int code;
    if (!cli_parse(cli, &usage, &code)) {
        return code;
    }
    const char *problem = conf_database(cli->arena, str_of(url), &source);
    if (problem != NULL) {
        return cli_fail(2, "the URL %s.", problem);
    }
    if (!name_tables(&m, app)) {
        return 2;
    }
    if (map != NULL && !django_map(&m.django, str_of(map))) {
        return cli_fail(2, "--map: %.*s", STR_ARG(m.django.problem));
    }
    return import(&m, &source);
}
