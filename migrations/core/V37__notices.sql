-- Notices to members: what waits for whom, who wants what and when, and how deliveries ended.
--
-- Rows of a member go with the login (foreign keys), so that a removed or erased person is sent nothing more and leaves
-- nothing here, even if the log is read later. Positions stand apart from core.policy_positions, because erasures wait
-- for the policies there and would wait for ever where no notifier runs.
--
-- Functions that run with the owner's rights, the complete list of this file:
--   core.purge_notices   of all tenants, for the notifier: notices that ended long ago
SET LOCAL ROLE st_owner;

-- Where Telegram reaches a member. A chat belongs to one login. `unreachable` is why Telegram does not deliver there; it
-- stays until the member links a chat again.
CREATE TABLE core.telegram_chats (
    tenant_id   uuid NOT NULL,
    user_id     uuid NOT NULL,
    chat_id     bigint NOT NULL UNIQUE,
    language    text CHECK (language IN ('ru', 'en')),   -- Telegram's, where it told one of ours
    linked_at   timestamptz NOT NULL,
    unreachable text,
    PRIMARY KEY (tenant_id, user_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES core.accounts (tenant_id, user_id) ON DELETE CASCADE
);

-- What a member chose; no row: nothing. `choices` has what differs from the defaults, {channel: {kind: boolean}}. Quiet
-- hours are minutes of the tenant's day and may pass midnight. `replan`: what waits has to be planned anew.
CREATE TABLE core.notification_settings (
    tenant_id   uuid NOT NULL,
    user_id     uuid NOT NULL,
    choices     jsonb NOT NULL DEFAULT '{}',
    language    text CHECK (language IN ('ru', 'en')),
    quiet_from  smallint CHECK (quiet_from BETWEEN 0 AND 1439),
    quiet_until smallint CHECK (quiet_until BETWEEN 0 AND 1439),
    digest_hour smallint CHECK (digest_hour BETWEEN 0 AND 23),
    version     integer NOT NULL DEFAULT 1,
    replan      boolean NOT NULL DEFAULT true,
    PRIMARY KEY (tenant_id, user_id),
    CHECK ((quiet_from IS NULL) = (quiet_until IS NULL) AND quiet_from IS DISTINCT FROM quiet_until OR quiet_from IS NULL),
    FOREIGN KEY (tenant_id, user_id) REFERENCES core.accounts (tenant_id, user_id) ON DELETE CASCADE
);
CREATE INDEX notification_settings_replan ON core.notification_settings (tenant_id, user_id) WHERE replan;

-- A product or a kind of which a member wants to hear nothing for a while.
CREATE TABLE core.notification_snoozes (
    tenant_id  uuid NOT NULL,
    snooze_id  uuid NOT NULL,
    user_id    uuid NOT NULL,
    product_id uuid,
    kind       text,
    until      timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, snooze_id),
    CHECK (num_nonnulls(product_id, kind) = 1),
    FOREIGN KEY (tenant_id, user_id) REFERENCES core.accounts (tenant_id, user_id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX notification_snoozes_of_product ON core.notification_snoozes (tenant_id, user_id, product_id)
    WHERE product_id IS NOT NULL;
CREATE UNIQUE INDEX notification_snoozes_of_kind ON core.notification_snoozes (tenant_id, user_id, kind)
    WHERE kind IS NOT NULL;

-- One event for one member by one channel. The id is made from the event, the receiver and the channel.
CREATE TABLE core.notices (
    tenant_id   uuid NOT NULL,
    notice_id   uuid NOT NULL,
    user_id     uuid NOT NULL,
    channel     text NOT NULL CHECK (channel IN ('telegram')),
    kind        text NOT NULL,
    subject     text NOT NULL,              -- what it is about: notices of one subject supersede each other
    product_id  uuid,                       -- for snoozes
    position    bigint NOT NULL,            -- of the event
    facts       jsonb NOT NULL,             -- ids and numbers of the event; names are read when a text is made
    happened_at timestamptz NOT NULL,
    created_at  timestamptz NOT NULL,
    due_at      timestamptz NOT NULL,
    state       text NOT NULL DEFAULT 'waiting'
                CHECK (state IN ('waiting', 'sending', 'delivered', 'left_out', 'refused')),
    stale       boolean NOT NULL DEFAULT false, -- superseded while it was being sent: it is not sent again
    reason      text,                       -- why it was left out or refused
    message_id  bigint,
    attempts    integer NOT NULL DEFAULT 0,
    last_error  text,                       -- class of the last failure
    ended_at    timestamptz,
    PRIMARY KEY (tenant_id, notice_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES core.accounts (tenant_id, user_id) ON DELETE CASCADE
) WITH (fillfactor = 70);
CREATE INDEX notices_due ON core.notices (channel, due_at) WHERE state IN ('waiting', 'sending');
CREATE INDEX notices_open ON core.notices (tenant_id, subject) WHERE state IN ('waiting', 'sending');
CREATE INDEX notices_of_user ON core.notices (tenant_id, user_id, subject, position);
CREATE INDEX notices_ended ON core.notices (ended_at) WHERE ended_at IS NOT NULL;

-- How far the log is read, and who does which work. The lease keeps a second one from working in vain; every write checks
-- the epoch, which grows with every new holder. What happened before this table was made is not reported.
CREATE TABLE core.notice_work (
    work       text PRIMARY KEY,
    position   bigint NOT NULL,
    epoch      bigint NOT NULL DEFAULT 0,
    holder     uuid,
    held_until timestamptz
) WITH (fillfactor = 10);
INSERT INTO core.notice_work (work, position)
SELECT w.work, h.position FROM (VALUES ('fan_out'), ('telegram')) AS w (work), core.log_head h;
GRANT SELECT, UPDATE ON core.notice_work TO st_notifier;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['telegram_chats', 'notification_settings', 'notification_snoozes', 'notices'] LOOP
        EXECUTE format('ALTER TABLE core.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE core.%I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY owner_all ON core.%I TO st_owner USING (true) WITH CHECK (true)', name);
        -- The notifier serves all tenants at once.
        EXECUTE format('CREATE POLICY notifier_all ON core.%I TO st_notifier USING (true) WITH CHECK (true)', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['telegram_chats', 'notification_settings', 'notification_snoozes'] LOOP
        EXECUTE format('CREATE POLICY one_tenant ON core.%I TO st_api, st_gateway
                        USING (tenant_id = (SELECT core.current_tenant()))
                        WITH CHECK (tenant_id = (SELECT core.current_tenant()))', name);
    END LOOP;
END $$;

GRANT SELECT, INSERT, UPDATE ON core.notices TO st_notifier;
GRANT SELECT, UPDATE ON core.telegram_chats TO st_notifier;
GRANT SELECT, UPDATE (replan) ON core.notification_settings TO st_notifier;
GRANT SELECT, DELETE ON core.notification_snoozes TO st_notifier;
-- Members choose by HTTP and by the bot, which asks the gateway.
GRANT SELECT, INSERT, UPDATE ON core.notification_settings TO st_api, st_gateway;
GRANT SELECT, INSERT, UPDATE, DELETE ON core.notification_snoozes TO st_api, st_gateway;
GRANT SELECT, INSERT, UPDATE, DELETE ON core.telegram_chats TO st_api, st_gateway;

-- Who is a member, by which clock a tenant lives, and what hinders its sheet.
CREATE POLICY notifier_reads ON core.accounts FOR SELECT TO st_notifier USING (true);
GRANT SELECT (tenant_id, user_id, role, state) ON core.accounts TO st_notifier;
CREATE POLICY notifier_reads ON core.tenant_terms FOR SELECT TO st_notifier USING (true);
GRANT SELECT (tenant_id, time_zone) ON core.tenant_terms TO st_notifier;
CREATE POLICY notifier_reads ON core.sheet_states FOR SELECT TO st_notifier USING (true);
GRANT SELECT (tenant_id, spreadsheet_id, linked, last_error, error_kind, failing_since) ON core.sheet_states
    TO st_notifier;

-- Notices that ended before a moment, the oldest first; returns how many went.
CREATE FUNCTION core.purge_notices(p_before timestamptz, p_limit integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = core, pg_temp AS $$
DECLARE
    gone bigint;
BEGIN
    DELETE FROM core.notices n USING (
        SELECT o.tenant_id, o.notice_id FROM core.notices o WHERE o.ended_at < p_before
         ORDER BY o.ended_at LIMIT p_limit FOR UPDATE SKIP LOCKED) old
     WHERE n.tenant_id = old.tenant_id AND n.notice_id = old.notice_id;
    GET DIAGNOSTICS gone = ROW_COUNT;
    DELETE FROM core.notification_snoozes s WHERE s.until < p_before;
    RETURN gone;
END $$;
REVOKE ALL ON FUNCTION core.purge_notices FROM PUBLIC;
GRANT EXECUTE ON FUNCTION core.purge_notices TO st_notifier;

RESET ROLE;
