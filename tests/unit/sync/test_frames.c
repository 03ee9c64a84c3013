/* sync/frames.c: the fields of each frame, as docs/realtime.md has them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sync/frames.h"

#define TIME INT64_C(1700000000000000)
#define TIME_TEXT "\"2023-11-14T22:13:20Z\""
#define ID(first) "\"" first "000000-0000-0000-0000-000000000000\""

static const struct uuid conversation_id = {{0xC1}};
#define TEXT(literal)                                                                              \
    {                                                                                              \
        "" literal, sizeof(literal) - 1                                                            \
    } /* STR, in a constant */
static const struct user ann = {.id = {{0xA1}},
                                .username = TEXT("ann"),
                                .email = TEXT("ann@example.com"),
                                .first_name = TEXT("Ann"),
                                .last_name = TEXT("\"Lee\""),
                                .phone_number = TEXT("+15550000"),
                                .role = ROLE_HOST,
                                .metadata = TEXT("{\"k\":1}")};

/* Takes the reference. */
static void assert_json(struct live_frame *frame, const char *wanted)
{
    struct str json = live_frame_json(frame);
    if (!str_eq(json, str_of(wanted))) {
        fail_msg("frame:  %.*s\nwanted: %s", STR_ARG(json), wanted);
    }
    live_frame_unref(frame);
}

#define PERSON                                                                                     \
    "\"id\":" ID("a1") ",\"username\":\"ann\",\"full_name\":\"Ann \\\"Lee\\\"\",\"avatar\":null"

static void test_message(void **state)
{
    (void)state;
    struct message m = {.conversation_id = conversation_id,
                        .seq = 4,
                        .id = {{0xE1}},
                        .sender_id = ann.id,
                        .body = STR("a\n\"b\""),
                        .metadata = STR("{\"x\":[1]}"),
                        .reply_to = {{0xE0}},
                        .client_id = {{0xEE}}, /* the sender's alone */
                        .sent_at = TIME,
                        .edited_at = TIME,
                        .pinned_at = TIME,
                        .rev = 9,
                        .sender = ann};
    assert_json(
        frame_message(&m),
        "{\"type\":\"message\",\"conversation_id\":" ID("c1") ",\"message\":{\"id\":" ID("e1") ",\"message_id\":" ID(
            "e1") ",\"conversation\":" ID("c1") ",\"sender\":{" PERSON
                                                "},\"sender_id\":" ID(
                                                    "a1") ",\"message_body\":\"a\\n\\\"b\\\"\",\"metadata\":{\"x\":[1]},"
                                                          "\"sent_at\":" TIME_TEXT
                                                          ",\"edited_at\":" TIME_TEXT
                                                          ",\"edited\":true,\"deleted\":false,\"pinned\":true,\"reply_to\":" ID(
                                                              "e0") ",\"seq\":4,\"rev\":9,\"attachments\":[]}}");
    m = (struct message){.conversation_id = conversation_id,
                         .seq = 4,
                         .id = {{0xE1}},
                         .sender_id = ann.id,
                         .body = STR(""),
                         .metadata = STR("{}"),
                         .sent_at = TIME,
                         .deleted_at = TIME,
                         .rev = 10,
                         .sender = ann};
    assert_json(
        frame_message(&m),
        "{\"type\":\"message\",\"conversation_id\":" ID("c1") ",\"message\":{\"id\":" ID("e1") ",\"message_id\":" ID(
            "e1") ",\"conversation\":" ID("c1") ",\"sender\":{" PERSON
                                                "},\"sender_id\":" ID(
                                                    "a1") ",\"message_body\":\"\",\"metadata\":{},"
                                                          "\"sent_at\":" TIME_TEXT
                                                          ",\"edited_at\":null"
                                                          ",\"edited\":false,\"deleted\":true,\"pinned\":false,\"reply_to\":null,"
                                                          "\"seq\":4,\"rev\":10,\"attachments\":[]}}");
}

#define CONVERSATION_BEGIN                                                                         \
    "{\"type\":\"conversation\",\"conversation_id\":" ID(                                          \
        "c1") ",\"title\":\"talk\",\"metadata\":{},"                                               \
              "\"closed\":true,\"direct\":false,\"created_by\":" ID(                               \
                  "a1") ",\"created_at\":" TIME_TEXT ",\"updated_at\":" TIME_TEXT                  \
                        ",\"participants\":["
#define CONVERSATION_END "],\"participant_count\":2,\"last_seq\":7,\"message_count\":6,\"rev\":12"

