//! How batches leave: in a turn that was waited for before the sheet was read, behind a fence, under a lease
//! that is longer than Google takes. Of a plan that takes several batches each further one is preceded by
//! another look.

use std::collections::HashSet;

use connectors::google::{self as wire, GoogleError, WriteTurn};
use sheet_layout::{Plan, Request};

use super::{Round, later, worksheet_id};
use crate::Notice;
use crate::fence::{self, Fence, Marks};
use crate::requests::{self, Piece};
use crate::structure::{self, Expected, Seen};
use crate::trouble::Trouble;

/// Batches of one round that a moving sheet may cost; then it comes back as one that is due.
const MOST_MOVED: usize = 5;

/// In Google's words: no such range, for instance because its worksheet is called otherwise.
const UNKNOWN_RANGE: &str = "Unable to parse range";

/// What is known of the sheet on the way.
#[derive(Default)]
pub(super) struct Way {
    /// A turn that is not used yet.
    turn: Option<WriteTurn>,
    /// The marks that were just read, or what a batch of ours has made of them. None when another look is
    /// due.
    marks: Option<Marks>,
    /// Where everything is after the plan's insertions; none for a worksheet that is being made, in which no
    /// one is yet, and for one that is moved from an earlier layout.
    expected: Option<Expected>,
    /// The worksheet is being made: its count begins.
    making: Option<i32>,
    /// Rows of products after the plan's insertions.
    products: Vec<u32>,
    /// As the worksheet was called when it was read.
    title: String,
    /// What was written into rows that turned out to be another's, as requests that take it away again.
    strays: Vec<(u32, wire::Request)>,
    /// A batch of this plan is in the sheet.
    begun: bool,
    /// An answer has shown other products in the rows that were written: put right once in a round.
    strange: bool,
    /// How often the sheet moved in this round.
    moved: usize,
    /// What was read before the last batch that its fence refused.
    refused: Option<Marks>,
}

