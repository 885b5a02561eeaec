//! How far a tool is: one line that is rewritten on a terminal, a line now and then elsewhere, JSON for
//! programs.

use std::io::{IsTerminal as _, Write as _};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lines of a log are this far apart.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// A line on a terminal is rewritten this often.
const REDRAW_EVERY: Duration = Duration::from_millis(200);

/// Where and how progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// One line on standard error, rewritten.
    Terminal,
    /// Lines on standard error.
    Lines,
    /// A JSON object a line, on standard output.
    Json,
}

impl Form {
    /// JSON where it is asked for; else what standard error is good for.
    pub(crate) fn chosen(json: bool) -> Self {
        match json {
            true => Self::Json,
            false if std::io::stderr().is_terminal() => Self::Terminal,
            false => Self::Lines,
        }
    }
}

/// The progress of one step.
pub(crate) struct Progress {
    form: Form,
    tool: &'static str,
    unit: &'static str,
    began: Instant,
    shown: Mutex<Shown>,
}

#[derive(Default)]
struct Shown {
    first: Option<u64>,
    at: Option<Instant>,
    drawn: bool,
}

/// A moment of a step.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Moment {
    done: u64,
    total: u64,
    per_second: Option<f64>,
    eta: Option<Duration>,
}

impl Moment {
    /// The rate is that of what was done since the beginning, which may not have been at zero.
    fn of(first: u64, done: u64, total: u64, elapsed: Duration) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let count = |number: u64| number as f64;
        let seconds = elapsed.as_secs_f64();
        let moved = done.saturating_sub(first);
        let per_second = (seconds >= 0.1 && moved > 0).then(|| count(moved) / seconds);
        let left = count(total.saturating_sub(done));
        let eta = per_second.and_then(|rate| Duration::try_from_secs_f64(left / rate).ok());
        Self {
            done,
            total,
            per_second,
            eta,
        }
    }
}

impl Progress {
    pub(crate) fn new(form: Form, tool: &'static str, unit: &'static str) -> Self {
        Self {
            form,
            tool,
            unit,
            began: Instant::now(),
            shown: Mutex::default(),
        }
    }

    /// So much is done, of so much; `step` names what is being done. Shown now and then, and at the end.
    pub(crate) fn at(&self, done: u64, total: u64, step: &str) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let first = *shown.first.get_or_insert(done);
        let every = if self.form == Form::Terminal {
            REDRAW_EVERY
        } else {
            LINE_EVERY
        };
        let due = shown.at.is_none_or(|at| at.elapsed() >= every);
        if !due && done < total {
            return;
        }
        shown.at = Some(Instant::now());
        shown.drawn = true;
        let moment = Moment::of(first, done, total, self.began.elapsed());
        let line = match self.form {
            Form::Json => self.json(moment, step),
            Form::Terminal | Form::Lines => self.text(moment, step),
        };
        // Whoever does not listen any more is no reason to stop.
        drop(match self.form {
            Form::Json => writeln!(std::io::stdout(), "{line}"),
            Form::Lines => writeln!(std::io::stderr(), "{line}"),
            Form::Terminal => write!(std::io::stderr(), "\r\x1b[K{line}"),
        });
    }

    /// Ends the line of a terminal.
    pub(crate) fn end(&self) {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if self.form == Form::Terminal && shown.drawn {
            drop(writeln!(std::io::stderr()));
        }
    }

    fn text(&self, moment: Moment, step: &str) -> String {
        let Moment { done, total, .. } = moment;
        let mut line = format!("{}: {done} of {total} {}", self.tool, self.unit);
        if let Some(rate) = moment.per_second {
            line.push_str(&format!(", {rate:.0}/s"));
        }
        if let Some(eta) = moment.eta.filter(|_| done < total) {
            line.push_str(&format!(", {} left", clock(eta)));
        }
        if !step.is_empty() {
            line.push_str(&format!(" ({step})"));
        }
        line
    }

    fn json(&self, moment: Moment, step: &str) -> String {
        serde_json::json!({
            "tool": self.tool, "step": step, "unit": self.unit, "done": moment.done, "total": moment.total,
            "per_second": moment.per_second, "eta_seconds": moment.eta.map(|eta| eta.as_secs()),
        })
        .to_string()
    }
}

fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 3_600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes}:{seconds:02} min"),
        (hours, minutes, _) => format!("{hours}:{minutes:02} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_and_time_left_are_of_what_was_done_since_the_beginning() {
        let moment = Moment::of(100, 600, 1_600, Duration::from_secs(10));
        let progress = Progress::new(Form::Lines, "rebuild", "events");
        assert_eq!(
            progress.text(moment, "inventory"),
            "rebuild: 600 of 1600 events, 50/s, 20 s left (inventory)"
        );
        let long = Moment::of(0, 10, 100_000, Duration::from_secs(1));
        assert!(progress.text(long, "").ends_with("10/s, 2:46 h left"));
        let first = Moment::of(100, 100, 1_600, Duration::ZERO);
        assert_eq!(progress.text(first, ""), "rebuild: 100 of 1600 events");
        let json: serde_json::Value = serde_json::from_str(&progress.json(moment, "inventory")).unwrap();
        assert_eq!(
            (&json["eta_seconds"], &json["per_second"]),
            (&20.into(), &50.0.into())
        );
    }
}
