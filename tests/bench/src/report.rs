//! What is measured becomes a row: the figure, the limit it was measured beside, and whether the target is
//! met.

use std::fmt::Write as _;

use serde::Serialize;

/// What a figure has to be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "of", rename_all = "snake_case")]
pub enum Target {
    /// The figure itself, at least this.
    AtLeast {
        /// In the row's unit.
        figure: f64,
    },
    /// The figure itself, at most this.
    AtMost {
        /// In the row's unit.
        figure: f64,
    },
    /// The figure divided by its limit, at least this.
    RatioAtLeast {
        /// Without a unit.
        ratio: f64,
    },
}

/// The limit a figure is compared with, measured in the same run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Limit {
    /// In the row's unit.
    pub figure: f64,
    /// What was measured.
    pub what: String,
}

/// One line of the report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Stable name, for comparing runs.
    pub name: String,
    /// The figure.
    pub figure: f64,
    /// Its unit.
    pub unit: &'static str,
    /// What it is measured against.
    pub limit: Option<Limit>,
    /// Figure divided by limit.
    pub ratio: Option<f64>,
    /// What it has to be, if anything was promised.
    pub target: Option<Target>,
    /// Whether it is.
    pub met: Option<bool>,
    /// Circumstances.
    pub note: String,
}

impl Row {
    /// A figure without limit and target.
    #[must_use]
    pub fn new(name: impl Into<String>, figure: f64, unit: &'static str) -> Self {
        Self {
            name: name.into(),
            figure,
            unit,
            limit: None,
            ratio: None,
            target: None,
            met: None,
            note: String::new(),
        }
    }

    /// Beside this limit.
    #[must_use]
    pub fn beside(mut self, figure: f64, what: impl Into<String>) -> Self {
        self.ratio = (figure != 0.0).then(|| self.figure / figure);
        self.limit = Some(Limit {
            figure,
            what: what.into(),
        });
        self
    }

    /// With this promise; call it last, it looks at what is there.
    #[must_use]
    pub fn target(mut self, target: Target) -> Self {
        self.met = Some(match target {
            Target::AtLeast { figure } => self.figure >= figure,
            Target::AtMost { figure } => self.figure <= figure,
            Target::RatioAtLeast { ratio } => self.ratio.is_some_and(|reached| reached >= ratio),
        });
        self.target = Some(target);
        self
    }

    /// With these circumstances.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }
}

/// Facts about where it was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Machine {
    /// Processors this program may use.
    pub cpus: usize,
    /// Version of the PostgreSQL server; it ran with fsync.
    pub postgres: String,
    /// Version of the nats-server; it ran as declared for production, without fsync per message.
    pub nats: String,
    /// Median milliseconds of one 4 KiB write with `fdatasync`, where the servers keep their data.
    pub fdatasync_ms: f64,
    /// Load average of the last minute before the run, and after it: others disturb the figures.
    pub load: [f64; 2],
}

/// A whole run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// When it began, RFC 3339.
    pub at: String,
    /// Whether sizes were too small for the figures to mean anything.
    pub quick: bool,
    /// Whether the program was built with optimisation.
    pub optimised: bool,
    /// Where.
    pub machine: Machine,
    /// What was measured.
    pub rows: Vec<Row>,
}

