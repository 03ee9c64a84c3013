DROP TABLE demotion;
ALTER TABLE idempotency DROP COLUMN object_id;
DROP INDEX message_deleted{}{ ON message};
