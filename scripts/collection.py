#!/usr/bin/env python3
"""Writes docs/confab.postman_collection.json: a walk through the API, with tests.

    build/confab openapi | scripts/collection.py >docs/confab.postman_collection.json

Which requests in which order, and what is kept of their answers, stands in STORY; paths, methods,
bodies, log-ins, statuses and the fields of answers come from the OpenAPI document. A request sends
the required fields with the document's examples, and what its line says. {{names}} are variables
of the collection: those that a line keeps, and `run`, which is new in each run.
"""
import json
import re
import sys

PASSWORD = "correct-Horse-7"


def step(name, operation, **more):
    """One request. `by`: the variable of the access token (None: nobody; "key": a Token); `ids`: of
    the path, where they are not the variables of that name; `query`, `body`: what is sent; `status`:
    what is answered, if not the usual success; `keep`: variable -> path in the
    answer; `expect`: path in the answer -> value; `code`: X-Error-Code."""
    return {"name": name, "operation": operation, **more}


def register(name, who, **more):
    body = {"email": who + "{{run}}@example.com", "username": who + "{{run}}", "password": PASSWORD,
            "password_confirm": PASSWORD, "first_name": who.capitalize(), **more.pop("body", {})}
    return step(name, "users_register_create", body=body, **more)