impl Round<'_> {
    /// Waits for the turn to write, and keeps the sheet meanwhile. False when it is not ours any more.
    pub(super) async fn take_turn(&mut self) -> Result<bool, Trouble> {
        if self.way.turn.is_some() {
            return Ok(true);
        }
        let turn = self.client.write_turn().await;
        let turn = turn.map_err(|error| Trouble::of(error, self.client, false))?;
        let now = self.shared.clock.now();
        let until = later(now, self.shared.options.settle);
        let kept = self.shared.states.renew(self.claim, now, until).await?;
        self.way.turn = Some(turn);
        Ok(kept)
    }

    /// What was read, and what is going to be sent.
    pub(super) fn ready(&mut self, seen: &Seen, plan: &Plan) {
        let there = seen.current.sheet.is_some();
        self.way.marks = there.then(|| seen.marks.clone());
        self.way.expected = there.then(|| Expected::of(&plan.after));
        self.way.making = (!there).then_some(plan.after.sheet_id);
        self.way.products = plan.after.row_of_product.values().copied().collect();
        self.way.products.sort_unstable();
        self.way.title = seen.title.clone().unwrap_or_default();
        self.way.begun = false;
        // In rows of products the plan puts everything right itself.
        let known = seen.current.sheet.as_ref();
        let known: HashSet<u32> = known.map_or_else(HashSet::new, |sheet| {
            sheet.row_of_product.values().copied().collect()
        });
        self.way.strays.retain(|(row, _)| !known.contains(row));
    }

    /// The sheet moved on the way. False when that was so too often for one round.
    pub(super) fn goes_on(&mut self) -> bool {
        if self.way.begun {
            // A part of the plan is in the sheet, of which nothing was recorded.
            (self.doubtful, self.uncertain) = (true, true);
        }
        self.written = self.remembered();
        self.way.moved += 1;
        self.way.moved < MOST_MOVED
    }

    /// The requests as one atomic batch, or as several where they are too large for one; `before` begins the
    /// first. False when the sheet is not ours any more.
    pub(crate) async fn send(
        &mut self,
        mut before: Vec<wire::Request>,
        planned: &[Request],
        unveil: Option<i32>,
    ) -> Result<bool, Trouble> {
        let mut batches = requests::batches(planned, self.shared.options.bytes_per_batch);
        if let (Some(sheet_id), Some(last)) = (unveil, batches.last_mut()) {
            last.push(Piece::Unveil(sheet_id));
        }
        for (number, batch) in batches.into_iter().enumerate() {
            if number > 0 {
                // Much time may have gone by: another look.
                self.way.marks = None;
            }
            if !self.take_turn().await? {
                return Ok(false);
            }
            // Insertions are the first batch's; what comes later finds them done.
            let inserts = if number == 0 { planned } else { &[] };
            let mut fence = self.fence(inserts, &batch).await?;
            if !self.shared.marks_rows(self.claim.tenant) {
                fence = fence.without_new_marks();
            }
            let strays = std::mem::take(&mut self.way.strays);
            let first: Vec<wire::Request> = (strays.into_iter().map(|(_, request)| request))
                .chain(std::mem::take(&mut before))
                .collect();
            if !self.send_one(first, &batch, (&fence, inserts)).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn fence(&mut self, inserts: &[Request], batch: &[Piece<'_>]) -> Result<Fence, Trouble> {
        let seed = worksheet_id(self.claim);
        if let Some(sheet_id) = self.way.making {
            let rows = &self.way.products;
            let fence = || fence::behind_the_first((sheet_id, seed), inserts, rows);
            return Ok(self
                .shared
                .fences_hold(self.claim.tenant)
                .then(fence)
                .unwrap_or_default());
        }
        let Some(expected) = &self.way.expected else {
            return Ok(Fence::default());
        };
        let marks = match self.way.marks.take() {
            Some(marks) => marks,
            None => {
                let look = structure::look(self.client, &self.claim.spreadsheet_id, expected).await;
                let look = look.map_err(|error| Trouble::of(error, self.client, false))?;
                look.ok_or(Trouble::Moved)?
            }
        };
        if !self.shared.fences_hold(self.claim.tenant) {
            return Ok(Fence::default());
        }
        let sheet = (expected.sheet_id, seed);
        let fence = fence::around(sheet, &marks, inserts, batch, &self.way.products);
        self.way.marks = Some(marks);
        Ok(fence)
    }

    /// One batch. The lease begins anew with it.
    async fn send_one(
        &mut self,
        before: Vec<wire::Request>,
        batch: &[Piece<'_>],
        (fence, inserts): (&Fence, &[Request]),
    ) -> Result<bool, Trouble> {
        let now = self.shared.clock.now();
        let lease_until = later(now, self.shared.options.settle);
        let states = &self.shared.states;
        if !states
            .begin_write(self.claim, now, lease_until, self.veiled)
            .await?
        {
            return Ok(false);
        }
        let own = batch.iter().map(|piece| piece.request(self.veiled));
        let requests: Vec<wire::Request> = (fence.before.iter().cloned())
            .chain(before)
            .chain(own)
            .chain(fence.after.iter().cloned())
            .collect();
        let Some(turn) = self.way.turn.take() else {
            return Ok(false);
        };
        let (marks, making) = (self.way.marks.take(), self.way.making.take());
        let rows = rows_of(batch);
        let expected = self.way.expected.as_ref();
        let shown = expected.and_then(|expected| expected.identities_in(&self.way.title, &rows));
        let sent = self
            .client
            .batch_update_in(turn, &self.claim.spreadsheet_id, &requests, shown.as_deref())
            .await;
        let shown = match sent {
            Ok(shown) => shown,
            // The worksheet was given another title meanwhile, by which its cells were asked for.
            Err(GoogleError::InvalidRequest { detail, .. }) if detail.contains(UNKNOWN_RANGE) => {
                return Err(Trouble::Moved);
            }
            Err(GoogleError::InvalidRequest {
                request: Some(at),
                detail,
            }) if fence.refused(at, requests.len(), &detail) => {
                if fence.marks_rows(at, requests.len()) {
                    self.shared.stop_marking_rows(self.claim.tenant);
                } else {
                    self.note_refusal(marks);
                }
                return Err(Trouble::Moved);
            }
            Err(error) => {
                if let GoogleError::InvalidRequest { .. } = &error {
                    // Nothing of it was done, so what was read still holds for a smaller batch.
                    (self.way.marks, self.way.making) = (marks, making);
                }
                return Err(Trouble::of(error, self.client, true));
            }
        };
        self.batches += 1;
        self.way.begun = true;
        let there = self.way.expected.as_ref().zip(marks);
        let seed = worksheet_id(self.claim);
        self.way.marks = there.map(|(expected, marks)| marks.after(expected.sheet_id, inserts, seed));
        (self.shared.observer)(Notice::Sent {
            cells: batch.iter().map(Piece::cells).sum(),
        });
        let strange = (self.way.expected.as_ref().zip(shown.as_ref()))
            .map(|(expected, shown)| expected.strange_rows(shown, &rows))
            .unwrap_or_default();
        if strange.is_empty() || self.way.strange {
            return Ok(true);
        }
        self.way.strange = true;
        // Contents moved without their rows, which no fence sees.
        for row in strange {
            let blank = batch.iter().filter_map(|piece| piece.blank(row));
            self.way.strays.extend(blank.map(|request| (row, request)));
        }
        Err(Trouble::Moved)
    }

    /// A fence that refuses although nothing has moved is none: Google does not do what it is made of, and
    /// sheets are written without rather than not at all.
    fn note_refusal(&mut self, marks: Option<Marks>) {
        let marks = marks.unwrap_or_default();
        if self.way.refused.as_ref() == Some(&marks) {
            self.shared.give_up_fences(self.claim.tenant);
        }
        self.way.refused = Some(marks);
    }
}

/// Rows of the sheet whose values a batch carries.
fn rows_of(batch: &[Piece<'_>]) -> HashSet<u32> {
    let rows = batch.iter().filter_map(|piece| match piece {
        Piece::Rows(block, from, to) => {
            let at = |count: usize| {
                let count = u32::try_from(count).unwrap_or(u32::MAX);
                block.start.row_index.saturating_add(count)
            };
            Some(at(*from)..at(*to))
        }
        _ => None,
    });
    rows.flatten().collect()
}
