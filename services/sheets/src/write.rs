//! One sheet, one round: what it should show, what it shows, the batch between them, and the record of it.
//! Between any two of these steps the process may die: before the batch nothing has happened, after it the
//! mark that it was sent makes the next round read what is there. And between any two a person may work in
//! the sheet: the turn to write is waited for before the reading, and a fence (`fence`) makes Google refuse a
//! batch where the sheet has moved all the same.

mod send;

use std::collections::HashSet;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use connectors::google::{GoogleError, SheetsClient};
use read_models::measure::moscow_day;
use sheet_layout::{
    Cell, ColumnKey, Current, Grid, HEADER_FIELDS, HEADER_GROUPS, Language, MAX_CELLS, ManagedColumn,
    ManagedRow, Options, Plan, Request, SheetState, View,
};
use sheet_source::Source;

use crate::decorate::{self, Carried};
use crate::states::{Claim, Failure, Outcome};
use crate::structure::{Known, Place, Seen, Unreadable};
use crate::trouble::Trouble;
use crate::{Notice, Shared, protect, requests, source, structure};
use send::Way;

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
    let mut language = Language::default();
    let trouble = match attempt(shared, &claim, &mut language).await {
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
    fail(shared, &claim, &trouble, language).await;
    Written::Failed
}

/// Records that a sheet was not written, and when it is tried again.
pub(crate) async fn fail(shared: &Shared, claim: &Claim, trouble: &Trouble, language: Language) {
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
        now,
        text: trouble.text(language),
        kind: trouble.class(),
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

async fn attempt(shared: &Shared, claim: &Claim, language: &mut Language) -> Result<Written, Trouble> {
    let now = shared.clock.now();
    let today = moscow_day(now);
    let view = source::view(&shared.pool, claim.tenant)
        .await
        .map_err(Trouble::Model)?;
    *language = view.language;
    let client = shared.clients.of(claim.tenant, claim.credential).await?;
    let source = source::load(&shared.pool, claim.tenant, now, &view)
        .await
        .map_err(Trouble::Model)?;
    if source.position < claim.written_position.max(claim.link_position) {
        // A read model that is being made anew shows products as gone that are not.
        return Ok(Written::NotOurs);
    }
    let mut round = Round::new(shared, claim, &client, view);
    round.written = round.remembered();
    // Once a day all cells are read, also where there are too many to do so each time.
    round.doubtful |= claim.written_day != Some(today);
    if round.shows_all_already(&source)? {
        return round.record_unchanged(&source, today).await;
    }
    let view = round.layout_options(&source).view;
    let shown = source.input.identities(&view).map_err(Trouble::Layout)?;
    let listed: HashSet<&str> = shown.iter().map(|row| &*row.of).collect();
    loop {
        match round.step(&source, &listed, today).await? {
            Step::More | Step::Moved => {}
            Step::Done if round.batches == 0 => return Ok(Written::Unchanged),
            Step::Done => return Ok(Written::Sent(round.batches)),
            Step::NotOurs => return Ok(Written::NotOurs),
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
    /// The worksheet is hidden until its first write is whole.
    veiled: bool,
    batches: u32,
    view: View,
    /// Google has no room for more names of columns.
    pub(crate) unnamed: bool,
    /// The sheet refuses new columns.
    pub(crate) keep_columns: bool,
    /// The grid that this round recorded last.
    recorded: Option<Vec<u8>>,
    way: Way,
}

enum Step {
    Done,
    /// Rows were put off to keep the batch small.
    More,
    /// The sheet moved between reading and writing.
    Moved,
    NotOurs,
}

impl<'a> Round<'a> {
    /// Nothing is known of what is in the sheet.
    pub(crate) fn new(shared: &'a Shared, claim: &'a Claim, client: &'a SheetsClient, view: View) -> Self {
        Self {
            shared,
            claim,
            client,
            written: None,
            sheet_id: claim.sheet_id,
            doubtful: claim.doubtful,
            uncertain: claim.uncertain,
            veiled: claim.veiled,
            batches: 0,
            view,
            unnamed: false,
            keep_columns: false,
            recorded: None,
            way: Way::default(),
        }
    }

    /// What was written last. What does not decode is read from the sheet instead.
    fn remembered(&self) -> Option<Grid> {
        let bytes = self.recorded.as_deref().or(self.claim.written.as_deref())?;
        match Grid::from_bytes(bytes) {
            Ok(grid) => Some(grid),
            Err(error) => {
                tracing::info!(error = %error, tenant = %self.claim.tenant, "the sheet is read as a whole");
                None
            }
        }
    }

    /// Whether a sheet that is as it was written last would stay as it is. Nobody is asked.
    fn shows_all_already(&self, source: &Source) -> Result<bool, Trouble> {
        let (Some(written), Some(sheet_id)) = (&self.written, self.sheet_id) else {
            return Ok(false);
        };
        if self.doubtful || self.veiled {
            return Ok(false);
        }
        let current = Current {
            sheet: Some(as_written(written, sheet_id)),
        };
        let plan = sheet_layout::plan(&current, &source.input, &self.layout_options(source))
            .map_err(Trouble::Layout)?;
        Ok(plan.is_complete() && plan.after.written == *written)
    }

    async fn record_unchanged(&self, source: &Source, today: NaiveDate) -> Result<Written, Trouble> {
        let recorded = self
            .shared
            .states
            .record_unchanged(self.claim, self.shared.clock.now(), (source.position, today))
            .await?;
        Ok(if recorded {
            Written::Unchanged
        } else {
            Written::NotOurs
        })
    }

    /// One reading and at most one batch, with nothing to wait for between the two.
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
            made: worksheet_id(self.claim),
        };
        if !self.take_turn().await? {
            return Ok(Step::NotOurs);
        }
        let view = self.layout_options(source).view;
        let identities = source.identities_in(&view).map_err(Trouble::Layout)?;
        let written = self.written.take();
        let had = written.as_ref().map(|grid| grid.columns().to_vec());
        let known = Known {
            identities: &identities,
            sizes: &source.sizes,
            listed,
            written,
            doubtful: self.doubtful,
            uncertain: self.uncertain,
        };
        let bins = &self.shared.bins;
        let (seen, binned) = tokio::join!(
            structure::read(self.client, place, known),
            bins.holds(self.client, place.spreadsheet_id, self.shared.clock.now()),
        );
        if binned {
            return Err(Trouble::Trashed);
        }
        let seen = seen.map_err(|error| match error {
            Unreadable::Google(error) => Trouble::of(error, self.client, false),
            Unreadable::OldLayout { worksheet, layout } => Trouble::OldLayout { worksheet, layout },
        })?;
        let lacked = (seen.current.sheet.as_ref())
            .is_some_and(|sheet| sheet.written.lacks_look() || sheet.written.lacks_columns());
        let (mut plan, mut stuck) = self.possible(&seen, source)?;
        let repaired = repaired(&seen, had.as_deref(), self.view.language);
        check_room(&seen, &plan, listed.len())?;
        let complete = plan.is_complete();
        // A worksheet that is made in several batches is shown to people when it is whole.
        self.veiled |= seen.current.sheet.is_none()
            && (!complete || requests::bytes(&plan.requests) > self.shared.options.bytes_per_batch);
        let unveil = (complete && self.veiled).then_some(plan.after.sheet_id);
        let sent = !plan.is_empty() || unveil.is_some();
        let mut missing = None;
        if sent {
            let carried = match self.carried(&mut plan, &seen, source, unveil).await {
                Err(Trouble::Moved) if self.goes_on() => return Ok(Step::Moved),
                Err(Trouble::Moved) => return Ok(Step::NotOurs),
                carried => carried?,
            };
            let Some(carried) = carried else {
                return Ok(Step::NotOurs);
            };
            missing = carried.missing;
            stuck = carried.stuck.or(stuck);
        }
        let unnamed = (plan.unnamed > 0).then(|| decorate::unnamed(self.view.language));
        let lacks = plan.after.written.lacks_look() || plan.after.written.lacks_columns();
        let restored = lacked && !lacks;
        let restored = restored.then(|| decorate::restored(self.view.language));
        self.veiled &= !complete;
        let outcome = Outcome {
            now: self.shared.clock.now(),
            written: plan.after.written.to_bytes(),
            sheet_id: plan.after.sheet_id,
            sent,
            title: self.title(&seen),
            veiled: self.veiled,
            repaired: (repaired.filter(|_| sent))
                .or(stuck)
                .or(unnamed)
                .or(missing)
                .or(restored),
            complete: complete.then_some((source.position, today)),
        };
        if !self.shared.states.record(self.claim, &outcome).await? {
            return Ok(Step::NotOurs);
        }
        self.recorded = Some(outcome.written);
        let Plan { after, .. } = plan;
        (self.written, self.sheet_id) = (Some(after.written), Some(after.sheet_id));
        (self.doubtful, self.uncertain) = (false, false);
        Ok(if complete { Step::Done } else { Step::More })
    }

    /// Sends the plan; where Google has no room for names or refuses new columns, once more without them.
    async fn carried(
        &mut self,
        plan: &mut Plan,
        seen: &Seen,
        source: &Source,
        unveil: Option<i32>,
    ) -> Result<Option<Carried>, Trouble> {
        self.ready(seen, plan);
        match self.carry_out(Vec::new(), plan, seen, unveil).await {
            Err(trouble) => {
                let (next, stuck) = self.instead(trouble, plan, seen, source)?;
                *plan = next;
                self.ready(seen, plan);
                let carried = self.carry_out(Vec::new(), plan, seen, unveil).await?;
                Ok(carried.map(|carried| Carried { stuck, ..carried }))
            }
            carried => carried,
        }
    }

    pub(crate) fn plan(&self, seen: &Seen, source: &Source) -> Result<Plan, Trouble> {
        let current = &seen.current;
        let limit = self.shared.options.bytes_per_batch;
        let mut options = self.layout_options(source);
        options.structure = Some(decorate::structure(seen, &self.view));
        loop {
            let plan = sheet_layout::plan(current, &source.input, &options).map_err(Trouble::Layout)?;
            let bytes = requests::bytes(&plan.requests);
            if bytes <= limit || plan.is_complete() && current.sheet.is_none() {
                return Ok(plan);
            }
            // A row may only be inserted together with what it is recognised by: fewer at a time. Where none
            // would fit, so much changed in rows that are there already that it takes several batches, and
            // new rows wait.
            match options.max_new_rows {
                0 => return Ok(plan),
                1 => options.max_new_rows = 0,
                rows => options.max_new_rows = (rows * limit / bytes).clamp(1, rows / 2),
            }
        }
    }

    /// Says which protected ranges are in the way before anything is sent.
    pub(crate) fn check_protection(&self, seen: &Seen, planned: &[Request]) -> Result<(), Trouble> {
        let in_the_way = protect::in_the_way(&seen.protected, planned);
        if in_the_way.is_empty() {
            return Ok(());
        }
        Err(Trouble::Protected {
            ranges: connectors::google::range_names(seen.title.as_deref().unwrap_or_default(), &in_the_way),
            client_email: self.client.client_email().to_owned(),
        })
    }

    /// What the layout has to know.
    pub(crate) fn layout_options(&self, source: &Source) -> Options {
        // The block for orders without a warehouse may come too.
        let columns = 9 + self.view.extra_columns.len() + 3 * (source.input.warehouses.len() + 1);
        Options {
            sheet_id: worksheet_id(self.claim),
            title: self.claim.worksheet.clone(),
            max_new_rows: (self.shared.options.cells_per_batch / columns).max(1),
            view: self.view.clone(),
            unnamed: self.unnamed,
            keep_columns: self.keep_columns,
            ..Options::default()
        }
    }

    pub(crate) const fn view(&self) -> &View {
        &self.view
    }

    pub(crate) const fn is_veiled(&self) -> bool {
        self.veiled
    }

    pub(crate) const fn most_bytes(&self) -> usize {
        self.shared.options.bytes_per_batch
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.shared.clock.now()
    }

    pub(crate) fn email(&self) -> &str {
        self.client.client_email()
    }

    /// As the worksheet is called.
    pub(crate) fn title(&self, seen: &Seen) -> String {
        seen.title.clone().unwrap_or_else(|| self.claim.worksheet.clone())
    }

    pub(crate) async fn record(&self, outcome: &Outcome) -> Result<bool, Trouble> {
        Ok(self.shared.states.record(self.claim, outcome).await?)
    }
}

/// Whether a worksheet that has to be made finds room for all its rows, so that none is begun that does not.
/// One that is there grows by little, and Google says when it may not.
fn check_room(seen: &Seen, plan: &Plan, rows: usize) -> Result<(), Trouble> {
    if seen.current.sheet.is_some() {
        return Ok(());
    }
    // With the two rows of titles.
    let wide = u64::try_from(plan.after.columns.len() + plan.deferred_columns).unwrap_or(u64::MAX);
    let cells = u64::try_from(rows)
        .unwrap_or(u64::MAX)
        .saturating_add(2)
        .saturating_mul(wide);
    if seen.elsewhere.saturating_add(cells) > MAX_CELLS {
        return Err(Trouble::NoRoom { cells });
    }
    Ok(())
}

/// A sheet that is exactly as it was written. Where its columns and rows stand does not matter, but that a
/// group with two titles is torn.
fn as_written(written: &Grid, sheet_id: i32) -> SheetState {
    let group = |name: &str| ColumnKey::parse(name).map(|key| key.group());
    let mut places: Vec<u32> = Vec::with_capacity(written.columns().len());
    let mut before: Option<&Arc<str>> = None;
    for (name, title) in written.columns().iter().zip(written.row(0)) {
        let torn = *title != Cell::Empty && before.is_some_and(|before| group(before) == group(name));
        let next = places.last().map_or(0, |place| place + 1);
        places.push(next + u32::from(torn));
        before = Some(name);
    }
    let names = |count: usize| (1_i32..).zip(0_u32..).take(count);
    let size = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    SheetState {
        sheet_id,
        row_count: size(written.rows().len() + 2).max(3),
        column_count: places.last().map_or(0, |place| place + 1),
        frozen_rows: 2,
        columns: (written.columns().iter())
            .zip((1_i32..).zip(places))
            .map(|(value, (metadata_id, index))| ManagedColumn {
                metadata_id: if written.is_unnamed(value) { 0 } else { metadata_id },
                value: Arc::clone(value),
                index,
            })
            .collect(),
        header_rows: [HEADER_GROUPS, HEADER_FIELDS]
            .into_iter()
            .zip(names(2))
            .map(|(value, (number, index))| ManagedRow {
                metadata_id: i32::MAX - number,
                value: value.into(),
                index,
            })
            .collect(),
        row_of_product: (written.rows().iter())
            .zip(2..)
            .map(|(row, index)| (Arc::clone(&row.key), index))
            .collect(),
        written: written.clone(),
        ..SheetState::default()
    }
}

/// What people took away from a sheet that was written before, in one word and for the seller.
fn repaired(seen: &Seen, had: Option<&[Arc<str>]>, language: Language) -> Option<(&'static str, String)> {
    let had = had?;
    let (kind, russian, english) = match &seen.current.sheet {
        None => (
            "worksheet_recreated",
            "лист со стоком был удалён и создан заново; своё, что было на нём, верните из истории версий",
            "the worksheet was deleted and has been made again; bring back your own work on it from the version \
             history",
        ),
        Some(sheet) if sheet.header_rows.len() < 2 => (
            "headers_restored",
            "строка заголовков была удалена и вставлена снова",
            "a header row was deleted and has been inserted again",
        ),
        Some(sheet)
            if !had
                .iter()
                .all(|name| sheet.columns.iter().any(|column| column.name() == *name)) =>
        {
            (
                "columns_restored",
                "удалённый столбец вставлен снова: на нём держатся строки и итоги; чтобы его не видеть, скройте его",
                "a deleted column has been inserted again: rows and totals depend on it; hide it if you do not want \
             to see it",
            )
        }
        Some(_) => return None,
    };
    let text = match language {
        Language::Russian => russian,
        Language::English => english,
    };
    Some((kind, text.to_owned()))
}

/// The id under which a worksheet is created: always the same for one link, so that a repeated creation is
/// refused instead of making a second sheet (FNV-1a, positive).
pub(crate) fn worksheet_id(claim: &Claim) -> i32 {
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
