-- Why a cabinet's syncs rest: how many rest, and for which reason, is a figure that operators watch, and the log is too
-- long to be asked for it.
SET LOCAL ROLE st_owner;

-- Reason of the last refusal of the key, or `disconnected`; none while it is usable, or where a program of before noted
-- no reason.
ALTER TABLE core.cabinet_work ADD COLUMN unusable_why text;

-- What is unusable by now: the last event of its stream that can have made it so.
UPDATE core.cabinet_work w
   SET unusable_why = e.why
  FROM (SELECT DISTINCT ON (tenant_id, aggregate_id) tenant_id, aggregate_id,
               CASE event_type WHEN 'cabinet_disconnected' THEN 'disconnected' ELSE payload ->> 'reason' END AS why
          FROM core.events
         WHERE aggregate_type IN ('cabinet', 'sync') -- the index of what policies read
           AND event_type IN ('cabinet_disconnected', 'credential_rejected')
         ORDER BY tenant_id, aggregate_id, position DESC) e
 WHERE NOT w.usable AND e.tenant_id = w.tenant_id AND e.aggregate_id = w.cabinet_id::text;

RESET ROLE;