static void test_conversation(void **state)
{
    (void)state;
    const struct conversation c = {.id = conversation_id,
                                   .title = STR("talk"),
                                   .metadata = STR("{}"),
                                   .created_by = ann.id,
                                   .created_at = TIME,
                                   .updated_at = TIME,
                                   .closed_at = TIME,
                                   .last_seq = 7,
                                   .message_count = 6,
                                   .participant_count = 2,
                                   .rev = 12};
    struct member member = {
        .participant = {.role = PART_MODERATOR, .joined_at = TIME, .read_seq = 5}, .user = ann};
    assert_json(frame_conversation(&c, &member, 1, 0),
                CONVERSATION_BEGIN "{" PERSON ",\"role\":\"moderator\",\"joined_at\":" TIME_TEXT
                                   ",\"read_seq\":5}" CONVERSATION_END "}");
    assert_json(frame_conversation(&c, NULL, 0, 3),
                CONVERSATION_BEGIN CONVERSATION_END ",\"limited\":true,\"from_seq\":3}");
}

static void test_membership(void **state)
{
    (void)state;
    const struct participant mine = {.conversation_id = conversation_id,
                                     .user_id = ann.id,
                                     .role = PART_OWNER,
                                     .read_seq = 3,
                                     .muted_until = TIME,
                                     .archived = true,
                                     .rev = 6};
    assert_json(frame_membership(&mine),
                "{\"type\":\"membership\",\"conversation_id\":" ID(
                    "c1") ",\"role\":\"owner\",\"read_seq\":3,\"muted_until\":" TIME_TEXT
                          ",\"pinned\":false,\"archived\":true,\"rev\":6}");
    assert_json(frame_gone(conversation_id, 7),
                "{\"type\":\"conversation.gone\",\"conversation_id\":" ID("c1") ",\"rev\":7}");
    assert_json(
        frame_read(conversation_id, ann.id, 8),
        "{\"type\":\"read\",\"conversation_id\":" ID("c1") ",\"user_id\":" ID("a1") ",\"seq\":8}");
    assert_json(frame_typing(conversation_id, ann.id),
                "{\"type\":\"typing\",\"conversation_id\":" ID("c1") ",\"user_id\":" ID(
                    "a1") ",\"state\":\"typing\"}");
}

/* Neither e-mail address nor phone number: those who subscribe need not be allowed to see them. */
static void test_people(void **state)
{
    (void)state;
    const struct user gone = {
        .id = {{0xA2}}, .username = STR("deleted-a2"), .role = ROLE_GUEST, .deleted_at = TIME};
    assert_json(
        frame_user(&ann),
        "{\"type\":\"user\",\"user\":{\"id\":" ID(
            "a1") ",\"username\":\"ann\",\"first_name\":\"Ann\",\"last_name\":\"\\\"Lee\\\"\","
                  "\"full_name\":\"Ann \\\"Lee\\\"\",\"avatar\":null,\"role\":\"host\",\"deleted\":false}}");
    assert_json(
        frame_user(&gone),
        "{\"type\":\"user\",\"user\":{\"id\":" ID(
            "a2") ",\"username\":\"deleted-a2\",\"first_name\":\"\",\"last_name\":\"\","
                  "\"full_name\":\"deleted-a2\",\"avatar\":null,\"role\":\"guest\",\"deleted\":true}}");
    assert_json(frame_presence(ann.id, true, TIME),
                "{\"type\":\"presence\",\"user_id\":" ID(
                    "a1") ",\"state\":\"online\",\"last_seen\":" TIME_TEXT "}");
    assert_json(frame_presence(ann.id, false, 0),
                "{\"type\":\"presence\",\"user_id\":" ID(
                    "a1") ",\"state\":\"offline\",\"last_seen\":null}");
    assert_json(frame_hello(&ann, 25),
                "{\"type\":\"hello\",\"server\":\"confab\",\"version\":\"" CONFAB_VERSION
                "\",\"user\":{" PERSON ",\"role\":\"host\"},\"heartbeat\":25}");
}

static void test_answers(void **state)
{
    (void)state;
    assert_json(
        frame_ack(STR("send"), STR("x"), STR("{\"id\":1}")),
        "{\"type\":\"ack\",\"request\":\"send\",\"client_id\":\"x\",\"message\":{\"id\":1}}");
    assert_json(frame_ack(STR("auth"), STR_NULL, STR_NULL),
                "{\"type\":\"ack\",\"request\":\"auth\"}");
    assert_json(frame_nack(STR("send"), STR("x"), 429, "throttled", STR("{\"detail\":\"no\"}"), 3),
                "{\"type\":\"nack\",\"request\":\"send\",\"client_id\":\"x\",\"status\":429,"
                "\"code\":\"throttled\",\"error\":{\"detail\":\"no\"},\"retry_after\":3}");
    assert_json(frame_nack(STR("read"), STR_NULL, 404, NULL, STR_NULL, 0),
                "{\"type\":\"nack\",\"request\":\"read\",\"status\":404}");
    assert_json(frame_error("invalid", "Not JSON."),
                "{\"type\":\"error\",\"code\":\"invalid\",\"detail\":\"Not JSON.\"}");
    assert_json(frame_reset("unknown_position"),
                "{\"type\":\"reset\",\"reason\":\"unknown_position\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_message),    cmocka_unit_test(test_conversation),
        cmocka_unit_test(test_membership), cmocka_unit_test(test_people),
        cmocka_unit_test(test_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
