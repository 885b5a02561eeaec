//! Pages for a browser.

use super::service::Service;
use crate::server::{Answer, Call};

pub(crate) fn answer(_service: &Service, _call: &Call) -> Answer {
    Answer::empty(404)
}
