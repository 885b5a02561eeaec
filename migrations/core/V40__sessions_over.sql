-- Sessions that are over do not stay for ever: a client that refreshes every ten minutes leaves 144 tokens a day.
--
-- Functions that run with the owner's rights, the complete list:
--   core.purge_sessions    removes sessions and tokens of all tenants that ended long ago; says only how many
SET LOCAL ROLE st_owner;

CREATE POLICY owner_purges ON core.sessions TO st_owner USING (true);
CREATE POLICY owner_purges ON core.refresh_tokens TO st_owner USING (true);
CREATE INDEX refresh_tokens_over ON core.refresh_tokens (expires_at);
CREATE INDEX sessions_over ON core.sessions (last_used_at);

-- At most so many tokens, and sessions that no token opens any more. A token that was used stays until it would have expired: that it
-- comes a second time is noticed by it.
CREATE FUNCTION core.purge_sessions(p_before timestamptz, p_limit integer) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = core, pg_temp AS $$
    WITH tokens AS (
        DELETE FROM core.refresh_tokens t
         WHERE (t.tenant_id, t.token_hash) IN
               (SELECT o.tenant_id, o.token_hash FROM core.refresh_tokens o WHERE o.expires_at < p_before
                 ORDER BY o.expires_at LIMIT p_limit FOR UPDATE SKIP LOCKED)
        RETURNING 1
    ), sessions AS (
        DELETE FROM core.sessions s
         WHERE (s.tenant_id, s.session_id) IN
               (SELECT o.tenant_id, o.session_id FROM core.sessions o
                 WHERE o.last_used_at < p_before
                   AND NOT EXISTS (SELECT FROM core.refresh_tokens t
                                    WHERE t.tenant_id = o.tenant_id AND t.session_id = o.session_id)
                 ORDER BY o.last_used_at LIMIT p_limit FOR UPDATE SKIP LOCKED)
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM tokens) + (SELECT count(*) FROM sessions)
$$;
REVOKE ALL ON FUNCTION core.purge_sessions FROM PUBLIC;
GRANT EXECUTE ON FUNCTION core.purge_sessions TO st_worker, st_api;

RESET ROLE;
