-- The tables of the old app as Django 4.2 makes them (manage.py sqlmigrate), on SQLite. Words for the
-- other engine are put in by the test.
CREATE TABLE "chats_user" ("password" varchar(128) NOT NULL, "last_login" datetime NULL, "is_superuser" bool NOT NULL, "is_staff" bool NOT NULL, "is_active" bool NOT NULL, "date_joined" datetime NOT NULL, "user_id" char(32) NOT NULL PRIMARY KEY, "email" varchar(254) NOT NULL UNIQUE, "first_name" varchar(150) NOT NULL, "last_name" varchar(150) NOT NULL, "phone_number" varchar(20) NOT NULL, "role" varchar(5) NOT NULL, "created_at" datetime NOT NULL);
CREATE TABLE "chats_conversation" ("conversation_id" char(32) NOT NULL PRIMARY KEY, "created_at" datetime NOT NULL, "updated_at" datetime NOT NULL);
CREATE TABLE "chats_conversation_participants" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "conversation_id" char(32) NOT NULL REFERENCES "chats_conversation" ("conversation_id") DEFERRABLE INITIALLY DEFERRED, "user_id" char(32) NOT NULL REFERENCES "chats_user" ("user_id") DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE "chats_message" ("message_id" char(32) NOT NULL PRIMARY KEY, "message_body" text NOT NULL, "sent_at" datetime NOT NULL, "is_read" bool NOT NULL, "conversation_id" char(32) NOT NULL REFERENCES "chats_conversation" ("conversation_id") DEFERRABLE INITIALLY DEFERRED, "sender_id" char(32) NOT NULL REFERENCES "chats_user" ("user_id") DEFERRABLE INITIALLY DEFERRED);
CREATE INDEX "msg_history_idx" ON "chats_message" ("conversation_id", "sent_at", "message_id");
CREATE INDEX "msg_sent_idx" ON "chats_message" ("sent_at", "message_id");
CREATE INDEX "conv_updated_idx" ON "chats_conversation" ("updated_at" DESC, "conversation_id");
CREATE INDEX "user_created_idx" ON "chats_user" ("created_at", "user_id");
CREATE UNIQUE INDEX "chats_conversation_participants_conversation_id_user_id_d9eb2230_uniq" ON "chats_conversation_participants" ("conversation_id", "user_id");
CREATE INDEX "chats_conversation_participants_conversation_id_8378f6a9" ON "chats_conversation_participants" ("conversation_id");
CREATE INDEX "chats_conversation_participants_user_id_23f59f7f" ON "chats_conversation_participants" ("user_id");
CREATE INDEX "chats_message_sender_id_4f3659eb" ON "chats_message" ("sender_id");
