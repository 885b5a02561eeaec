//! What one wants to be notified of, and when. Everybody's own: nobody reads or changes it for another.

pub mod settings;
pub mod snoozes;

use application::domain::notice::NoticeKind;

use crate::input::Given;

/// A kind of notification, by its name.
fn kind(given: Given<'_>) -> Result<NoticeKind, String> {
    let name = given.value.as_str().ok_or("must be text")?;
    NoticeKind::parse(name).ok_or_else(|| {
        let known: Vec<&str> = NoticeKind::ALL.iter().map(|kind| kind.as_str()).collect();
        format!("must be one of {}", known.join(", "))
    })
}
