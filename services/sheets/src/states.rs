//! The role's memory in PostgreSQL: which sheets are linked, which are behind, who is writing which. Every
//! step of a write is one statement that succeeds only for the holder of the lease and only while the link is
//! the same, so that a process that was paused or killed anywhere leaves nothing another one could not take
//! up.

use chrono::{DateTime, NaiveDate, Utc};
use database::{DatabaseError, Pool};
use events::ids::{CredentialId, TenantId};
use tokio_postgres::Row;
use uuid::Uuid;

/// Access to `core.sheet_states`. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct States {
    pool: Pool,
    holder: Uuid,
}

/// A sheet that this process may write until `lease_until`.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    pub(crate) tenant: TenantId,
    pub(crate) spreadsheet_id: String,
    pub(crate) worksheet: String,
    pub(crate) credential: Option<CredentialId>,
    pub(crate) link_position: i64,
    pub(crate) written_position: i64,
    pub(crate) written: Option<Vec<u8>>,
    pub(crate) sheet_id: Option<i32>,
    /// The last batch's outcome is not known, or somebody wants every cell read.
    pub(crate) doubtful: bool,
    pub(crate) attempts: i32,
    /// The Moscow day that was written last.
    pub(crate) written_day: Option<NaiveDate>,
    /// Hidden by us until its first write is whole.
    pub(crate) veiled: bool,
    /// A batch may have been done of which nothing was recorded.
    pub(crate) uncertain: bool,
}

/// Which sheets are due.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Due {
    pub(crate) now: DateTime<Utc>,
    pub(crate) today: NaiveDate,
    /// The read model has read up to here.
    pub(crate) model_position: i64,
    /// A burst is over when its last change is older than this.
    pub(crate) quiet_before: DateTime<Utc>,
    /// A burst that began before this is not waited out.
    pub(crate) burst_before: DateTime<Utc>,
    /// A change from before this is no longer waited for in the read model: what is there is written.
    pub(crate) overdue_before: DateTime<Utc>,
    pub(crate) lease_until: DateTime<Utc>,
    /// Whether sheets that failed last time are taken too.
    pub(crate) failing: bool,
    pub(crate) limit: i64,
}

/// What is recorded after a batch is known to be in the sheet, or to be unnecessary.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) now: DateTime<Utc>,
    /// The sheet as it is now, encoded.
    pub(crate) written: Vec<u8>,
    pub(crate) sheet_id: i32,
    /// A call was made.
    pub(crate) sent: bool,
    /// As the worksheet is called now.
    pub(crate) title: String,
    /// Still hidden by us.
    pub(crate) veiled: bool,
    /// What was repaired: in one word, and for the seller.
    pub(crate) repaired: Option<(&'static str, String)>,
    /// Everything is in the sheet up to this position and for this day; none after one of several batches.
    pub(crate) complete: Option<(i64, NaiveDate)>,
}

/// What is recorded after a failure.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) now: DateTime<Utc>,
    pub(crate) text: String,
    /// The same in one word.
    pub(crate) kind: &'static str,
    pub(crate) next_try_at: DateTime<Utc>,
    /// Whether it counts against the sheet.
    pub(crate) counts: bool,
    /// Whether the batch is known not to be in the sheet.
    pub(crate) not_written: bool,
}

/// The link as it is shown and tested.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) spreadsheet_id: String,
    pub(crate) credential: Option<CredentialId>,
    pub(crate) written_position: i64,
    pub(crate) last_written_at: Option<DateTime<Utc>>,
    /// As the managed worksheet is called now, as far as is known.
    pub(crate) worksheet: String,
}

