DROP TABLE ws_ticket;
DROP TABLE incarnation;
DROP TABLE change_log;
DROP INDEX message_revised{}{ ON message};
ALTER TABLE participant DROP COLUMN joined_stamp;
ALTER TABLE message DROP COLUMN sent_stamp;
