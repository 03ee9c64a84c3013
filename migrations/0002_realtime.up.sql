-- Real time: what changed since a commit, and which commits a client may speak of.

-- `stamp` moves with each change of a row; these do not. sent_stamp: the commit that added the
-- message, so that within a conversation it grows with seq. joined_stamp: the commit in which the
-- membership began, or began again. No client knows of a commit before this migration, so that for
-- older rows any number up to today's will do.
ALTER TABLE message ADD COLUMN sent_stamp T_INT NOT NULL DEFAULT 0;
UPDATE message SET sent_stamp = stamp;
ALTER TABLE participant ADD COLUMN joined_stamp T_INT NOT NULL DEFAULT 0;
UPDATE participant SET joined_stamp = stamp;
-- Only messages that were changed later: a new one costs no row in it.
CREATE INDEX message_revised ON message (conversation_id, stamp) {WHERE stamp > sent_stamp}{};

-- Durable changes in the order of commits. Old rows are cut off: nobody's catching up needs them.
CREATE TABLE change_log (
    shard T_INT NOT NULL,
    stamp T_INT NOT NULL,
    n T_INT NOT NULL,                     -- order within the commit; with holes
    kind T_INT NOT NULL,                  -- enum change_kind
    conversation_id T_UUID,
    object_id T_UUID,
    rev T_INT NOT NULL,
    at T_TIME NOT NULL,
    PRIMARY KEY (shard, stamp, n)
) T_CLUSTERED;

-- Lives of the database, each from a start of the server to the next.
CREATE TABLE incarnation (
    n T_INT NOT NULL PRIMARY KEY,         -- 1, 2, 3 ...
    id T_UUID NOT NULL,
    identity T_TEXT NOT NULL,
    began T_TEXT NOT NULL,                -- the stamp of each shard: "17" or "17,4,99"
    created_at T_TIME NOT NULL
) T_CLUSTERED;
CREATE UNIQUE INDEX incarnation_id ON incarnation (id);

-- Tickets that were used, until they would have expired anyway.
CREATE TABLE ws_ticket (
    id T_UUID NOT NULL PRIMARY KEY,
    expires_at T_TIME NOT NULL
) T_CLUSTERED;
CREATE INDEX ws_ticket_expires ON ws_ticket (expires_at);
