//! One sheet, one round: what it should show, what it shows, the batch between them, and the record of it.
//! Between any two of these steps the process may die: before the batch nothing has happened, after it the
//! mark that it was sent makes the next round read what is there.

use std::collections::HashSet;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use connectors::google::{self as wire, GoogleError, SheetsClient};
use read_models::measure::moscow_day;
use sheet_layout::{Current, Grid, Options, Plan, Request};

use crate::source::Source;
use crate::states::{Claim, Failure, Outcome};
use crate::structure::{Known, Place, Unreadable};
use crate::trouble::Trouble;
use crate::{Notice, Shared, requests, source, structure};

/// How a round of one sheet ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    /// So many batches were sent.
    Sent(u32),
    /// The sheet showed everything already.
    Unchanged,
    /// Not now: unlinked, taken over, or the read model went back.
    NotOurs,
    /// It failed, which is recorded.
    Failed,
}

/// Writes one claimed sheet, and records how it went.
pub(crate) async fn write(shared: &Shared, claim: Claim) -> Written {
    let trouble = match attempt(shared, &claim).await {
        Ok(written) => {
            if written == Written::NotOurs
                && let Err(error) = shared.states.release(claim.tenant).await
            {
                tracing::debug!(error = ?error, tenant = %claim.tenant, "a lease ends by itself");
            }
            return written;
        }
        Err(trouble) => trouble,
    };
    fail(shared, &claim, &trouble).await;
    Written::Failed
}

/// Records that a sheet was not written, and when it is tried again.
pub(crate) async fn fail(shared: &Shared, claim: &Claim, trouble: &Trouble) {
    tracing::warn!(error = ?trouble, tenant = %claim.tenant, "the sheet was not written");
    (shared.observer)(Notice::Failed {
        class: trouble.class(),
    });
    if let Trouble::Google {
        error: GoogleError::KeyRefused { .. } | GoogleError::Unauthorized { .. },
        ..
    } = trouble
    {
        shared.clients.forget(claim.tenant, claim.credential);
    }
    let now = shared.clock.now();
    let mut next_try_at = later(now, trouble.pause(claim.tenant, claim.attempts));
    if trouble.may_be_under_way() {
        // Reading back before Google has certainly ended would miss what it is still doing.
        next_try_at = next_try_at.max(later(now, shared.options.settle));
    }
    let failure = Failure {
        text: trouble.text(),
        next_try_at,
        counts: trouble.counts(),
        not_written: trouble.not_written(),
    };
    if let Err(error) = shared.states.fail(claim, &failure).await {
        tracing::warn!(error = ?error, tenant = %claim.tenant, "a failure could not be recorded; its lease ends by itself");
    }
}

pub(crate) fn later(now: DateTime<Utc>, by: std::time::Duration) -> DateTime<Utc> {
    TimeDelta::from_std(by)
        .ok()
        .and_then(|by| now.checked_add_signed(by))
        .unwrap_or(now)
}

async fn attempt(shared: &Shared, claim: &Claim) -> Result<Written, Trouble> {
    let client = shared.clients.of(claim.tenant, claim.credential).await?;
    let today = moscow_day(shared.clock.now());
    let source = source::load(&shared.pool, claim.tenant, today)
        .await
        .map_err(Trouble::Model)?;
    if source.position < claim.written_position.max(claim.link_position) {
        // A read model that is being made anew shows products as gone that are not.
        return Ok(Written::NotOurs);
    }
    let mut round = Round::new(shared, claim, &client);
    round.written = stored(claim);
    let view = round.layout_options(&source).view;
    let shown = source.input.identities(&view).map_err(Trouble::Layout)?;
    let listed: HashSet<&str> = shown.iter().map(|row| &*row.of).collect();
    loop {
        match round.step(&source, &listed, today).await? {
            Step::More => {}
            Step::Done if round.batches == 0 => return Ok(Written::Unchanged),
            Step::Done => return Ok(Written::Sent(round.batches)),
            Step::NotOurs => return Ok(Written::NotOurs),
        }
    }
}

/// What was written last. What does not decode is read from the sheet instead.
fn stored(claim: &Claim) -> Option<Grid> {
    let bytes = claim.written.as_deref()?;
    match Grid::from_bytes(bytes) {
        Ok(grid) => Some(grid),
        Err(error) => {
            tracing::info!(error = %error, tenant = %claim.tenant, "the sheet is read as a whole");
            None
        }
    }
}

/// One sheet while it is written.
pub(crate) struct Round<'a> {
    shared: &'a Shared,
    claim: &'a Claim,
    client: &'a SheetsClient,
    written: Option<Grid>,
    sheet_id: Option<i32>,
    doubtful: bool,
    uncertain: bool,
    batches: u32,
}

enum Step {
    Done,
    /// Rows were put off to keep the batch small.
    More,
    NotOurs,
}

