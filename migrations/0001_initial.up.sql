-- Words that begin with T_ are expanded for each engine (src/db/migrate.c).

-- One row a shard. `stamp` is the number of the newest commit: a batch raises it as its first
-- statement and so holds the shard until it commits.
CREATE TABLE shard (
    id T_INT NOT NULL PRIMARY KEY,
    stamp T_INT NOT NULL
) T_CLUSTERED;
INSERT INTO shard (id, stamp) VALUES (0, 0);

-- Kept counters, so that `count` of an unfiltered list costs nothing.
CREATE TABLE tally (
    name T_KEY NOT NULL PRIMARY KEY,
    n T_INT NOT NULL
) T_CLUSTERED;
INSERT INTO tally (name, n) VALUES ('users', 0), ('conversations', 0), ('messages', 0);

CREATE TABLE account (
    id T_UUID NOT NULL PRIMARY KEY,
    username T_TEXT NOT NULL,
    username_key T_KEY NOT NULL,          -- folded: unique whatever the case
    email T_TEXT NOT NULL,
    email_key T_KEY,                      -- folded; NULL once erased
    first_name T_TEXT NOT NULL,
    last_name T_TEXT NOT NULL,
    phone_number T_TEXT NOT NULL,
    role T_KEY NOT NULL CHECK (role IN ('guest', 'host', 'admin')),
    password T_TEXT NOT NULL,
    metadata T_TEXT NOT NULL,
    is_active T_BOOL NOT NULL,
    created_at T_TIME NOT NULL,
    last_seen_at T_TIME,
    deleted_at T_TIME,                    -- hidden from then on; the row stays, emptied
    stamp T_INT NOT NULL
) T_CLUSTERED;
CREATE UNIQUE INDEX account_username ON account (username_key);
CREATE UNIQUE INDEX account_email ON account (email_key);
CREATE INDEX account_created ON account (created_at, id);
CREATE INDEX account_role ON account (role, created_at, id);

-- What `search` finds people by: the folded words of their names; e-mail words only for admins.
CREATE TABLE account_word (
    word T_KEY NOT NULL,
    user_id T_UUID NOT NULL{ REFERENCES account (id)}{,
        FOREIGN KEY (user_id) REFERENCES account (id)},
    is_private T_BOOL NOT NULL,
    PRIMARY KEY (word, user_id)
) T_CLUSTERED;
CREATE INDEX account_word_user ON account_word (user_id);

-- A device: a JWT log-in, a long-lived Token, a browser session.
CREATE TABLE session (
    id T_UUID NOT NULL PRIMARY KEY,
    user_id T_UUID NOT NULL{ REFERENCES account (id)}{,
        FOREIGN KEY (user_id) REFERENCES account (id)},
    kind T_KEY NOT NULL CHECK (kind IN ('jwt', 'token', 'browser')),
    token_hash T_BLOB32,                  -- SHA-256 of a Token's key or a cookie
    generation T_INT NOT NULL,            -- of the refresh token that is valid now
    issued_at T_TIME NOT NULL,            -- when that one was issued
    refresh_ended_at T_TIME,              -- logged out: no more refreshing
    created_at T_TIME NOT NULL,
    expires_at T_TIME NOT NULL,
    last_used_at T_TIME NOT NULL,
    user_agent T_TEXT NOT NULL,
    address T_TEXT NOT NULL,
    revoked_at T_TIME,                    -- from then on nothing of it is accepted
    stamp T_INT NOT NULL
) T_CLUSTERED;
CREATE UNIQUE INDEX session_token ON session (token_hash);
CREATE INDEX session_by_user ON session (user_id, created_at, id);
CREATE INDEX session_expires ON session (expires_at);

CREATE TABLE conversation (
    id T_UUID NOT NULL PRIMARY KEY,
    title T_TEXT NOT NULL,
    metadata T_TEXT NOT NULL,
    direct_key T_BLOB32,                  -- one-to-one: digest of the pair, unique while it lives
    created_by T_UUID NOT NULL{ REFERENCES account (id)}{,
        FOREIGN KEY (created_by) REFERENCES account (id)},
    created_at T_TIME NOT NULL,
    updated_at T_TIME NOT NULL,           -- newest activity
    closed_at T_TIME,
    deleted_at T_TIME,
    last_seq T_INT NOT NULL,
    message_count T_INT NOT NULL,         -- without tombstones
    participant_count T_INT NOT NULL,
    rev T_INT NOT NULL,
    stamp T_INT NOT NULL
) T_CLUSTERED;
CREATE UNIQUE INDEX conversation_direct ON conversation (direct_key);
CREATE INDEX conversation_updated ON conversation (updated_at, id);
CREATE INDEX conversation_created ON conversation (created_at, id);