impl Report {
    /// For people.
    #[must_use]
    pub fn table(&self) -> String {
        let machine = &self.machine;
        let mut text = format!(
            "{} · {} processors · PostgreSQL {} (fsync on) · nats-server {} · fdatasync {:.2} ms · load {:.1} to {:.1}{}\n\n",
            self.at,
            machine.cpus,
            machine.postgres,
            machine.nats,
            machine.fdatasync_ms,
            machine.load[0],
            machine.load[1],
            if self.quick {
                " · QUICK: figures mean nothing"
            } else {
                ""
            },
        );
        let mut lines =
            vec![["what", "figure", "unit", "limit", "ratio", "target", "met", ""].map(str::to_owned)];
        lines.extend(self.rows.iter().map(cells));
        let width = |column: usize| {
            lines
                .iter()
                .map(|line| line.get(column).map_or(0, |cell| cell.chars().count()))
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..8).map(width).collect();
        for line in &lines {
            for (column, (cell, width)) in line.iter().zip(&widths).enumerate() {
                let pad = " ".repeat(width - cell.chars().count());
                let numeric = matches!(column, 1 | 3 | 4);
                // Writing to a string cannot fail.
                let outcome = match (numeric, column) {
                    (_, 7) => write!(text, "{cell}"),
                    (true, _) => write!(text, "{pad}{cell}  "),
                    (false, _) => write!(text, "{cell}{pad}  "),
                };
                debug_assert!(outcome.is_ok());
            }
            text.truncate(text.trim_end().len());
            text.push('\n');
        }
        let judged = || self.rows.iter().filter_map(|row| row.met);
        let (met, all) = (judged().filter(|met| *met).count(), judged().count());
        text.push_str(&format!("\n{met} of {all} targets met\n"));
        text
    }
}

fn cells(row: &Row) -> [String; 8] {
    let target = row.target.map(|target| match target {
        Target::AtLeast { figure } => format!(">= {}", number(figure)),
        Target::AtMost { figure } => format!("<= {}", number(figure)),
        Target::RatioAtLeast { ratio } => format!("ratio >= {}", number(ratio)),
    });
    let what = row
        .limit
        .as_ref()
        .map(|limit| limit.what.as_str())
        .unwrap_or_default();
    let notes = [what, row.note.as_str()];
    let notes: Vec<&str> = notes.into_iter().filter(|note| !note.is_empty()).collect();
    [
        row.name.clone(),
        number(row.figure),
        row.unit.to_owned(),
        row.limit
            .as_ref()
            .map(|limit| number(limit.figure))
            .unwrap_or_default(),
        row.ratio.map(number).unwrap_or_default(),
        target.unwrap_or_default(),
        row.met
            .map(|met| if met { "yes" } else { "NO" })
            .unwrap_or_default()
            .to_owned(),
        notes.join("; "),
    ]
}

/// Large numbers with a separator every three digits, small ones with two decimals.
fn number(value: f64) -> String {
    if value.abs() < 100.0 {
        return format!("{value:.2}");
    }
    let digits = format!("{value:.0}");
    let (sign, digits) = digits
        .strip_prefix('-')
        .map_or(("", digits.as_str()), |rest| ("-", rest));
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}")
}

#[cfg(test)]
mod tests {
    use super::{Row, Target, number};

    #[test]
    fn a_row_says_whether_its_promise_holds() {
        let row = |figure: f64| {
            Row::new("x", figure, "1/s")
                .beside(100.0, "raw")
                .target(Target::RatioAtLeast { ratio: 0.6 })
        };
        assert_eq!((row(60.0).ratio, row(60.0).met), (Some(0.6), Some(true)));
        assert_eq!(row(59.0).met, Some(false));
        assert_eq!(
            Row::new("x", 31.0, "ms")
                .target(Target::AtMost { figure: 30.0 })
                .met,
            Some(false)
        );
        assert_eq!(
            Row::new("x", 31.0, "ms")
                .target(Target::AtLeast { figure: 30.0 })
                .met,
            Some(true)
        );
        // Without a limit there is no ratio, and a promise about it is not met.
        assert_eq!(
            Row::new("x", 31.0, "ms")
                .target(Target::RatioAtLeast { ratio: 0.1 })
                .met,
            Some(false)
        );
    }

    #[test]
    fn numbers_are_readable() {
        let shown = [0.347, 42.0, 1234.4, 1_234_567.0, -1234.0].map(number);
        assert_eq!(shown, ["0.35", "42.00", "1,234", "1,234,567", "-1,234"]);
    }
}