STORY = {
    "Accounts": [
        register("Register a guest", "ann", keep={"ann_id": "user_id"},
                 expect={"role": "guest", "user.id": "{{ann_id}}"}),
        register("Register a host", "bob", body={"role": "host"},
                 keep={"bob_id": "user_id", "bob_token": "access"}),
        register("Register a third person", "cleo",
                 keep={"cleo_id": "user_id", "cleo_token": "access"}),
        register("Register twice is refused", "ann", status=400,
                 expect={"email": ["user with this email already exists."]}),
        register("Nobody makes himself admin", "eve", body={"role": "admin"}, status=400,
                 expect={"role": ["The admin role cannot be chosen at registration."]}),
        step("Log in", "token_create", body={"email": "ann{{run}}@example.com"},
             keep={"access_token": "access", "refresh_token": "refresh"}),
        step("Log in by username", "token_create", body={"email": "ann{{run}}"},
             expect={"user_id": "{{ann_id}}"}),
        step("Wrong password", "token_create", body={"email": "ann{{run}}", "password": "wrong"},
             status=401, code="no_active_account"),
        step("Refresh", "token_refresh_create", body={"refresh": "{{refresh_token}}"},
             keep={"access_token": "access", "refresh_token": "refresh"}),
        step("Verify", "token_verify_create", body={"token": "{{access_token}}"}),
        step("Long-lived Token", "api_token_auth_create", body={"username": "ann{{run}}"},
             keep={"key": "token"}),
        step("Me, by Token", "users_me_retrieve", by="key", expect={"user_id": "{{ann_id}}"}),
        step("Without credentials", "users_me_retrieve", by=None, status=401,
             code="not_authenticated"),
        step("Change my name", "users_me_partial_update", body={"last_name": "Changed"},
             expect={"last_name": "Changed"}),
        step("My devices", "users_me_sessions_list", expect={"count": 4}),
        step("People", "users_list", query={"search": "bob{{run}}"},
             expect={"count": 1, "results.0.id": "{{bob_id}}", "results.0.email": None}),
        step("One of them", "users_retrieve", ids={"id": "bob_id"},
             expect={"username": "bob{{run}}"}),
        step("Is he there?", "users_presence_retrieve", ids={"id": "bob_id"},
             expect={"state": "offline"}),
    ],
    "Conversations": [
        step("Open a conversation", "conversations_create",
             body={"participants": ["{{bob_id}}"], "title": "Keys to the flat",
                   "metadata": {"booking": 17}},
             keep={"conversation_id": "conversation_id"},
             expect={"participant_count": 2, "metadata.booking": 17}),
        step("One-to-one", "conversations_create",
             body={"participants": ["{{cleo_id}}"], "direct": True},
             keep={"direct_id": "conversation_id"}),
        step("One-to-one again is the same", "conversations_create", status=200,
             body={"participants": ["{{cleo_id}}"], "direct": True},
             expect={"conversation_id": "{{direct_id}}"}),
        step("Mine", "conversations_list", expect={"count": 2}),
        step("One", "conversations_retrieve", expect={"title": "Keys to the flat"}),
        step("A stranger sees nothing", "conversations_retrieve", by="cleo_token", status=404,
             code="not_found"),
        step("Rename", "conversations_partial_update", body={"title": "Keys"},
             expect={"title": "Keys"}),
        step("A member may not rename", "conversations_partial_update", by="bob_token",
             body={"title": "Mine now"}, status=403, code="permission_denied"),
        step("Add somebody", "conversations_participants_create",
             body={"user_id": "{{cleo_id}}"}, expect={"role": "member"}),
        step("Name a moderator", "conversations_participants_partial_update",
             ids={"user_id": "bob_id"}, body={"role": "moderator"}, expect={"role": "moderator"}),
        step("Who is in it", "conversations_participants_list", expect={"count": 3}),
        step("Remove somebody", "conversations_participants_destroy", ids={"user_id": "cleo_id"}),
        step("Mute it for me", "conversations_me_partial_update",
             body={"muted_until": "2030-01-01T00:00:00Z", "pinned": True}, expect={"pinned": True}),
        step("By its title", "conversations_search_list", query={"search": "keys"},
             expect={"count": 1}),
    ],
    "Messages": [
        step("Send", "messages_create",
             body={"conversation": "{{conversation_id}}", "client_id": "{{client_id}}",
                   "message_body": "  The key is under the mat. "},
             keep={"message_id": "message_id"},
             expect={"message_body": "The key is under the mat.", "seq": 1}),
        step("Send again after a lost answer", "messages_create", status=200,
             body={"conversation": "{{conversation_id}}", "client_id": "{{client_id}}",
                   "message_body": "  The key is under the mat. "},
             expect={"message_id": "{{message_id}}"}),
        step("Bob's notifications", "notifications_list", by="bob_token",
             keep={"notification_id": "results.0.id"},
             expect={"count": 1, "results.0.message.message_id": "{{message_id}}"}),
        step("Bob reads it", "notifications_read_create", by="bob_token",
             ids={"message_id": "notification_id"}, expect={"is_read": True}),
        step("How many are left", "notifications_unread_count_retrieve", by="bob_token",
             expect={"count": 0}),
        step("Bob types", "conversations_typing_create", by="bob_token"),
        step("In the conversation", "conversations_messages_create", by="bob_token",
             body={"message_body": "Thanks!", "reply_to": "{{message_id}}"},
             expect={"reply_to": "{{message_id}}", "seq": 2}),
        step("Blank is refused", "conversations_messages_create", body={"message_body": "  "},
             status=400, expect={"message_body": ["This field may not be blank."]}),
        step("A stranger may not send", "messages_create", by="cleo_token", status=403,
             body={"conversation": "{{conversation_id}}"}, code="not_participant"),
        step("History", "conversations_messages_list", query={"page_size": "1"},
             expect={"results.0.seq": 1, "total_pages": 2}),
        step("By cursor", "conversations_messages_list", query={"cursor": "", "page_size": "1"},
             expect={"results.0.seq": 1, "previous": None}),
        step("All of mine, newest first", "messages_list",
             query={"conversation": "{{conversation_id}}"},
             expect={"results.0.seq": 2, "results.1.seq": 1}),
        step("Search", "messages_list", query={"search": "KEY mat"}, expect={"count": 1}),
        step("Edit", "messages_partial_update", body={"message_body": "The key is at the kiosk."},
             expect={"edited": True}),
        step("Only the sender edits", "messages_partial_update", by="bob_token",
             body={"message_body": "no"}, status=403),
        step("What it said before", "messages_history_list",
             expect={"results.0.message_body": "The key is under the mat."}),
        step("Its replies", "messages_replies_list", expect={"count": 1}),
        step("Bob's unread", "messages_unread_list", by="bob_token"),
        step("Bob reads all", "conversations_read_create", by="bob_token",
             expect={"unread_count": 0}),
        step("Pin", "messages_pin_create", expect={"pinned": True}),
        step("What is new since nothing", "sync_retrieve", expect={"more": False}),
        step("A ticket for a WebSocket", "ws_ticket_create", expect={"expires_in": 30}),
        step("Delete", "messages_destroy"),
        step("It is gone", "messages_retrieve", status=404, code="not_found"),
    ],
    "The end": [
        step("Close", "conversations_close_create", expect={"closed": True}),
        step("No sending to a closed one", "messages_create", status=403,
             body={"conversation": "{{conversation_id}}"}, code="conversation_closed"),
        step("Reopen", "conversations_reopen_create", expect={"closed": False}),
        step("Delete the conversation", "conversations_destroy"),
        step("Log out", "auth_logout_create", body={"refresh": "{{refresh_token}}"}),
        step("The refresh token is dead", "token_refresh_create",
             body={"refresh": "{{refresh_token}}"}, status=401, code="token_not_valid"),
        step("Alive", "health_retrieve", expect={"status": "ok"}),
    ],
}

BEGIN = ["// New names for each run, so that it can be repeated on one server; and one client_id for",
         "// a message that is sent twice: that is how a client retries safely.",
         "pm.collectionVariables.set('run', Date.now().toString(36));",
         "pm.collectionVariables.set('client_id', require('uuid').v4());"]


def fail(text):
    sys.exit("collection.py: " + text)


def operations(document):
    """operationId -> (method, path, operation)"""
    return {operation["operationId"]: (method.upper(), path, operation)
            for path, item in document["paths"].items()
            for method, operation in item.items() if not method.startswith("x-")}


def resolve(document, node):
    while "$ref" in node:
        found = document
        for part in node["$ref"].split("/")[1:]:
            found = found[part]
        node = found
    return node


def json_schema(document, holder):
    content = resolve(document, holder).get("content", {}).get("application/json")
    return resolve(document, content["schema"]) if content else None


