ALTER TABLE session ADD COLUMN stamp T_INT NOT NULL DEFAULT 0;
UPDATE shard SET stamp = (SELECT max(every.stamp) FROM {shard}{(SELECT * FROM shard)} every),
    users = (SELECT sum(every.users) FROM {shard}{(SELECT * FROM shard)} every),
    conversations = (SELECT sum(every.conversations) FROM {shard}{(SELECT * FROM shard)} every),
    messages = (SELECT sum(every.messages) FROM {shard}{(SELECT * FROM shard)} every) WHERE id = 0;
DELETE FROM shard WHERE id > 0;
