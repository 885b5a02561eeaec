//! Google as an HTTP server: tokens of service accounts, Sheets v4 as far as Stock Tracker and its users go,
//! the few Drive calls about permissions, and a page that shows a spreadsheet to a person.
//!
//! Shapes are those of the discovery document, revision 20261019; behaviour is that of contracts C.

mod a1;
mod auth;
mod batch;
mod cells;
mod control;
mod dimensions;
mod drive;
mod errors;
mod formula;
mod input;
mod mask;
mod metadata;
mod model;
mod moves;
mod objects;
mod page;
mod quota;
mod ranges;
mod render;
mod rules;
mod service;
mod sheets;
mod values;

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};

pub use model::{Habits, Role};
pub use quota::Quotas;

use crate::clock::Clock;
use crate::server::{Listener, SimulatorError};
use auth::Auth;
use service::{Parts, Service};

/// How the simulated Google starts.
#[derive(Debug, Clone)]
pub struct GoogleConfig {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Service accounts of the one project, at least 1.
    pub service_accounts: usize,
    /// Read and write quotas.
    pub quotas: Quotas,
    /// Life of an access token in seconds; Google's is 3599.
    pub token_seconds: i64,
    /// Whether a service account has storage for spreadsheets of its own; new ones have not.
    pub accounts_may_create: bool,
    /// Its time, which has to be near the client's for tokens to be accepted.
    pub clock: Clock,
    /// Folder for the accounts' key and the spreadsheets; nothing is kept without one.
    pub data_dir: Option<PathBuf>,
}

impl Default for GoogleConfig {
    fn default() -> Self {
        Self {
            port: 0,
            service_accounts: 1,
            quotas: Quotas::default(),
            token_seconds: 3599,
            accounts_may_create: true,
            clock: Clock::system(),
            data_dir: None,
        }
    }
}

/// A running simulated Google; dropping it stops the server.
pub struct Google {
    listener: Listener,
    service: Arc<Service>,
}

impl Google {
    /// Makes or loads the key and the spreadsheets, and listens.
    ///
    /// # Errors
    /// [`SimulatorError`] if the port is taken, the key cannot be made or the data folder cannot be used.
    pub async fn start(config: GoogleConfig) -> Result<Self, SimulatorError> {
        if let Some(folder) = &config.data_dir {
            std::fs::create_dir_all(folder).map_err(|source| SimulatorError::Data {
                path: folder.display().to_string(),
                source,
            })?;
        }
        let (socket, address) = Listener::bind(config.port)?;
        let base_url = format!("http://{address}");
        let auth = Auth::new(
            config.service_accounts,
            config.token_seconds,
            &format!("{base_url}/token"),
            config.data_dir.as_deref(),
        )?;
        let service = Arc::new(Service::new(Parts {
            auth,
            quotas: config.quotas,
            clock: config.clock,
            base_url,
            accounts_may_create: config.accounts_may_create,
            data_dir: config.data_dir,
        })?);
        let listener = Listener::start(socket, Arc::clone(&service) as Arc<_>, 2).await?;
        Ok(Self { listener, service })
    }

    /// Saves the state and waits until the server's thread has ended.
    pub async fn stop(self) {
        self.listener.stop().await;
        self.service.save();
    }

    /// Key file of the first service account; its `token_uri` is this simulator's.
    #[must_use]
    pub fn service_account_json(&self) -> String {
        self.service_account_json_of(0)
    }

    /// Key file of any service account, counted from 0.
    #[must_use]
    pub fn service_account_json_of(&self, number: usize) -> String {
        self.service.auth.key_file(number).to_string()
    }

    /// E-mail of a service account, counted from 0; empty if there is none.
    #[must_use]
    pub fn service_account_email(&self, number: usize) -> String {
        self.service.auth.email(number).unwrap_or_default().to_owned()
    }

    /// A seller's new spreadsheet, shared as given; returns its id.
    #[must_use]
    pub fn create_spreadsheet(&self, title: &str, shared_with: &[(&str, Role)]) -> String {
        let shared: Vec<(String, Role)> = shared_with
            .iter()
            .map(|(email, role)| ((*email).to_owned(), *role))
            .collect();
        self.service.add_book(None, title, &shared)
    }

    /// Id of a spreadsheet with this title.
    #[must_use]
    pub fn find_spreadsheet(&self, title: &str) -> Option<String> {
        self.service
            .list()
            .into_iter()
            .find(|(_, known)| known == title)
            .map(|(id, _)| id)
    }

    /// Address of the page that shows the spreadsheet, in the form of the real ones.
    #[must_use]
    pub fn spreadsheet_url(&self, id: &str) -> String {
        format!("{}/spreadsheets/d/{id}/edit", self.base_url())
    }

