/* confab seed-demo: people, conversations and messages to look at and to measure with. */
#include <inttypes.h>
#include <stdio.h>

#include "chat/email.h"
#include "chat/name.h"
#include "cli/database.h"
#include "cli/options.h"
#include "cli/seed_plan.h"
#include "crypto/password.h"
#include "store/participant.h"
#include "store/seed.h"
#include "store/statistics.h"
#include "store/system.h"
#include "store/user.h"

#define DEMO_PASSWORD "demo-Passw0rd"

enum { MILLION = 1000 * 1000, WORDS_MAX = 32 };

static const char about[] =
    "Fills an empty database, the same way each time: admin@example.com, and\n"
    "user0@example.com and on, in conversations of two to five people, all with the\n"
    "password " DEMO_PASSWORD ". Never do this on a server that others reach.";

struct seeder {
    struct db *db;
    struct arena *arena;
    struct str password_hash; /* one for all: a hash for each would take most of the time */
    struct seed_plan plan;
    struct str problem;
};

/* --- people -------------------------------------------------------------------------------- */

static enum err add_words(struct seeder *s, const struct user *user)
{
    const struct str names[] = {user->username, user->first_name, user->last_name};
    struct str words[WORDS_MAX];
    enum err e = ERR_OK;
    for (size_t i = 0; i < COUNT_OF(names) && e == ERR_OK; i++) {
        size_t n = name_words(s->arena, names[i], words, COUNT_OF(words));
        e = store_user_add_words(s->db, user->id, words, n, false);
    }
    size_t n = name_words(s->arena, user->email, words, COUNT_OF(words));
    return e == ERR_OK ? store_user_add_words(s->db, user->id, words, n, true) : e;
}

static enum err add_user(struct seeder *s, const struct user *user)
{
    const struct user_keys keys = {
        .username = username_key(s->arena, user->username),
        .email = email_key(s->arena, user->email),
    };
    enum err e = store_user_add(s->db, user, &keys, s->password_hash);
    return e == ERR_OK ? add_words(s, user) : e;
}

static enum err add_person(struct seeder *s, uint32_t n)
{
    struct arena *a = s->arena;
    const struct seed_person *person = &s->plan.people[n];
    const struct user user = {
        .id = person->id,
        .username = arena_printf(a, "user%" PRIu32, n),
        .email = arena_printf(a, "user%" PRIu32 "@example.com", n),
        .first_name = arena_printf(a, "First%" PRIu32, n),
        .last_name = arena_printf(a, "Last%" PRIu32, n),
        .phone_number = arena_printf(a, "+1555%07" PRIu32, n),
        .role = seed_plan_is_host(n) ? ROLE_HOST : ROLE_GUEST,
        .metadata = STR("{}"),
        .is_active = true,
        .created_at = person->created_us,
    };
    return add_user(s, &user);
}

static enum err add_people(struct seeder *s)
{
    const struct user admin = {
        .id = s->plan.admin.id,
        .username = STR("admin"),
        .email = STR("admin@example.com"),
        .first_name = STR("Ada"),
        .last_name = STR("Admin"),
        .phone_number = STR(""),
        .role = ROLE_ADMIN,
        .metadata = STR("{}"),
        .is_active = true,
        .created_at = s->plan.admin.created_us,
    };
    enum err e = add_user(s, &admin);
    for (int64_t n = 0; n < s->plan.size.users && e == ERR_OK; n++) {
        e = add_person(s, (uint32_t)n);
    }
    return e == ERR_OK ? store_tally_add(s->db, TALLY_USERS, s->plan.size.users + 1) : e;
}

/* --- conversations ------------------------------------------------------------------------- */

/* Making it is its first rev, each member one more, each message one more. */
static int64_t rev_without_messages(const struct seed_conversation *c)
{
    return 1 + (int64_t)c->group_size;
}

static enum err add_member(struct seeder *s, const struct seed_conversation *c, size_t i)
{
    enum part part = seed_plan_is_host(c->group[i]) ? PART_MODERATOR : PART_MEMBER;
    const struct participant participant = {
        .conversation_id = c->id,
        .user_id = s->plan.people[c->group[i]].id,
        .role = i == 0 ? PART_OWNER : part,
        .joined_at = c->created_us,
        .read_seq = c->read_seq[i],
        .rev = 2 + (int64_t)i,
    };
    return store_participant_begin(s->db, &participant);
}

static enum err add_conversation(struct seeder *s, int64_t n)
{
    const struct seed_conversation *c = &s->plan.conversations[n];
    const struct conversation conversation = {
        .id = c->id,
        .title = c->group_size > 2 ? arena_printf(s->arena, "Group %" PRId64, n) : STR(""),
        .metadata = STR("{}"),
        .created_by = s->plan.people[c->group[0]].id,
        .created_at = c->created_us,
        .updated_at = c->updated_us,
        .last_seq = c->last_seq,
        .message_count = c->last_seq,
        .participant_count = (int64_t)c->group_size,
        .rev = rev_without_messages(c) + c->last_seq,
    };
    enum err e = store_seed_conversation(s->db, &conversation, NULL);
    for (size_t i = 0; i < c->group_size && e == ERR_OK; i++) {
        e = add_member(s, c, i);
    }
    return e;
}