-- A membership. It is never deleted: it ends with left_at and may begin again.
CREATE TABLE participant (
    conversation_id T_UUID NOT NULL{ REFERENCES conversation (id)}{,
        FOREIGN KEY (conversation_id) REFERENCES conversation (id)},
    user_id T_UUID NOT NULL{ REFERENCES account (id)}{,
        FOREIGN KEY (user_id) REFERENCES account (id)},
    role T_KEY NOT NULL CHECK (role IN ('owner', 'moderator', 'member')),
    joined_at T_TIME NOT NULL,
    left_at T_TIME,
    read_seq T_INT NOT NULL,
    muted_until T_TIME,
    archived T_BOOL NOT NULL,
    pinned T_BOOL NOT NULL,
    rev T_INT NOT NULL,
    stamp T_INT NOT NULL,
    PRIMARY KEY (conversation_id, user_id)
) T_CLUSTERED;
CREATE INDEX participant_user ON participant (user_id, left_at, conversation_id);
CREATE INDEX participant_joined ON participant (conversation_id, left_at, joined_at, user_id);

CREATE TABLE message (
    conversation_id T_UUID NOT NULL{ REFERENCES conversation (id)}{,
        FOREIGN KEY (conversation_id) REFERENCES conversation (id)},
    seq T_INT NOT NULL,                   -- 1, 2, 3 ... without a hole
    id T_UUID NOT NULL,
    sender_id T_UUID NOT NULL{ REFERENCES account (id)}{,
        FOREIGN KEY (sender_id) REFERENCES account (id)},
    body T_TEXT NOT NULL,
    metadata T_TEXT NOT NULL,
    reply_to T_UUID,
    client_id T_UUID,
    fingerprint T_BLOB32,                 -- of the request, as first sent
    sent_at T_TIME NOT NULL,
    edited_at T_TIME,
    deleted_at T_TIME,                    -- a tombstone: body, metadata and history are gone
    pinned_at T_TIME,
    rev T_INT NOT NULL,
    stamp T_INT NOT NULL,
    PRIMARY KEY (conversation_id, seq)
) T_CLUSTERED;
CREATE UNIQUE INDEX message_id ON message (id);
-- Most messages have neither a client_id nor an answered one: without a row in these two indexes a
-- message costs half the pages written.
CREATE UNIQUE INDEX message_client ON message (sender_id, client_id) {WHERE client_id IS NOT NULL}{};
CREATE INDEX message_sent ON message (sent_at, id);
CREATE INDEX message_reply ON message (reply_to) {WHERE reply_to IS NOT NULL}{};

CREATE TABLE message_history (
    message_id T_UUID NOT NULL,
    n T_INT NOT NULL,                     -- 1: the first body
    body T_TEXT NOT NULL,
    written_at T_TIME NOT NULL,
    editor_id T_UUID NOT NULL{ REFERENCES account (id)}{,
        FOREIGN KEY (editor_id) REFERENCES account (id)},
    PRIMARY KEY (message_id, n)
) T_CLUSTERED;

CREATE TABLE idempotency (
    user_id T_UUID NOT NULL{ REFERENCES account (id)}{,
        FOREIGN KEY (user_id) REFERENCES account (id)},
    request T_BLOB32 NOT NULL,            -- digest of method, path and key
    body T_BLOB32 NOT NULL,               -- digest of the body
    status T_INT NOT NULL,
    answer T_TEXT NOT NULL,
    created_at T_TIME NOT NULL,
    PRIMARY KEY (user_id, request)
) T_CLUSTERED;
CREATE INDEX idempotency_created ON idempotency (created_at);

-- What is hidden already and has still to be wiped, in batches.
CREATE TABLE erasure (
    kind T_KEY NOT NULL CHECK (kind IN ('user', 'conversation')),
    id T_UUID NOT NULL,
    requested_at T_TIME NOT NULL,
    PRIMARY KEY (kind, id)
) T_CLUSTERED;
CREATE INDEX message_sender ON message (sender_id, sent_at, id);

CREATE TABLE audit (
    id T_UUID NOT NULL PRIMARY KEY,       -- version 7: in order of time
    at T_TIME NOT NULL,
    actor_id T_UUID NOT NULL,
    action T_KEY NOT NULL,
    object_id T_UUID,
    detail T_TEXT NOT NULL
) T_CLUSTERED;
