//! The price of an append does not grow with the log. Not measured in time: what the server reads is counted,
//! in a session whose plans were made while the tables were empty, which is when planners choose scans for
//! ever.

use database::Role;
use event_store::{EventStore, States, Wake};
use events::ids::TenantId;
use tokio_postgres::Client;

use crate::states::Kept;
use crate::world::{World, command, new_id, new_stream, new_tenant};

const TABLES: [&str; 4] = ["commands", "events", "heads", "states"];

/// What has been read of a table so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reads {
    scans: i64,
    rows_scanned: i64,
    probes: i64,
    rows_probed: i64,
}

impl Reads {
    fn since(self, before: Self) -> Self {
        Self {
            scans: self.scans - before.scans,
            rows_scanned: self.rows_scanned - before.rows_scanned,
            probes: self.probes - before.probes,
            rows_probed: self.rows_probed - before.rows_probed,
        }
    }
}

/// Counters of [`TABLES`], in that order. The session that did the work must have handed its own in.
async fn reads(admin: &Client) -> [Reads; 4] {
    let rows = admin
        .query(
            "SELECT relname::text, seq_scan, seq_tup_read, idx_scan, idx_tup_fetch FROM pg_stat_user_tables \
              WHERE schemaname = 'core' AND relname = ANY($1) ORDER BY relname",
            &[&&TABLES[..]],
        )
        .await
        .unwrap();
    let mut found = rows.iter().map(|row| Reads {
        scans: row.get(1),
        rows_scanned: row.get(2),
        probes: row.get(3),
        rows_probed: row.get(4),
    });
    TABLES.map(|_| found.next().unwrap())
}

/// Has a session hand in its counters; that is done before it is ready for the next statement.
async fn hand_in(session: &Client) {
    session
        .batch_execute("SELECT pg_stat_force_next_flush()")
        .await
        .unwrap();
}

/// A store with a single session, so that the plans it made stay the plans it uses.
struct OneSession {
    store: EventStore,
    states: States,
    tenant: TenantId,
    admin: Client,
}

impl OneSession {
    async fn new(world: &World) -> Self {
        let admin = world.admin().await;
        // Nothing may have the plans made anew but what this test does.
        admin
            .batch_execute(
                "ALTER TABLE core.events SET (autovacuum_enabled = false); \
                 ALTER TABLE core.heads SET (autovacuum_enabled = false); \
                 ALTER TABLE core.commands SET (autovacuum_enabled = false); \
                 ALTER TABLE core.states SET (autovacuum_enabled = false); \
                 ALTER TABLE core.log_head SET (autovacuum_enabled = false)",
            )
            .await
            .unwrap();
        let (store, _task) = EventStore::start(world.pool(Role::Api, 1), Wake::default());
        Self {
            states: States::new(store.clone()),
            store,
            tenant: new_tenant(),
            admin,
        }
    }

    /// A hundred single commands, a batch of a hundred, another one on the same streams, a conflict and a
    /// repetition.
    async fn append_much(&self) {
        let first = command(self.tenant, new_stream(), 0, 1);
        self.store.append(first.clone()).await.unwrap();
        for _ in 1..100 {
            self.store
                .append(command(self.tenant, new_stream(), 0, 1))
                .await
                .unwrap();
        }
        let streams: Vec<_> = (0..100).map(|_| new_stream()).collect();
        for expected in [0, 2] {
            let batch = streams
                .iter()
                .map(|stream| command(self.tenant, *stream, expected, 2));
            for answer in self.store.append_many(batch.collect()).await {
                answer.unwrap();
            }
        }
        self.store
            .append(command(self.tenant, first.stream, 7, 1))
            .await
            .unwrap_err();
        assert!(self.store.append(first).await.unwrap().duplicate);
    }

    /// Loads and keeps the states of twenty streams.
    async fn load_and_keep(&self) {
        let streams: Vec<_> = (0..20).map(|_| new_stream()).collect();
        for stream in &streams {
            self.store
                .append(command(self.tenant, *stream, 0, 1))
                .await
                .unwrap();
        }
        let ids: Vec<_> = streams.iter().map(|stream| stream.id).collect();
        for _ in 0..2 {
            let loaded = self.states.load_many::<Kept>(self.tenant, &ids).await.unwrap();
            assert_eq!(loaded.len(), 20);
            let kept: Vec<_> = loaded.iter().map(|(id, loaded)| (*id, loaded)).collect();
            self.states.keep(self.tenant, &kept).await.unwrap();
        }
        let found = self.store.find_command(self.tenant, new_id()).await.unwrap();
        assert_eq!(found, None);
    }

    /// What `work` reads.
    async fn reads_of(&self, work: impl Future<Output = ()>) -> [Reads; 4] {
        let before = self.reads().await;
        work.await;
        let after = self.reads().await;
        std::array::from_fn(|table| after[table].since(before[table]))
    }

    async fn reads(&self) -> [Reads; 4] {
        let session = self.store.pool().get().await.unwrap();
        hand_in(&session).await;
        reads(&self.admin).await
    }
}

