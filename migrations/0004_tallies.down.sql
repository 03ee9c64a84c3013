CREATE TABLE tally (
    name T_KEY NOT NULL PRIMARY KEY,
    n T_INT NOT NULL
) T_CLUSTERED;
INSERT INTO tally (name, n) SELECT 'users', sum(users) FROM shard;
INSERT INTO tally (name, n) SELECT 'conversations', sum(conversations) FROM shard;
INSERT INTO tally (name, n) SELECT 'messages', sum(messages) FROM shard;
ALTER TABLE shard DROP COLUMN users;
ALTER TABLE shard DROP COLUMN conversations;
ALTER TABLE shard DROP COLUMN messages;
