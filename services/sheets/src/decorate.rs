//! The way of a plan to Google: values first, and alone where a decoration is refused or would be. Where
//! nothing is known to be in the way both go in one batch, which costs one call; should Google refuse it by a
//! decoration, nothing of it was done, and the values follow at once without.

use std::collections::BTreeSet;

use connectors::google::{self as wire, GoogleError};
use sheet_layout::{Decoration, Language, Plan, Request, View};
use sheet_source::Source;

use crate::refusal::{self, Refusal};
use crate::states::Outcome;
use crate::structure::{Seen, fnv1a};
use crate::trouble::Trouble;
use crate::write::Round;
use crate::{protect, requests};

/// What came of a plan that was sent.
#[derive(Debug, Default)]
pub(crate) struct Carried {
    /// Why decorations are missing.
    pub(crate) missing: Option<Why>,
    /// Why new columns are missing.
    pub(crate) stuck: Option<Why>,
}

/// A fingerprint of the sheet and of the seller's choice.
pub(crate) fn structure(seen: &Seen, view: &View) -> u64 {
    seen.structure ^ fnv1a(format!("{view:?}").bytes())
}

/// Which decorations a failed batch failed by, and why; none where it was something else.
fn refused(trouble: &Trouble) -> Option<(Vec<Decoration>, Refusal, String)> {
    let Trouble::Google {
        error: GoogleError::InvalidRequest { detail, .. },
        sending: true,
        ..
    } = trouble
    else {
        return None;
    };
    let kinds = refusal::decorations(detail);
    (!kinds.is_empty()).then(|| (kinds, Refusal::of(detail), detail.clone()))
}