/// A sheet that is taken, and the requests that its write will end: those that were made before.
const CLAIM: &str = "\
    WITH claimed AS (UPDATE core.sheet_states s SET lease_holder = $1, lease_until = $2 \
      FROM (SELECT tenant_id FROM core.sheet_states \
             WHERE linked AND link_position <= $3 AND written_position <= $3 \
               AND (next_try_at IS NULL OR next_try_at <= $4) \
               AND (lease_until IS NULL OR lease_until <= $4) \
               AND ($5 OR attempts = 0) \
               AND (verify \
                    OR (dirty_position > written_position \
                        AND (dirty_position <= $3 OR (dirty_since <= $6 AND written_position < $3)) \
                        AND (dirty_at <= $7 OR dirty_since <= $8)) \
                    OR (dirty_position <= written_position AND written_day IS DISTINCT FROM $9)) \
             ORDER BY attempts > 0, dirty_since NULLS LAST, tenant_id \
             LIMIT $10 FOR UPDATE SKIP LOCKED) due \
     WHERE s.tenant_id = due.tenant_id \
 RETURNING s.tenant_id, s.spreadsheet_id, s.worksheet, s.credential_id, s.link_position, s.written_position, \
           s.written, s.sheet_id, s.verify OR s.write_started_at IS NOT NULL AS doubtful, s.attempts, \
           s.written_day, s.veiled, s.write_started_at IS NOT NULL AS uncertain), \
         taken AS (UPDATE core.sheet_syncs y SET taken_up = true FROM claimed c \
                    WHERE y.tenant_id = c.tenant_id AND y.ended_at IS NULL) \
    SELECT * FROM claimed";

impl States {
    pub(crate) const fn new(pool: Pool, holder: Uuid) -> Self {
        Self { pool, holder }
    }

    /// Takes sheets that are due and that nobody else is writing.
    pub(crate) async fn claim(&self, due: &Due) -> Result<Vec<Claim>, DatabaseError> {
        let session = self.pool.get().await?;
        let statement = session.prepare_cached(CLAIM).await?;
        let rows = session
            .query(
                &statement,
                &[
                    &self.holder,
                    &due.lease_until,
                    &due.model_position,
                    &due.now,
                    &due.failing,
                    &due.overdue_before,
                    &due.quiet_before,
                    &due.burst_before,
                    &due.today,
                    &due.limit,
                ],
            )
            .await?;
        Ok(rows.iter().map(claim).collect::<Result<_, _>>()?)
    }

    /// Takes one sheet, due or not; none while somebody else has it or when nothing is linked.
    pub(crate) async fn claim_one(
        &self,
        tenant: TenantId,
        now: DateTime<Utc>,
        lease_until: DateTime<Utc>,
    ) -> Result<Option<Claim>, DatabaseError> {
        let session = self.pool.get().await?;
        let statement = session
            .prepare_cached(
                "UPDATE core.sheet_states SET lease_holder = $1, lease_until = $2 \
                  WHERE tenant_id = $3 AND linked AND (lease_until IS NULL OR lease_until <= $4) \
              RETURNING tenant_id, spreadsheet_id, worksheet, credential_id, link_position, written_position, \
                        written, sheet_id, verify OR write_started_at IS NOT NULL, attempts, \
                        written_day, veiled, write_started_at IS NOT NULL",
            )
            .await?;
        let row = session
            .query_opt(&statement, &[&self.holder, &lease_until, &tenant.uuid(), &now])
            .await?;
        Ok(row.as_ref().map(claim).transpose()?)
    }

    /// The same without taking it.
    pub(crate) async fn peek(&self, tenant: TenantId) -> Result<Option<Claim>, DatabaseError> {
        let session = self.pool.get().await?;
        let statement = session
            .prepare_cached(
                "SELECT tenant_id, spreadsheet_id, worksheet, credential_id, link_position, written_position, \
                        written, sheet_id, verify OR write_started_at IS NOT NULL, attempts, \
                        written_day, veiled, write_started_at IS NOT NULL \
                   FROM core.sheet_states WHERE tenant_id = $1 AND linked",
            )
            .await?;
        let row = session.query_opt(&statement, &[&tenant.uuid()]).await?;
        Ok(row.as_ref().map(claim).transpose()?)
    }

