//! Orders that look like known ones under other ids: one report of the marketplace was asked in place of the
//! other, and nothing but the day joins what both tell. They are not recorded, and the source's report says
//! so.

use events::sync::{SourceOutcome, SourceReport};

use super::sources::ORDERS;

/// More than one in so many of an answer's orders is no accident.
const ORDINARY: u64 = 33;

/// Says in the reports that orders were held back, where they are more than a few per cent.
#[must_use]
pub fn with_held_back(mut reports: Vec<SourceReport>, held_back: u64) -> Vec<SourceReport> {
    for report in reports.iter_mut().filter(|report| report.source == ORDERS) {
        if held_back.saturating_mul(ORDINARY) > report.rows {
            let said = format!(
                "{held_back} orders look like known ones under other ids and are not counted a second time"
            );
            report.outcome = SourceOutcome::Partial;
            report.error = Some(match report.error.take() {
                Some(earlier) => format!("{earlier}; {said}"),
                None => said,
            });
        }
    }
    reports
}

#[cfg(test)]
mod tests {
    use events::sync::{SourceOutcome, SourceReport};

    use super::with_held_back;

    fn reports(rows: u64) -> Vec<SourceReport> {
        ["cards", "orders"]
            .map(|source| SourceReport {
                source: source.to_owned(),
                outcome: SourceOutcome::Complete,
                rows,
                left_out: None,
                doubts: vec![],
                as_of: None,
                payload_sha256: String::new(),
                payload_bytes: None,
                error: None,
                covers_since: None,
            })
            .to_vec()
    }

    #[test]
    fn more_than_a_few_per_cent_makes_the_orders_partial_and_nothing_else() {
        for (held_back, outcome) in [
            (0, SourceOutcome::Complete),
            (3, SourceOutcome::Complete),
            (4, SourceOutcome::Partial),
            (100, SourceOutcome::Partial),
        ] {
            let told = with_held_back(reports(100), held_back);
            assert_eq!(told[0].outcome, SourceOutcome::Complete);
            assert_eq!(told[1].outcome, outcome, "{held_back}");
            assert_eq!(told[1].error.is_some(), outcome == SourceOutcome::Partial);
        }
    }
}