/// Why something is missing, in one word and for the seller.
pub(crate) type Why = (&'static str, String);

impl Round<'_> {
    /// The plan that protected ranges leave possible. Where only new columns are in their way, which need
    /// titles, the numbers of all others are written.
    pub(crate) fn possible(&mut self, seen: &Seen, source: &Source) -> Result<(Plan, Option<Why>), Trouble> {
        let plan = self.plan(seen, source)?;
        let Err(trouble) = self.check_protection(seen, plan.values()) else {
            return Ok((plan, None));
        };
        if !plan.makes_columns() || seen.current.sheet.is_none() {
            return Err(trouble);
        }
        self.keep_columns = true;
        let plan = self.plan(seen, source)?;
        self.check_protection(seen, plan.values())?;
        Ok((plan, Some(self.without_columns(&trouble))))
    }

    /// Another plan after a batch of values was refused, of which nothing was done: without names for new
    /// columns where there is no room for them, else without new columns.
    pub(crate) fn instead(
        &mut self,
        trouble: Trouble,
        refused: &Plan,
        seen: &Seen,
        source: &Source,
    ) -> Result<(Plan, Option<Why>), Trouble> {
        if trouble.is_out_of_names() && !self.unnamed {
            self.unnamed = true;
            return Ok((self.plan(seen, source)?, None));
        }
        let by_columns = trouble.is_about_the_sheet() && refused.makes_columns();
        if !by_columns || self.keep_columns || seen.current.sheet.is_none() {
            return Err(trouble);
        }
        self.keep_columns = true;
        let plan = self.plan(seen, source)?;
        self.check_protection(seen, plan.values())?;
        Ok((plan, Some(self.without_columns(&trouble))))
    }

    fn without_columns(&self, trouble: &Trouble) -> Why {
        let language = self.view().language;
        let text = trouble.text(language);
        let text = match language {
            Language::Russian => format!("цифры записаны, но новые столбцы вставить нельзя: {text}"),
            Language::English => {
                format!("the numbers are written, but new columns cannot be inserted: {text}")
            }
        };
        (trouble.class(), text)
    }

    /// Sends a plan; `before` begins it. None when the sheet is not ours any more. What was refused is owed
    /// in the plan's grid afterwards.
    pub(crate) async fn carry_out(
        &mut self,
        before: Vec<wire::Request>,
        plan: &mut Plan,
        seen: &Seen,
        unveil: Option<i32>,
    ) -> Result<Option<Carried>, Trouble> {
        let blocked = protect::blocked(&seen.protected, plan.values(), plan.decorations());
        let allowed: Vec<Request> = (plan.decorations().iter().zip(&blocked.hit))
            .filter(|(_, hit)| !**hit)
            .map(|(request, _)| request.clone())
            .collect();
        let of = |requests: &[Request], kind| {
            let same = requests.iter().filter(|one| one.decoration() == Some(kind));
            same.count()
        };
        let mut partly = false;
        let mut kinds: BTreeSet<Decoration> = BTreeSet::new();
        for kind in Decoration::ALL {
            match (of(plan.decorations(), kind), of(&allowed, kind)) {
                (all, left) if all == left => {}
                (_, 0) => drop(kinds.insert(kind)),
                _ => partly = true,
            }
        }
        let closed = allowed.len() < plan.decorations().len();
        let mut missing = closed.then(|| self.closed(seen, &blocked.ranges));
        let whole: Vec<Request> = plan.values().iter().chain(&allowed).cloned().collect();
        let mut values_sent = false;
        if allowed.is_empty() || self.goes_together(seen, plan, &whole) {
            match self.send(before.clone(), &whole, unveil).await {
                Ok(true) => values_sent = true,
                Ok(false) => return Ok(None),
                Err(trouble) => {
                    let because = refused(&trouble).filter(|_| !allowed.is_empty());
                    let Some((refused, refusal, detail)) = because else {
                        return Err(trouble);
                    };
                    kinds.extend(refused);
                    missing = Some(self.missing(refusal, &detail));
                }
            }
        }
        if !values_sent {
            let values = !plan.values().is_empty() || unveil.is_some() || !before.is_empty();
            if values && !self.send(before, plan.values(), unveil).await? {
                return Ok(None);
            }
            self.remember_values(plan, seen, unveil).await?;
            loop {
                let kind =
                    |request: &&Request| request.decoration().is_some_and(|kind| !kinds.contains(&kind));
                let rest: Vec<Request> = allowed.iter().filter(kind).cloned().collect();
                if rest.is_empty() {
                    break;
                }
                match self.send(Vec::new(), &rest, None).await {
                    Ok(true) => break,
                    Ok(false) => return Ok(None),
                    Err(trouble) => {
                        let Some((refused, refusal, detail)) = refused(&trouble) else {
                            return Err(trouble);
                        };
                        let known = kinds.len();
                        kinds.extend(refused);
                        if kinds.len() == known {
                            // It names what was not in the batch: nothing of it can be believed.
                            kinds.extend(Decoration::ALL);
                        }
                        missing = Some(self.missing(refusal, &detail));
                    }
                }
            }
        }
        if partly || !kinds.is_empty() {
            plan.owe(&kinds, partly, structure(seen, self.view()));
        }
        Ok(Some(Carried { missing, stuck: None }))
    }

    /// Whether decorations may travel with the values: nothing is known that might refuse them.
    fn goes_together(&self, seen: &Seen, plan: &Plan, whole: &[Request]) -> bool {
        let sheet = seen.current.sheet.as_ref();
        let calm = sheet.is_none_or(|sheet| sheet.tables.is_empty() && !sheet.written.lacks_look());
        let fits = requests::bytes(whole) <= self.most_bytes();
        calm && (fits || plan.values().is_empty() || sheet.is_none())
    }

    /// Records that the values are in the sheet before the decorations are sent.
    async fn remember_values(&self, plan: &Plan, seen: &Seen, unveiled: Option<i32>) -> Result<(), Trouble> {
        let outcome = Outcome {
            now: self.now(),
            written: plan.before_decorations().to_bytes(),
            sheet_id: plan.after.sheet_id,
            sent: true,
            title: self.title(seen),
            veiled: self.is_veiled() && unveiled.is_none(),
            repaired: None,
            complete: None,
        };
        self.record(&outcome).await?;
        Ok(())
    }

    fn missing(&self, refusal: Refusal, detail: &str) -> Why {
        let advice = refusal.advice(detail, self.email());
        (refusal.word(), undecorated(advice, self.view().language))
    }

    fn closed(&self, seen: &Seen, ranges: &[&wire::ProtectedRange]) -> Why {
        let names = wire::range_names(&self.title(seen), ranges);
        let advice = refusal::protected(&names, self.email());
        (
            Refusal::Protected.word(),
            undecorated(advice, self.view().language),
        )
    }
}

/// For the seller: the numbers are there, and why the look is not.
fn undecorated((russian, english): (String, String), language: Language) -> String {
    match language {
        Language::Russian => format!("цифры записаны, а оформление — не всё: мешают {russian}"),
        Language::English => {
            format!("the numbers are written, but not the whole look; in the way: {english}")
        }
    }
}

/// For the seller, when what was refused has come after all.
pub(crate) fn restored(language: Language) -> Why {
    let text = match language {
        Language::Russian => "оформление снова полное",
        Language::English => "the look is complete again",
    };
    ("look_restored", text.to_owned())
}

/// For the seller, when columns came for whose names there is no room.
pub(crate) fn unnamed(language: Language) -> Why {
    let (russian, english) = Refusal::Metadata.advice("", "");
    let text = match language {
        Language::Russian => format!("{russian}. Новые столбцы узнаются по заголовкам: не меняйте их"),
        Language::English => {
            format!("{english}. New columns are known by their titles: leave those as they are")
        }
    };
    (Refusal::Metadata.word(), text)
}