    /// Gives a permission, or takes it away with `None`.
    pub fn share(&self, id: &str, email: &str, role: Option<Role>) {
        self.service
            .change_book(id, |book| control::set_role(book, email, role));
    }

    /// Makes this account a member of a shared drive, which is made with its first member.
    pub fn add_to_drive(&self, drive: &str, email: &str) {
        crate::server::lock(&self.service.drives)
            .entry(drive.to_owned())
            .or_default()
            .insert(email.to_owned());
    }

    /// Uses up an account's storage, or frees it: files of a full one cannot be changed. A seller's are owned
    /// by `seller@example.com`.
    pub fn storage_is_full(&self, email: &str, full: bool) {
        let mut accounts = crate::server::lock(&self.service.full);
        if full {
            accounts.insert(email.to_owned());
        } else {
            accounts.remove(email);
        }
    }

    /// Ids of all spreadsheets that are not deleted.
    #[must_use]
    pub fn spreadsheets(&self) -> Vec<String> {
        self.service.list().into_iter().map(|(id, _)| id).collect()
    }

    /// The spreadsheet as its owner reads it, by `spreadsheets.get` with this mask.
    #[must_use]
    pub fn spreadsheet(&self, id: &str, fields: &str) -> Option<Value> {
        let mask = mask::Mask::parse(fields)?;
        let read = |book: &model::Spreadsheet| render::spreadsheet(book, &mask, None, ("", None)).ok();
        self.service.with_book(id, read).flatten()
    }

    /// The seller deletes the spreadsheet.
    pub fn delete_spreadsheet(&self, id: &str) {
        self.service.change_book(id, |book| book.deleted = true);
    }

    /// The seller puts the file into the bin, or takes it out. Every call of Sheets works as before; only
    /// Drive tells.
    pub fn bin(&self, id: &str, binned: bool) {
        self.service.change_book(id, |book| book.trashed = binned);
    }

    /// The seller copies the whole file; returns the copy's id. It is shared with nobody, as at Google unless
    /// that is asked for.
    #[must_use]
    pub fn copy_spreadsheet(&self, id: &str, title: &str) -> Option<String> {
        self.service.copy_book(id, title)
    }

    /// What Google does with this spreadsheet where nobody has measured it.
    pub fn habits(&self, id: &str, habits: Habits) {
        self.service.change_book(id, |book| book.habits = habits);
    }

    /// The seller edits by hand: a list of `batchUpdate` requests, without token and quota.
    ///
    /// # Errors
    /// The API's error body if a request is refused.
    pub fn edit(&self, id: &str, requests: &Value) -> Result<Value, Value> {
        self.service
            .edit(id, requests)
            .map_err(|error| serde_json::from_slice(&error.answer().body).unwrap_or(Value::Null))
    }

    /// Effective values of a sheet, row by row; `None` if spreadsheet or sheet do not exist.
    #[must_use]
    pub fn grid(&self, id: &str, sheet: &str) -> Option<Vec<Vec<Value>>> {
        self.service
            .with_book(id, |book| control::grid(book, Some(sheet)))
            .flatten()
    }

    /// All that is kept of a spreadsheet: cells, notes, formats, metadata, whom it is shared with.
    #[must_use]
    pub fn everything(&self, id: &str) -> Option<Value> {
        self.service.with_book(id, |book| json!(book))
    }

    /// The id of a sheet; `None` if spreadsheet or sheet do not exist.
    #[must_use]
    pub fn sheet_id(&self, id: &str, sheet: &str) -> Option<i64> {
        let find = |book: &model::Spreadsheet| {
            book.sheets
                .iter()
                .find(|known| known.title == sheet)
                .map(|known| known.id)
        };
        self.service.with_book(id, find).flatten()
    }

    /// The notes of a sheet, row by row.
    #[must_use]
    pub fn notes(&self, id: &str, sheet: &str) -> Vec<String> {
        let notes = |book: &model::Spreadsheet| {
            let sheet = book.sheets.iter().find(|known| known.title == sheet)?;
            let cells = sheet.rows.iter().flat_map(|row| row.iter());
            Some(cells.filter_map(|cell| cell.note.clone()).collect())
        };
        self.service.with_book(id, notes).flatten().unwrap_or_default()
    }

    /// Sets the quotas and starts a new minute.
    pub fn quotas(&self, quotas: Quotas) {
        self.service.meter.set(quotas);
    }

    /// All access tokens given out so far end now.
    pub fn revoke_tokens(&self) {
        self.service.auth.revoke_all();
    }
}

impl std::ops::Deref for Google {
    type Target = Listener;

    fn deref(&self) -> &Listener {
        &self.listener
    }
}