    /// Tenants that have a sheet linked.
    pub(crate) async fn linked(&self) -> Result<Vec<TenantId>, DatabaseError> {
        let session = self.pool.get().await?;
        // A tool's question, about one row per tenant.
        let rows = session
            .query(
                "SELECT tenant_id FROM core.sheet_states WHERE linked ORDER BY tenant_id",
                &[],
            )
            .await?;
        let tenants = rows.iter().map(|row| row.try_get(0).map(TenantId));
        Ok(tenants.collect::<Result<_, _>>()?)
    }

    /// Keeps a sheet whose turn was long in coming. False when it is not ours to write any more.
    pub(crate) async fn renew(
        &self,
        claim: &Claim,
        now: DateTime<Utc>,
        lease_until: DateTime<Utc>,
    ) -> Result<bool, DatabaseError> {
        let session = self.pool.get().await?;
        let statement = session
            .prepare_cached(
                "UPDATE core.sheet_states SET lease_until = $5 \
                  WHERE tenant_id = $1 AND lease_holder = $2 AND lease_until > $4 AND linked AND link_position = $3",
            )
            .await?;
        let tenant = claim.tenant.uuid();
        let changed = session
            .execute(
                &statement,
                &[&tenant, &self.holder, &claim.link_position, &now, &lease_until],
            )
            .await?;
        Ok(changed == 1)
    }

    /// Says that a batch is about to be sent. False when the sheet is not ours to write any more.
    pub(crate) async fn begin_write(
        &self,
        claim: &Claim,
        now: DateTime<Utc>,
        lease_until: DateTime<Utc>,
        veiled: bool,
    ) -> Result<bool, DatabaseError> {
        let session = self.pool.get().await?;
        let statement = session
            .prepare_cached(
                "UPDATE core.sheet_states SET write_started_at = $4, lease_until = $5, veiled = veiled OR $6 \
                  WHERE tenant_id = $1 AND lease_holder = $2 AND lease_until > $4 AND linked AND link_position = $3",
            )
            .await?;
        let changed = session
            .execute(
                &statement,
                &[
                    &claim.tenant.uuid(),
                    &self.holder,
                    &claim.link_position,
                    &now,
                    &lease_until,
                    &veiled,
                ],
            )
            .await?;
        Ok(changed == 1)
    }

    /// Records what is in the sheet now; the last step also clears what was behind, unless more came
    /// meanwhile, and gives the lease back. False when the sheet is not ours any more: whoever has it reads
    /// it again.
    pub(crate) async fn record(&self, claim: &Claim, outcome: &Outcome) -> Result<bool, DatabaseError> {
        let session = self.pool.get().await?;
        let statement = session
            .prepare_cached(
                "WITH recorded AS (UPDATE core.sheet_states s \
                    SET written = $4, sheet_id = $5, write_started_at = NULL, \
                        last_written_at = CASE WHEN $6 THEN $7 ELSE last_written_at END, \
                        verify = verify AND (NOT ($10 AND $8::bigint IS NOT NULL) \
                            OR EXISTS (SELECT FROM core.sheet_syncs y WHERE y.tenant_id = s.tenant_id \
                                          AND y.ended_at IS NULL AND NOT y.taken_up)), \
                        written_position = coalesce($8, written_position), \
                        written_day = coalesce($9, written_day), \
                        dirty_since = CASE WHEN $8 IS NULL THEN dirty_since \
                                           WHEN dirty_position > $8 THEN $7 END, \
                        last_error = CASE WHEN $8 IS NULL THEN last_error END, \
                        error_kind = CASE WHEN $8 IS NULL THEN error_kind END, \
                        failing_since = CASE WHEN $8 IS NULL THEN failing_since END, \
                        worksheet_title = $11, veiled = $12, notice_kind = coalesce($13, notice_kind), \
                        notice = coalesce($14, notice), \
                        notice_at = CASE WHEN $13 IS NULL THEN notice_at ELSE $7 END, \
                        next_try_at = CASE WHEN $8 IS NULL THEN next_try_at END, \
                        attempts = CASE WHEN $8 IS NULL THEN attempts ELSE 0 END, \
                        lease_holder = CASE WHEN $8 IS NULL THEN lease_holder END, \
                        lease_until = CASE WHEN $8 IS NULL THEN lease_until END \
                  WHERE tenant_id = $1 AND lease_holder = $2 AND link_position = $3 RETURNING tenant_id), \
                 ended AS (UPDATE core.sheet_syncs y SET ended_at = $7 FROM recorded r \
                            WHERE y.tenant_id = r.tenant_id AND y.taken_up AND y.ended_at IS NULL \
                              AND $8 IS NOT NULL) \
                 SELECT count(*) FROM recorded",
            )
            .await?;
        let (position, day) = outcome.complete.unzip();
        let (kind, notice) = outcome
            .repaired
            .as_ref()
            .map(|(kind, text)| (*kind, text))
            .unzip();
        let changed = session
            .query_one(
                &statement,
                &[
                    &claim.tenant.uuid(),
                    &self.holder,
                    &claim.link_position,
                    &outcome.written,
                    &outcome.sheet_id,
                    &outcome.sent,
                    &outcome.now,
                    &position,
                    &day,
                    &claim.doubtful,
                    &outcome.title,
                    &outcome.veiled,
                    &kind,
                    &notice,
                ],
            )
            .await?;
        Ok(changed.try_get::<_, i64>(0)? == 1)
    }