static enum err add_conversations(struct seeder *s)
{
    enum err e = ERR_OK;
    for (int64_t n = 0; n < s->plan.size.conversations && e == ERR_OK; n++) {
        e = add_conversation(s, n);
    }
    return e == ERR_OK ? store_tally_add(s->db, TALLY_CONVERSATIONS, s->plan.size.conversations)
                       : e;
}

static enum err add_messages(struct seeder *s)
{
    struct db_load load;
    store_seed_messages(&load);
    enum err e = db_load_begin(s->db, &load);
    for (int64_t n = 0; n < s->plan.size.messages && e == ERR_OK; n++) {
        const struct seed_message *planned = &s->plan.messages[n];
        const struct seed_conversation *c = &s->plan.conversations[planned->conversation];
        char text[SEED_TEXT_MAX];
        int64_t sent_us = seed_plan_sent_us((size_t)n);
        struct uuid id = seed_plan_next_id(&s->plan, sent_us); /* drawn before the text */
        size_t length = seed_plan_next_text(&s->plan, text);
        const struct message message = {
            .conversation_id = c->id,
            .seq = planned->seq,
            .id = id,
            .sender_id = s->plan.people[c->group[planned->member]].id,
            .body = {text, length},
            .metadata = STR("{}"),
            .sent_at = sent_us,
            .rev = rev_without_messages(c) + planned->seq,
        };
        e = store_seed_message(&load, &message);
    }
    e = db_load_end(&load, e);
    return e == ERR_OK ? store_tally_add(s->db, TALLY_MESSAGES, s->plan.size.messages) : e;
}

/* --- the command --------------------------------------------------------------------------- */

static enum err clear(struct seeder *s, bool replace)
{
    bool empty = false;
    enum err e = store_seed_is_empty(s->db, &empty);
    if (e != ERR_OK || empty) {
        return e;
    }
    if (!replace) {
        s->problem = STR("The database has users already; --replace deletes them and everything "
                         "else first.");
        return ERR_CONFLICT;
    }
    return store_seed_wipe(s->db, s->arena, &s->problem);
}

static enum err fill(struct seeder *s, bool replace)
{
    enum err e = cli_begin_write(s->db);
    if (e != ERR_OK) {
        return e;
    }
    e = clear(s, replace);
    if (e == ERR_OK) {
        e = add_people(s);
    }
    if (e == ERR_OK) {
        e = add_conversations(s);
    }
    if (e == ERR_OK) {
        e = add_messages(s);
    }
    if (e != ERR_OK) {
        db_rollback(s->db);
        return e;
    }
    return db_commit(s->db);
}

static void print_result(const struct seed_plan *plan)
{
    printf("%" PRId64 " users and an admin, %" PRId64 " conversations, %" PRId64 " messages\n"
           "log in as user0@example.com (or admin@example.com) with %s\n",
           plan->size.users, plan->size.conversations, plan->size.messages, DEMO_PASSWORD);
    if (plan->size.conversations > 0) {
        char id[UUID_TEXT];
        uuid_format(plan->conversations[0].id, id);
        printf("long conversation %.*s\n", UUID_TEXT, id);
    }
}

static int seed(struct cli *cli, const struct seed_size *size, bool replace)
{
    struct seeder s = {.arena = cli->arena, .problem = STR("")};
    enum err e = cli->conf->auto_migrate ? cli_migrate_database(cli, &s.problem) : ERR_OK;
    if (e == ERR_OK) {
        e = cli_open_database(cli, &s.db, &s.problem);
    }
    if (e == ERR_OK) {
        seed_plan_make(&s.plan, size, cli->arena);
        s.password_hash =
            password_hash(cli->arena, STR(DEMO_PASSWORD), cli->conf->password_iterations);
        e = fill(&s, replace);
    }
    if (e == ERR_OK) {
        e = store_statistics_renew(s.db, cli->arena, &s.problem);
    }
    db_close(s.db);
    if (e != ERR_OK) {
        return s.problem.n > 0 ? cli_fail(1, "%.*s", STR_ARG(s.problem)) : cli_fail_database(e);
    }
    print_result(&s.plan);
    return 0;
}

int cli_seed_demo(struct cli *cli)
{
    struct seed_size size = {.users = 1000, .conversations = 2000, .messages = 100000, .seed = 1};
    bool replace = false;
    const struct cli_option options[] = {
        {.name = "--users",
         .number = &size.users,
         .min = 2,
         .max = MILLION,
         .help = "users beside the admin"},
        {.name = "--conversations",
         .number = &size.conversations,
         .max = MILLION,
         .help = "conversations; user0 is in every tenth"},
        {.name = "--messages",
         .number = &size.messages,
         .max = 10 * MILLION,
         .help = "messages; each twentieth in the first conversation"},
        {.name = "--seed",
         .number = &size.seed,
         .max = INT64_MAX,
         .help = "other numbers give other data"},
        {.name = "--replace", .on = &replace, .help = "delete what is in the database first"},
    };
    const struct cli_usage usage = {.command = "seed-demo",
                                    .about = about,
                                    .options = options,
                                    .option_count = COUNT_OF(options)};
    int code;
    if (!cli_parse(cli, &usage, &code)) {
        return code;
    }
    if (size.messages > 0 && size.conversations == 0) {
        return cli_fail(2, "messages need a conversation: raise --conversations, or set "
                           "--messages 0.");
    }
    return seed(cli, &size, replace);
}