def variable_of(path, name, ids):
    """The variable for {name}: {id} behind conversations/ is conversation_id."""
    if name in ids:
        return ids[name]
    before = re.search(r"([^/]+)/\{id\}", path)
    return before.group(1).rstrip("s") + "_id" if name == "id" else name


def url_of(path, line):
    filled = re.sub(r"\{(\w+)\}", lambda found: "{{%s}}" % variable_of(
        path, found.group(1), line.get("ids", {})), path)
    raw = "{{base_url}}" + filled
    url = {"raw": raw, "host": ["{{base_url}}"], "path": filled.lstrip("/").split("/")}
    query = [{"key": key, "value": value} for key, value in line.get("query", {}).items()]
    if query:
        url["raw"] += "?" + "&".join("%s=%s" % (one["key"], one["value"]) for one in query)
        url["query"] = query
    return url


def body_of(document, operation, line):
    schema = json_schema(document, operation.get("requestBody", {}))
    if schema is None:
        return None
    example = schema["examples"][0]
    unknown = set(line.get("body", {})) - set(schema["properties"])
    if unknown:
        fail("%s: the document has no field %s" % (line["name"], ", ".join(unknown)))
    values = {name: example[name] for name in schema.get("required", [])}
    return {**values, **line.get("body", {})}


def auth_of(operation, line):
    by = line.get("by", "access_token" if operation["security"] else None)
    if by is None or by == "key":
        return {"type": "noauth"}
    return {"type": "bearer",
            "bearer": [{"key": "token", "value": "{{%s}}" % by, "type": "string"}]}


def literal(value):
    return json.dumps(value, ensure_ascii=False)


def place(path):
    """"results.0.id" as JavaScript."""
    return "body" + "".join("[%s]" % part if part.isdigit() else "." + part
                            for part in path.split("."))


def usual_status(operation):
    """201 where 200 says that it was there already."""
    return max(int(status) for status in operation["responses"] if int(status) < 300)


def test_of(document, operation, line):
    status = line.get("status") or usual_status(operation)
    response = operation["responses"].get(str(status))
    if response is None:
        fail("%s: %s is not declared" % (line["name"], status))
    script = ["pm.test('answers %d', () => pm.response.to.have.status(%d));" % (status, status)]
    code = line.get("code")
    if code is not None:
        if code not in operation["x-error-codes"]:
            fail("%s: the code %s is not declared" % (line["name"], code))
        script.append("pm.test('says why', () => pm.response.to.have.header('X-Error-Code', '%s'));"
                      % code)
    schema = json_schema(document, response)
    if schema is None:
        return script
    script.append("const body = pm.response.json();")
    fields = schema.get("required", []) if status < 400 else []
    if fields:
        script.append("pm.test('has its fields', () => pm.expect(body).to.include.all.keys(%s));"
                      % ", ".join("'%s'" % name for name in fields))
    for name, path in line.get("keep", {}).items():
        script.append("pm.collectionVariables.set('%s', %s);" % (name, place(path)))
    for path, value in line.get("expect", {}).items():
        text = literal(value)
        wanted = "pm.variables.replaceIn(%s)" % text if "{{" in text else text
        script.append("pm.test('%s', () => pm.expect(%s).to.eql(%s));" % (path, place(path), wanted))
    return script


def event(listen, script):
    return {"listen": listen, "script": {"type": "text/javascript", "exec": script}}


def item(document, known, line):
    if line["operation"] not in known:
        fail("%s: the document has no operation %s" % (line["name"], line["operation"]))
    method, path, operation = known[line["operation"]]
    request = {"method": method, "header": [], "auth": auth_of(operation, line),
               "url": url_of(path, line), "description": operation["description"]}
    if line.get("by") == "key":
        request["header"].append({"key": "Authorization", "value": "Token {{key}}"})
    body = body_of(document, operation, line)
    if body is not None:
        request["header"].append({"key": "Content-Type", "value": "application/json"})
        request["body"] = {"mode": "raw", "raw": json.dumps(body, indent=2, ensure_ascii=False)}
    return {"name": line["name"], "request": request,
            "event": [event("test", test_of(document, operation, line))]}


def main():
    document = json.load(sys.stdin)
    known = operations(document)
    names = ["run", "client_id"] + [name for lines in STORY.values() for line in lines
                                    for name in line.get("keep", {})]
    folders = [{"name": name, "item": [item(document, known, line) for line in lines]}
               for name, lines in STORY.items()]
    folders[0]["item"][0]["event"].append(event("prerequest", BEGIN))
    collection = {
        "info": {"name": "Confab",
                 "description": "A walk through the API. Run it against a fresh or a used server: "
                                "newman run confab.postman_collection.json "
                                "--env-var base_url=http://127.0.0.1:8000",
                 "schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"},
        "item": folders,
        "variable": [{"key": "base_url", "value": "http://127.0.0.1:8000"}] +
                    [{"key": name, "value": ""} for name in dict.fromkeys(names)],
    }
    json.dump(collection, sys.stdout, indent=2, ensure_ascii=False)
    print()


if __name__ == "__main__":
    main()