    /// Records that the sheet shows all up to this position and for this day without a call, and gives the
    /// lease back. False when the sheet is not ours any more.
    pub(crate) async fn record_unchanged(
        &self,
        claim: &Claim,
        now: DateTime<Utc>,
        (position, day): (i64, NaiveDate),
    ) -> Result<bool, DatabaseError> {
        let session = self.pool.get().await?;
        let statement = session
            .prepare_cached(
                "WITH recorded AS (UPDATE core.sheet_states \
                    SET written_position = $4, written_day = $5, \
                        dirty_since = CASE WHEN dirty_position > $4 THEN $6::timestamptz END, last_error = NULL, \
                        error_kind = NULL, failing_since = NULL, next_try_at = NULL, attempts = 0, \
                        lease_holder = NULL, lease_until = NULL \
                  WHERE tenant_id = $1 AND lease_holder = $2 AND link_position = $3 RETURNING tenant_id), \
                 ended AS (UPDATE core.sheet_syncs y SET ended_at = $6 FROM recorded r \
                            WHERE y.tenant_id = r.tenant_id AND y.taken_up AND y.ended_at IS NULL) \
                 SELECT count(*) FROM recorded",
            )
            .await?;
        let changed = session
            .query_one(
                &statement,
                &[
                    &claim.tenant.uuid(),
                    &self.holder,
                    &claim.link_position,
                    &position,
                    &day,
                    &now,
                ],
            )
            .await?;
        Ok(changed.try_get::<_, i64>(0)? == 1)
    }

    /// Records a failure and gives the lease back. A batch whose outcome is unknown stays marked as sent. A
    /// failure that counts ends the requests that waited for this write; a later success belongs to later
    /// ones.
    pub(crate) async fn fail(&self, claim: &Claim, failure: &Failure) -> Result<(), DatabaseError> {
        let session = self.pool.get().await?;
        let statement = session
            .prepare_cached(
                "WITH failed AS (UPDATE core.sheet_states \
                    SET last_error = $4, error_kind = $8, failing_since = coalesce(failing_since, $9), \
                        next_try_at = $5, attempts = attempts + CASE WHEN $6 THEN 1 ELSE 0 END, \
                        write_started_at = CASE WHEN $7 THEN NULL ELSE write_started_at END, \
                        lease_holder = NULL, lease_until = NULL \
                  WHERE tenant_id = $1 AND lease_holder = $2 AND link_position = $3 RETURNING tenant_id) \
                 UPDATE core.sheet_syncs y SET ended_at = $9, error_kind = $8, error = $4 FROM failed f \
                  WHERE y.tenant_id = f.tenant_id AND y.taken_up AND y.ended_at IS NULL AND $6",
            )
            .await?;
        session
            .execute(
                &statement,
                &[
                    &claim.tenant.uuid(),
                    &self.holder,
                    &claim.link_position,
                    &failure.text,
                    &failure.next_try_at,
                    &failure.counts,
                    &failure.not_written,
                    &failure.kind,
                    &failure.now,
                ],
            )
            .await?;
        self.release(claim.tenant).await
    }

