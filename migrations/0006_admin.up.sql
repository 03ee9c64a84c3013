-- What the lists of administration are sorted and filtered by. Sorting by the time when somebody was
-- last seen puts who never was where he came in, and sorting by e-mail address puts who has none
-- where his username stands: so no key is NULL, whose place engines disagree about.
{CREATE INDEX account_seen ON account (coalesce(last_seen_at, created_at), id)}{ALTER TABLE account ADD COLUMN seen_at T_TIME AS (coalesce(last_seen_at, created_at)) VIRTUAL,
    ADD INDEX account_seen (seen_at, id)};
{CREATE INDEX account_email_order ON account (coalesce(email_key, username_key))}{ALTER TABLE account ADD COLUMN email_order T_KEY AS (coalesce(email_key, username_key)) VIRTUAL,
    ADD INDEX account_email_order (email_order)};
-- Few are inactive; who is deleted is inactive too.
CREATE INDEX account_inactive ON account {(created_at, id) WHERE NOT is_active AND deleted_at IS NULL}{(is_active, deleted_at, created_at, id)};

CREATE INDEX session_created ON session (created_at, id);
CREATE INDEX session_kind ON session (kind, created_at, id);

CREATE INDEX audit_at ON audit (at, id);
CREATE INDEX audit_actor ON audit (actor_id, at, id);
CREATE INDEX audit_action ON audit (action, at, id);
CREATE INDEX audit_object ON audit (object_id, at, id);

-- How far the background work has come, and how it failed last.
ALTER TABLE erasure ADD COLUMN done T_INT NOT NULL DEFAULT 0;
ALTER TABLE erasure ADD COLUMN error T_KEY;
ALTER TABLE erasure ADD COLUMN failed_at T_TIME;
ALTER TABLE demotion ADD COLUMN error T_KEY;
ALTER TABLE demotion ADD COLUMN failed_at T_TIME;
