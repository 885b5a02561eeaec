//! What must hold of the log as a whole, whatever was done to the system before.

use tokio_postgres::Client;

use crate::eventually::chain;

/// What holds in every row of the log; each counts what breaks it.
const LOG: [(&str, &str); 6] = [
    (
        "positions that are not dense",
        "SELECT (SELECT position FROM core.log_head) - count(*) + coalesce(min(position), 1) - 1 \
           + abs((SELECT position FROM core.log_head) - coalesce(max(position), 0)) FROM core.events",
    ),
    (
        "streams whose versions are not 1 to n in order of position",
        "SELECT count(*) FROM (SELECT sequence, row_number() OVER (PARTITION BY aggregate_type, aggregate_id \
           ORDER BY position) AS place FROM core.events) e WHERE sequence <> place",
    ),
    (
        "heads that differ from the log",
        "SELECT count(*) FROM (SELECT aggregate_type, aggregate_id::text, version FROM core.heads) h \
           FULL JOIN (SELECT aggregate_type, aggregate_id, max(sequence) AS version FROM core.events \
             GROUP BY 1, 2) e USING (aggregate_type, aggregate_id) \
          WHERE h.version IS DISTINCT FROM e.version",
    ),
    (
        "event ids that occur twice",
        "SELECT count(*) - count(DISTINCT event_id) FROM core.events",
    ),
    (
        "commands whose events are not one run that ends where the command was answered",
        "SELECT count(*) FROM (SELECT tenant_id, command_id, min(position) AS first, max(position) AS last, \
           count(*) AS events, count(DISTINCT aggregate_id) AS streams FROM core.events GROUP BY 1, 2) e \
           LEFT JOIN core.commands c USING (tenant_id, command_id) \
          WHERE e.streams <> 1 OR e.last - e.first + 1 <> e.events OR c.position IS DISTINCT FROM e.last",
    ),
    (
        "syncs that never ended or ended twice",
        "SELECT count(*) FROM (SELECT payload ->> 'sync_id', \
           count(*) FILTER (WHERE event_type = 'sync_requested') AS asked, \
           count(*) FILTER (WHERE event_type IN ('sync_completed', 'sync_quarantined') \
             OR (event_type = 'sync_failed' AND payload ->> 'retry_at' IS NULL)) AS ended \
           FROM core.events WHERE aggregate_type = 'sync' GROUP BY 1) s \
          WHERE asked <> ended",
    ),
];

/// What does not hold of the log behind `client`, and how many times; empty for a sound one. A sync that is
/// still outstanding counts as one that never ended.
pub async fn broken_log(client: &Client) -> Vec<(&'static str, i64)> {
    let mut broken = Vec::new();
    for (what, sql) in LOG {
        match client.query_one(sql, &[]).await {
            Ok(row) => broken.push((what, row.get(0))),
            Err(error) => panic!("{what}: {}", chain(&error)),
        }
    }
    broken.retain(|(_, count)| *count != 0);
    broken
}