/// Fifty thousand events of as many streams, from another session and by no means that touches the plans.
async fn fill(world: &World, tenant: TenantId) {
    let owner = world.owner().await;
    owner
        .batch_execute(&format!(
            "BEGIN; \
             UPDATE log_head SET position = position + 50000; \
             INSERT INTO heads SELECT 'product', md5(n::text)::uuid, '{tenant}', 1 FROM generate_series(1, 50000) AS n; \
             INSERT INTO commands SELECT '{tenant}', gen_random_uuid(), 'product', md5(n::text)::uuid::text, 1, n \
                FROM generate_series(1, 50000) AS n; \
             INSERT INTO states SELECT 'product', md5(n::text)::uuid, '{tenant}', 1, 1, 'x', '{{}}' \
                FROM generate_series(1, 50000) AS n; \
             INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, \
                    metadata, position, tenant_id, command_id, correlation_id, actor) \
             SELECT 'product', md5(n::text)::uuid::text, 1, 'product_delisted', '1', '{{}}', '{{}}', \
                    (SELECT position FROM log_head) - 50000 + n, '{tenant}', gen_random_uuid(), gen_random_uuid(), 'x' \
               FROM generate_series(1, 50000) AS n; \
             COMMIT"
        ))
        .await
        .unwrap();
}

fn assert_never_scanned(what: &str, reads: [Reads; 4]) {
    for (table, reads) in TABLES.iter().zip(reads) {
        assert_eq!(
            (reads.scans, reads.rows_scanned),
            (0, 0),
            "{what} scanned core.{table}: {reads:?}"
        );
    }
}

#[tokio::test]
async fn an_append_reads_as_much_of_a_long_log_as_of_an_empty_one() {
    let world = World::new().await;
    let one = OneSession::new(&world).await;
    let empty = one.reads_of(one.append_much()).await;
    assert_never_scanned("appending to an empty log", empty);
    fill(&world, one.tenant).await;
    for round in ["first", "second"] {
        let long = one.reads_of(one.append_much()).await;
        assert_never_scanned("appending to a long log", long);
        let [commands, events, heads, _] = long;
        // 300 commands, a conflict and a repetition. Each looks once for its stream, and the two that did not
        // fit once more when they are judged; only those two look for what was answered before.
        assert_eq!(
            (commands.probes, heads.probes),
            (2, 304),
            "{round} round: {commands:?}, {heads:?}"
        );
        assert!(
            events.probes <= 203,
            "the density guard looks at one row a batch: {events:?}"
        );
        for reads in [commands, events, heads] {
            assert!(reads.rows_probed <= 406, "{round} round: {reads:?}");
        }
    }
}

#[tokio::test]
async fn loading_and_keeping_states_reads_as_much_beside_a_long_log_as_beside_an_empty_one() {
    let world = World::new().await;
    let one = OneSession::new(&world).await;
    for _ in 0..6 {
        one.load_and_keep().await; // the server settles for a plan after five times
    }
    let empty = one.reads_of(one.load_and_keep()).await;
    fill(&world, one.tenant).await;
    let long = one.reads_of(one.load_and_keep()).await;
    assert_never_scanned("loading beside a long log", long);
    for (table, (long, empty)) in TABLES.iter().zip(long.iter().zip(empty)) {
        assert!(
            long.rows_probed <= empty.rows_probed.max(20) + 20,
            "core.{table}: {long:?}, and when it was empty: {empty:?}"
        );
    }
}

#[tokio::test]
async fn an_insert_through_the_numbering_trigger_scans_nothing_either() {
    let world = World::new().await;
    let one = OneSession::new(&world).await;
    let owner = world.owner().await;
    let insert = "INSERT INTO core.events (aggregate_type, aggregate_id, sequence, event_type, event_version, \
         payload, metadata, tenant_id) VALUES ('product', gen_random_uuid()::text, 1, 'product_delisted', '1', \
         '{}', '{}', $1)";
    let statement = owner.prepare(insert).await.unwrap();
    for _ in 0..8 {
        owner.execute(&statement, &[&one.tenant.uuid()]).await.unwrap();
    }
    fill(&world, one.tenant).await;
    hand_in(&owner).await;
    let before = reads(&one.admin).await;
    for _ in 0..20 {
        owner.execute(&statement, &[&one.tenant.uuid()]).await.unwrap();
    }
    hand_in(&owner).await;
    let after = reads(&one.admin).await;
    let done = std::array::from_fn(|table| after[table].since(before[table]));
    assert_never_scanned("the numbering trigger", done);
}

#[tokio::test]
async fn a_scan_would_be_seen() {
    let world = World::new().await;
    let one = OneSession::new(&world).await;
    let owner = world.owner().await;
    fill(&world, one.tenant).await;
    let scan = async {
        owner
            .batch_execute("SELECT count(payload::text) FROM core.events")
            .await
            .unwrap();
        hand_in(&owner).await;
    };
    let [_, events, ..] = one.reads_of(scan).await;
    assert_eq!((events.scans, events.rows_scanned), (1, 50_000));
}
