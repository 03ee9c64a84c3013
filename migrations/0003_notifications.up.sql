-- What is deleted can be counted without reading what is not. `deleted_at` stands in it so that this
-- index alone answers; messages that are not deleted have no row in it.
CREATE INDEX message_deleted ON message {(conversation_id, seq, deleted_at)
    WHERE deleted_at IS NOT NULL}{(conversation_id, deleted_at, seq)};

-- What the request has made, so that a replay can be judged anew; kept answers from before are not
-- given again.
ALTER TABLE idempotency ADD COLUMN object_id T_UUID;

-- Hosts who became guests, and are still moderators somewhere.
CREATE TABLE demotion (
    user_id T_UUID NOT NULL PRIMARY KEY{ REFERENCES account (id)}{,
        FOREIGN KEY (user_id) REFERENCES account (id)},
    requested_at T_TIME NOT NULL
) T_CLUSTERED;