    /// Gives the lease back without a result, for instance because the sheet was unlinked meanwhile.
    pub(crate) async fn release(&self, tenant: TenantId) -> Result<(), DatabaseError> {
        let session = self.pool.get().await?;
        let statement = session
            .prepare_cached(
                "UPDATE core.sheet_states SET lease_holder = NULL, lease_until = NULL \
                  WHERE tenant_id = $1 AND lease_holder = $2",
            )
            .await?;
        session
            .execute(&statement, &[&tenant.uuid(), &self.holder])
            .await?;
        Ok(())
    }

    /// The tenant's link; none when nothing is linked.
    pub(crate) async fn link(&self, tenant: TenantId) -> Result<Option<Link>, DatabaseError> {
        let session = self.pool.get().await?;
        let statement = session
            .prepare_cached(
                "SELECT spreadsheet_id, credential_id, written_position, last_written_at, \
                        coalesce(worksheet_title, worksheet) FROM core.sheet_states \
                  WHERE tenant_id = $1 AND linked",
            )
            .await?;
        let row = session.query_opt(&statement, &[&tenant.uuid()]).await?;
        Ok(row.as_ref().map(link).transpose()?)
    }

    /// Makes the sheet due at once, failures forgotten, every cell to be read. Answers the head of the log
    /// and the link; none when nothing is linked.
    pub(crate) async fn force(
        &self,
        tenant: TenantId,
        now: DateTime<Utc>,
    ) -> Result<Option<(i64, Link)>, DatabaseError> {
        let session = self.pool.get().await?;
        let statement = session
            .prepare_cached(
                "UPDATE core.sheet_states s \
                    SET dirty_position = greatest(s.dirty_position, h.position), dirty_at = $2, \
                        dirty_since = CASE WHEN s.dirty_position > s.written_position THEN s.dirty_since ELSE $2 END, \
                        next_try_at = NULL, attempts = 0, verify = true \
                   FROM core.log_head h WHERE s.tenant_id = $1 AND s.linked \
              RETURNING s.spreadsheet_id, s.credential_id, s.written_position, s.last_written_at, \
                        coalesce(s.worksheet_title, s.worksheet), s.dirty_position",
            )
            .await?;
        let row = session.query_opt(&statement, &[&tenant.uuid(), &now]).await?;
        Ok(row
            .map(|row| Ok::<_, tokio_postgres::Error>((row.try_get(5)?, link(&row)?)))
            .transpose()?)
    }
}

fn claim(row: &Row) -> Result<Claim, tokio_postgres::Error> {
    Ok(Claim {
        tenant: TenantId(row.try_get(0)?),
        spreadsheet_id: row.try_get(1)?,
        worksheet: row.try_get(2)?,
        credential: row.try_get::<_, Option<Uuid>>(3)?.map(CredentialId),
        link_position: row.try_get(4)?,
        written_position: row.try_get(5)?,
        written: row.try_get(6)?,
        sheet_id: row.try_get(7)?,
        doubtful: row.try_get(8)?,
        attempts: row.try_get(9)?,
        written_day: row.try_get(10)?,
        veiled: row.try_get(11)?,
        uncertain: row.try_get(12)?,
    })
}

fn link(row: &Row) -> Result<Link, tokio_postgres::Error> {
    Ok(Link {
        spreadsheet_id: row.try_get(0)?,
        credential: row.try_get::<_, Option<Uuid>>(1)?.map(CredentialId),
        written_position: row.try_get(2)?,
        last_written_at: row.try_get(3)?,
        worksheet: row.try_get(4)?,
    })
}