impl<'a> Round<'a> {
    /// Nothing is known of what is in the sheet.
    pub(crate) const fn new(shared: &'a Shared, claim: &'a Claim, client: &'a SheetsClient) -> Self {
        Self {
            shared,
            claim,
            client,
            written: None,
            sheet_id: claim.sheet_id,
            doubtful: claim.doubtful,
            uncertain: claim.uncertain,
            batches: 0,
        }
    }

    /// One reading and at most one batch.
    async fn step(
        &mut self,
        source: &Source,
        listed: &HashSet<&str>,
        today: NaiveDate,
    ) -> Result<Step, Trouble> {
        let place = Place {
            spreadsheet_id: &self.claim.spreadsheet_id,
            worksheet: &self.claim.worksheet,
            sheet_id: self.sheet_id,
        };
        let view = self.layout_options(source).view;
        let identities = source.identities_in(&view).map_err(Trouble::Layout)?;
        let known = Known {
            identities: &identities,
            listed,
            written: self.written.take(),
            doubtful: self.doubtful,
            uncertain: self.uncertain,
        };
        let current = structure::read(self.client, place, known)
            .await
            .map_err(|error| match error {
                Unreadable::Google(error) => Trouble::of(error, self.client, false),
                Unreadable::OldLayout { worksheet, layout } => Trouble::OldLayout { worksheet, layout },
            })?;
        let plan = self.plan(&current, source)?;
        drop(current);
        let complete = plan.deferred_products == 0;
        if !plan.is_empty() && !self.send(Vec::new(), &plan.requests).await? {
            return Ok(Step::NotOurs);
        }
        let outcome = Outcome {
            now: self.shared.clock.now(),
            written: plan.after.written.to_bytes(),
            sheet_id: plan.after.sheet_id,
            sent: !plan.is_empty(),
            complete: complete.then_some((source.position, today)),
        };
        if !self.shared.states.record(self.claim, &outcome).await? {
            return Ok(Step::NotOurs);
        }
        let Plan { after, .. } = plan;
        (self.written, self.sheet_id) = (Some(after.written), Some(after.sheet_id));
        (self.doubtful, self.uncertain) = (false, false);
        Ok(if complete { Step::Done } else { Step::More })
    }

    fn plan(&self, current: &Current, source: &Source) -> Result<Plan, Trouble> {
        let mut options = self.layout_options(source);
        let plan = sheet_layout::plan(current, &source.input, &options).map_err(Trouble::Layout)?;
        if requests::cells(&plan.requests) <= self.most_cells() || current.sheet.is_none() {
            return Ok(plan);
        }
        // So much changed in rows that are there already that it will not fit into one batch. New rows wait:
        // a row may only be inserted together with what it is recognised by.
        options.max_new_rows = 0;
        sheet_layout::plan(current, &source.input, &options).map_err(Trouble::Layout)
    }

    /// The most that is sent at once: new rows and as much again.
    fn most_cells(&self) -> usize {
        self.shared.options.cells_per_batch.saturating_mul(2)
    }

    /// The plan as one atomic batch, or as several where it is too large for one; `before` begins the first.
    /// False when the sheet is not ours any more.
    pub(crate) async fn send(
        &mut self,
        mut before: Vec<wire::Request>,
        planned: &[Request],
    ) -> Result<bool, Trouble> {
        for batch in requests::batches(planned, self.most_cells()) {
            let now = self.shared.clock.now();
            let lease_until = later(now, self.shared.options.settle);
            if !self
                .shared
                .states
                .begin_write(self.claim, now, lease_until)
                .await?
            {
                return Ok(false);
            }
            let mut requests = std::mem::take(&mut before);
            requests.extend(batch.iter().map(requests::Piece::request));
            self.client
                .batch_update(&self.claim.spreadsheet_id, &requests)
                .await
                .map_err(|error| Trouble::of(error, self.client, true))?;
            self.batches += 1;
            (self.shared.observer)(Notice::Sent {
                cells: batch.iter().map(requests::Piece::cells).sum(),
            });
        }
        Ok(true)
    }

    /// What the layout has to know.
    pub(crate) fn layout_options(&self, source: &Source) -> Options {
        // The block for orders without a warehouse may come too.
        let columns = 9 + 3 * (source.input.warehouses.len() + 1);
        Options {
            sheet_id: worksheet_id(self.claim),
            title: self.claim.worksheet.clone(),
            max_new_rows: (self.shared.options.cells_per_batch / columns).max(1),
            ..Options::default()
        }
    }
}

/// The id under which a worksheet is created: always the same for one link, so that a repeated creation is
/// refused instead of making a second sheet (FNV-1a, positive).
fn worksheet_id(claim: &Claim) -> i32 {
    let bytes = claim
        .tenant
        .uuid()
        .into_bytes()
        .into_iter()
        .chain(claim.spreadsheet_id.bytes())
        .chain(claim.worksheet.bytes());
    let hash = bytes.fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    (hash >> 1).cast_signed().max(1)
}
