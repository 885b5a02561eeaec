//! The definitions that every number shown rests on: the Moscow day, turnover, and the pace of sales. Exact
//! integers and no I/O, because a seller compares the sheet, the bot, the API and the export with each other.
//! Each definition stands here once; SQL that has to sort by one of them is tested against it.

mod day;
mod known;
mod pace;
mod tenths;
mod turnover;

pub use day::{before_window, moscow_day, moscow_midnight};
pub use known::{Known, KnownWindows};
pub use pace::{LEAST_SALES, Pace, Spell, covered, differs_notably};
pub use tenths::{Tenths, round_half_even};
pub use turnover::turnover;
