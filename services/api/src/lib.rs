//! HTTP in: the API of `docs/api/openapi.json`. A request becomes a command for `application` or a question
//! for `read-models`; nothing is decided here.
//!
//! | where | what |
//! |---|---|
//! | [`routes`] | the one table of routes: method, path, who may, handler |
//! | [`handlers`] | one file an endpoint, grouped by resource |
//! | [`frame`] | what surrounds every request |
//! | [`gate`] | where a request comes from, and whether it may |
//! | [`connections`] | ending connections that nobody uses |
//! | [`limits`] | how many requests are answered |
//! | `quota` | how many calls programs make a month |
//! | [`call`] | who calls, for which tenant; reading your own writes |
//! | [`command`] | commands that happen once |
//! | [`problem`] | every error there is |
//! | [`input`] | reading bodies and queries, naming every mistake |
//! | `rights` | whether whoever opened a stream of events may still see it |
//! | [`streams`] | streams of events that are open, and one look at the log for all of them |
//! | [`server`] | listening and ending |

pub mod attempt;
pub mod call;
pub mod command;
pub mod connections;
pub mod cursor;
pub mod frame;
pub mod freshness;
pub mod gate;
pub mod handlers;
pub mod input;
pub mod limits;
pub mod openapi;
pub mod problem;
mod quota;
pub mod reply;
mod rights;
pub mod routes;
pub mod server;
pub mod state;
pub mod streams;
pub mod trace;

pub use freshness::Model;
pub use server::{BindError, Bound, ServerOptions, Times, build, build_with};
pub use state::{
    ApiState, ErrandError, Errands, Google, NewSheetSync, SheetNotice, SheetProgress, SheetSync, SheetTest,
    Webhook,
};
pub use streams::Streams;
