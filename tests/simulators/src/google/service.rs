//! Routes a call of the Sheets, Drive or token API: who calls, may they, is there quota left, then the
//! method.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::{Auth, Caller};
use super::errors::ApiError;
use super::mask::Mask;
use super::model::{Role, Spreadsheet};
use super::quota::{Meter, Quotas};
use super::{batch, drive, metadata, page, render, sheets, values};
use crate::clock::Clock;
use crate::kept;
use crate::server::{Answer, Call, Simulated, SimulatorError, lock};

/// Spreadsheets are kept between two starts, so that a link that was opened once stays good.
const FILE: &str = "google-spreadsheets.json";
/// Scopes that open the Sheets API for reading and for writing.
const READING: &[&str] = &[
    "spreadsheets",
    "spreadsheets.readonly",
    "drive",
    "drive.file",
    "drive.readonly",
];
const WRITING: &[&str] = &["spreadsheets", "drive", "drive.file"];
/// Scopes that make files.
const MAKING: &[&str] = &["drive", "drive.file"];
/// Scopes that open the Drive calls.
const DRIVE: &[&str] = &["drive", "drive.file", "drive.readonly", "drive.metadata.readonly"];

pub(crate) struct Service {
    pub(crate) auth: Auth,
    pub(crate) meter: Meter,
    books: Mutex<BTreeMap<String, Spreadsheet>>,
    clock: Clock,
    base_url: String,
    accounts_may_create: bool,
    data_dir: Option<PathBuf>,
    dirty: AtomicBool,
    saved: Mutex<Instant>,
    made: Mutex<u64>,
    /// Members of shared drives, by the drive's id.
    pub(crate) drives: Mutex<BTreeMap<String, BTreeSet<String>>>,
    /// Accounts whose storage is used up.
    pub(crate) full: Mutex<BTreeSet<String>>,
}

/// What a service is made of.
pub(crate) struct Parts {
    pub(crate) auth: Auth,
    pub(crate) quotas: Quotas,
    pub(crate) clock: Clock,
    pub(crate) base_url: String,
    pub(crate) accounts_may_create: bool,
    pub(crate) data_dir: Option<PathBuf>,
}

type Outcome = Result<Value, ApiError>;

impl Service {
    pub(crate) fn new(parts: Parts) -> Result<Self, SimulatorError> {
        let books = match &parts.data_dir {
            Some(folder) => kept::load(folder, FILE)?.unwrap_or_default(),
            None => BTreeMap::new(),
        };
        Ok(Self {
            auth: parts.auth,
            meter: Meter::new(parts.quotas),
            made: Mutex::new(books.len() as u64),
            books: Mutex::new(books),
            clock: parts.clock,
            base_url: parts.base_url,
            accounts_may_create: parts.accounts_may_create,
            data_dir: parts.data_dir,
            dirty: AtomicBool::new(false),
            saved: Mutex::new(Instant::now()),
            drives: Mutex::default(),
            full: Mutex::default(),
        })
    }

    pub(crate) fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Writes the state down if it changed.
    pub(crate) fn save(&self) {
        let Some(folder) = &self.data_dir else { return };
        if !self.dirty.swap(false, Ordering::SeqCst) {
            return;
        }
        let books = lock(&self.books).clone();
        if let Err(error) = kept::save(folder, FILE, &books) {
            tracing::warn!(%error, "the simulated spreadsheets could not be saved");
        }
    }

    /// A new id of the usual length.
    fn fresh_id(&self) -> String {
        let mut made = lock(&self.made);
        *made += 1;
        let seed = format!("{} {}", *made, self.clock.now().timestamp_micros());
        let digest = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(seed));
        format!("1{}", digest.get(..43).unwrap_or_default())
    }

    /// Adds a spreadsheet and returns its id.
    pub(crate) fn add_book(&self, id: Option<String>, title: &str, shared: &[(String, Role)]) -> String {
        let id = id.unwrap_or_else(|| self.fresh_id());
        let mut book = Spreadsheet::new(&id, title);
        book.permissions
            .insert("seller@example.com".to_owned(), Role::Owner);
        book.permissions.extend(shared.iter().cloned());
        lock(&self.books).insert(id.clone(), book);
        self.dirty.store(true, Ordering::SeqCst);
        id
    }

    /// Copies a whole file, as Drive does.
    pub(crate) fn copy_book(&self, id: &str, title: &str) -> Option<String> {
        let fresh = self.fresh_id();
        let mut books = lock(&self.books);
        let mut copy = books.get(id)?.clone();
        copy.id.clone_from(&fresh);
        title.clone_into(&mut copy.title);
        copy.permissions.retain(|_, role| *role == Role::Owner);
        copy.app_properties.clear();
        copy.trashed = false;
        if !copy.habits.file_copies_carry_metadata {
            copy.metadata.clear();
        }
        books.insert(fresh.clone(), copy);
        self.dirty.store(true, Ordering::SeqCst);
        Some(fresh)
    }

    /// Reads a spreadsheet, also a deleted one.
    pub(crate) fn with_book<T>(&self, id: &str, work: impl FnOnce(&Spreadsheet) -> T) -> Option<T> {
        lock(&self.books).get(id).map(work)
    }

    /// Changes a spreadsheet past all checks.
    pub(crate) fn change_book<T>(&self, id: &str, work: impl FnOnce(&mut Spreadsheet) -> T) -> Option<T> {
        let result = lock(&self.books).get_mut(id).map(work);
        self.dirty.store(true, Ordering::SeqCst);
        result
    }

    /// All spreadsheets that are not deleted: id and title.
    pub(crate) fn list(&self) -> Vec<(String, String)> {
        let books = lock(&self.books);
        books
            .values()
            .filter(|book| !book.deleted)
            .map(|book| (book.id.clone(), book.title.clone()))
            .collect()
    }

    /// A batch of a person, who needs neither token nor quota.
    pub(crate) fn edit(&self, id: &str, requests: &Value) -> Outcome {
        let body = json!({"requests": requests}).to_string();
        let mut books = lock(&self.books);
        let book = books.get_mut(id).ok_or_else(ApiError::not_found)?;
        self.check_storage(book)?;
        let (changed, answer) = batch::update(book, body.as_bytes(), None)?;
        *book = changed;
        self.dirty.store(true, Ordering::SeqCst);
        Ok(answer)
    }

    /// A file counts against its owner's storage, and nobody changes it while that is used up. One in a
    /// shared drive has no owner.
    fn check_storage(&self, book: &Spreadsheet) -> Result<(), ApiError> {
        let full = lock(&self.full);
        let mut owners = book.permissions.iter().filter(|(_, role)| **role == Role::Owner);
        if owners.any(|(email, _)| full.contains(email)) {
            return Err(ApiError::storage());
        }
        Ok(())
    }

    fn seconds(&self) -> i64 {
        self.clock.now().timestamp()
    }

    /// The spreadsheet, if the caller may use it this way.
    fn open<'a>(
        books: &'a mut BTreeMap<String, Spreadsheet>,
        id: &str,
        caller: &Caller,
        write: bool,
    ) -> Result<&'a mut Spreadsheet, ApiError> {
        let book = books
            .get_mut(id)
            .filter(|book| !book.deleted)
            .ok_or_else(ApiError::not_found)?;
        let needed = if write { Role::Writer } else { Role::Reader };
        match book.role(&caller.email) {
            Some(role) if role >= needed => Ok(book),
            _ => Err(ApiError::denied()),
        }
    }

    fn sheets_call(&self, call: &Call, rest: &str) -> Answer {
        match self.sheets_outcome(call, rest) {
            Ok(value) => match call.param("fields").map(Mask::parse) {
                None => Answer::json(200, &value),
                Some(Some(mask)) => Answer::json(200, &mask.filter(value)),
                Some(None) => ApiError::invalid(format!(
                    "Request contains an invalid argument. Invalid field mask {:?}",
                    call.param("fields").unwrap_or_default()
                ))
                .answer(),
            },
            Err(error) => error.answer(),
        }
    }

    fn sheets_outcome(&self, call: &Call, rest: &str) -> Outcome {
        let method = Method::find(call, rest).ok_or_else(ApiError::not_found)?;
        let write = method.writes();
        let caller = self
            .auth
            .caller(call, self.seconds())
            .ok_or_else(ApiError::unauthenticated)?;
        if !caller.may(if write { WRITING } else { READING }) {
            return Err(ApiError::scope());
        }
        self.meter.take(&caller.email, write)?;
        match method {
            Method::Create => self.create(call, &caller),
            Method::Read(id, read) => {
                let mut books = lock(&self.books);
                let book = Self::open(&mut books, id, &caller, false)?;
                self.read(book, &read, call, &caller.email)
            }
            Method::Write(id, write) => {
                let mut books = lock(&self.books);
                let book = Self::open(&mut books, id, &caller, true)?;
                self.check_storage(book)?;
                let (changed, answer) = change(book, &write, call, &caller.email)?;
                *book = changed;
                self.dirty.store(true, Ordering::SeqCst);
                Ok(answer)
            }
        }
    }

    fn read(&self, book: &Spreadsheet, read: &Read, call: &Call, who: &str) -> Outcome {
        let (major, option) = (call.param("majorDimension"), call.param("valueRenderOption"));
        match read {
            Read::Spreadsheet => {
                let with_data = call.param("includeGridData") == Some("true");
                let mask = match call.param("fields").and_then(Mask::parse) {
                    Some(mask) => mask,
                    None if with_data => Mask::everything(),
                    None => Mask::parse(render::WITHOUT_DATA).unwrap_or_else(Mask::everything),
                };
                let areas = render::areas(book, &call.params("ranges"))?;
                render::spreadsheet(book, &mask, areas.as_deref(), (&self.base_url, Some(who)))
            }
            Read::ByFilter => {
                // Without a mask the answer has no cells here, as with `includeGridData: false`.
                let mask = call.param("fields").and_then(Mask::parse);
                let mask = mask.or_else(|| Mask::parse(render::WITHOUT_DATA));
                let areas = metadata::areas_of(book, &call.body)?;
                let seen = (self.base_url.as_str(), Some(who));
                render::spreadsheet(book, &mask.unwrap_or_else(Mask::everything), Some(&areas), seen)
            }
            Read::Values(range) => values::get(book, range, major, option),
            Read::BatchValues => values::batch_get(book, &call.params("ranges"), major, option),
            Read::ValuesByFilter => values::get_by_filter(book, &call.body),
            Read::SearchMetadata => metadata::search(book, &call.body),
            Read::Metadata(id) => {
                let found = book
                    .metadata
                    .iter()
                    .find(|entry| Some(entry.id) == id.parse().ok());
                found.map(metadata::to_json).ok_or_else(ApiError::not_found)
            }
        }
    }

    fn create(&self, call: &Call, caller: &Caller) -> Outcome {
        #[derive(Deserialize, Default)]
        #[serde(default)]
        struct Body {
            properties: Value,
            sheets: Vec<Value>,
        }
        if !self.accounts_may_create {
            return Err(ApiError::storage());
        }
        let body: Body = if call.body.is_empty() {
            Body::default()
        } else {
            call.json()
                .map_err(|error| ApiError::invalid(format!("Invalid JSON payload received. {error}")))?
        };
        let text = |name: &str| {
            body.properties
                .get(name)
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        let id = self.fresh_id();
        let mut book = Spreadsheet::new(&id, &text("title").unwrap_or_else(|| "Новая таблица".to_owned()));
        book.locale = text("locale").unwrap_or(book.locale);
        book.time_zone = text("timeZone").unwrap_or(book.time_zone);
        if !body.sheets.is_empty() {
            book.sheets.clear();
        }
        for sheet in &body.sheets {
            let properties = sheet.get("properties").cloned().unwrap_or_else(|| json!({}));
            let sheet = sheets::make(&mut book, &properties).map_err(batch::Fail::into_error)?;
            book.sheets.push(sheet);
        }
        book.check_size()?;
        book.permissions.insert(caller.email.clone(), Role::Owner);
        let mask = Mask::parse(render::WITHOUT_DATA).unwrap_or_else(Mask::everything);
        let answer = render::spreadsheet(&book, &mask, None, (&self.base_url, Some(&caller.email)))?;
        lock(&self.books).insert(id, book);
        self.dirty.store(true, Ordering::SeqCst);
        Ok(answer)
    }

    /// Files are made and found.
    fn files_call(&self, call: &Call) -> Answer {
        let Some(caller) = self.auth.caller(call, self.seconds()) else {
            return drive::error(401, "authError", "Invalid Credentials");
        };
        let making = call.method == "POST";
        if !caller.may(if making { MAKING } else { DRIVE }) {
            return ApiError::scope().answer();
        }
        if !making {
            return drive::list(lock(&self.books).values(), &caller.email, call, &self.base_url);
        }
        let wanted = match drive::NewFile::read(call) {
            Ok(wanted) => wanted,
            Err(refusal) => return refusal,
        };
        let members = |drive: &String| lock(&self.drives).get(drive).cloned();
        let drive = match &wanted.parent {
            None if !self.accounts_may_create => {
                let text = "The user's Drive storage quota has been exceeded.";
                return drive::error(403, "storageQuotaExceeded", text);
            }
            None => None,
            Some(parent) => match members(parent).filter(|members| members.contains(&caller.email)) {
                Some(members) if call.param("supportsAllDrives") == Some("true") => {
                    Some((parent.clone(), members))
                }
                _ => return drive::not_found(parent),
            },
        };
        let id = self.fresh_id();
        let mut book = Spreadsheet::new(&id, &wanted.name);
        book.app_properties = wanted.app_properties;
        match drive {
            Some((drive, members)) => {
                book.drive = Some(drive);
                book.permissions
                    .extend(members.into_iter().map(|email| (email, Role::Writer)));
            }
            None => {
                book.permissions.insert(caller.email.clone(), Role::Owner);
            }
        }
        let answer = drive::file(&book, Role::Writer, call, &self.base_url);
        lock(&self.books).insert(id, book);
        self.dirty.store(true, Ordering::SeqCst);
        answer
    }

    fn drive_call(&self, call: &Call, rest: &str) -> Answer {
        let Some(caller) = self.auth.caller(call, self.seconds()) else {
            return drive::error(401, "authError", "Invalid Credentials");
        };
        if !caller.may(DRIVE) {
            return ApiError::scope().answer();
        }
        let (id, tail) = rest.split_once('/').unwrap_or((rest, ""));
        let mut books = lock(&self.books);
        let book = books.get_mut(id).filter(|book| !book.deleted);
        let Some((book, role)) = book.and_then(|book| book.role(&caller.email).map(|role| (book, role)))
        else {
            return drive::not_found(id);
        };
        match (call.method.as_str(), tail) {
            ("GET", "") => drive::file(book, role, call, &self.base_url),
            ("GET", "permissions") => drive::permissions(book, role, call),
            ("POST", "permissions") if !caller.may(MAKING) => ApiError::scope().answer(),
            ("POST", "permissions") => {
                self.dirty.store(true, Ordering::SeqCst);
                drive::share(book, role, call)
            }
            _ => drive::error(404, "notFound", "Not Found"),
        }
    }
}

enum Read<'a> {
    Spreadsheet,
    ByFilter,
    Values(&'a str),
    BatchValues,
    ValuesByFilter,
    SearchMetadata,
    Metadata(&'a str),
}

enum Write<'a> {
    Batch,
    Values(&'a str),
    Append(&'a str),
    Clear(&'a str),
    BatchValues,
    BatchClear,
    ValuesByFilter,
}

enum Method<'a> {
    Create,
    Read(&'a str, Read<'a>),
    Write(&'a str, Write<'a>),
}

impl<'a> Method<'a> {
    fn writes(&self) -> bool {
        !matches!(self, Self::Read(..))
    }

    /// `rest` is what follows `/v4/spreadsheets`.
    fn find(call: &Call, rest: &'a str) -> Option<Self> {
        let verb = call.method.as_str();
        if rest.is_empty() {
            return (verb == "POST").then_some(Self::Create);
        }
        let rest = rest.strip_prefix('/')?;
        let Some((id, tail)) = rest.split_once('/') else {
            if let ("POST", Some(id)) = (verb, rest.strip_suffix(":getByDataFilter")) {
                return Some(Self::Read(id, Read::ByFilter));
            }
            return match (verb, rest.strip_suffix(":batchUpdate")) {
                ("POST", Some(id)) => Some(Self::Write(id, Write::Batch)),
                ("GET", None) => Some(Self::Read(rest, Read::Spreadsheet)),
                _ => None,
            };
        };
        Some(match (verb, tail) {
            ("GET", "values:batchGet") => Self::Read(id, Read::BatchValues),
            ("POST", "values:batchGetByDataFilter") => Self::Read(id, Read::ValuesByFilter),
            ("POST", "developerMetadata:search") => Self::Read(id, Read::SearchMetadata),
            ("POST", "values:batchUpdate") => Self::Write(id, Write::BatchValues),
            ("POST", "values:batchUpdateByDataFilter") => Self::Write(id, Write::ValuesByFilter),
            ("POST", "values:batchClear") => Self::Write(id, Write::BatchClear),
            ("GET", _) if tail.starts_with("developerMetadata/") => {
                Self::Read(id, Read::Metadata(tail.strip_prefix("developerMetadata/")?))
            }
            ("GET", _) => Self::Read(id, Read::Values(tail.strip_prefix("values/")?)),
            ("PUT", _) => Self::Write(id, Write::Values(tail.strip_prefix("values/")?)),
            ("POST", _) => {
                let range = tail.strip_prefix("values/")?;
                match (range.strip_suffix(":append"), range.strip_suffix(":clear")) {
                    (Some(range), _) => Self::Write(id, Write::Append(range)),
                    (None, Some(range)) => Self::Write(id, Write::Clear(range)),
                    (None, None) => return None,
                }
            }
            _ => return None,
        })
    }
}

/// Works on a copy, so that an error leaves everything as it was.
fn change(
    book: &Spreadsheet,
    write: &Write,
    call: &Call,
    who: &str,
) -> Result<(Spreadsheet, Value), ApiError> {
    if matches!(write, Write::Batch) {
        return batch::update(book, &call.body, Some(who));
    }
    let mut copy = book.clone();
    copy.version += 1;
    let option = call.param("valueInputOption");
    let answer = match write {
        Write::Batch => json!({}),
        Write::Values(range) => values::update(&mut copy, range, option, &call.body)?,
        Write::Append(range) => values::append(&mut copy, range, option, &call.body)?,
        Write::Clear(range) => {
            let cleared = values::clear(&mut copy, &[(*range).to_owned()])?;
            json!({"spreadsheetId": copy.id, "clearedRange": cleared.first()})
        }
        Write::BatchClear => {
            let ranges = values::clear_body(&call.body)?;
            let cleared = values::clear(&mut copy, &ranges)?;
            json!({"spreadsheetId": copy.id, "clearedRanges": cleared})
        }
        Write::BatchValues => values::batch_update(&mut copy, &call.body)?,
        Write::ValuesByFilter => values::update_by_filter(&mut copy, &call.body)?,
    };
    Ok((copy, answer))
}

impl Simulated for Service {
    fn respond(&self, call: &Call) -> Answer {
        let path = call.path.as_str();
        if let Some(rest) = path.strip_prefix("/v4/spreadsheets") {
            return self.sheets_call(call, rest);
        }
        if path == "/drive/v3/files" {
            return self.files_call(call);
        }
        if let Some(rest) = path.strip_prefix("/drive/v3/files/") {
            return self.drive_call(call, rest);
        }
        match (call.method.as_str(), path) {
            ("POST", "/token") => self.auth.token(call, self.seconds()),
            ("GET", "/") => page::index(&self.list()),
            ("GET", _) => {
                let id = path
                    .strip_prefix("/spreadsheets/d/")
                    .map(|rest| rest.split('/').next().unwrap_or(rest));
                let book = id.and_then(|id| lock(&self.books).get(id).filter(|book| !book.deleted).cloned());
                match book {
                    Some(book) => page::spreadsheet(&book, call),
                    None => page::missing(),
                }
            }
            _ => ApiError::not_found().answer(),
        }
    }

    fn control(&self, call: &Call) -> Answer {
        super::control::answer(self, call)
    }

    fn principal(&self, call: &Call) -> Option<String> {
        self.auth.caller(call, self.seconds()).map(|caller| caller.email)
    }

    fn rate_limited(&self, call: &Call, _retry_seconds: u64) -> Answer {
        let rest = call.path.strip_prefix("/v4/spreadsheets").unwrap_or_default();
        let write = Method::find(call, rest).is_none_or(|method| method.writes());
        ApiError::quota(if write { "Write" } else { "Read" }, true, 60).answer()
    }

    fn tick(&self) {
        let mut saved = lock(&self.saved);
        if saved.elapsed().as_millis() >= 1000 {
            *saved = Instant::now();
            drop(saved);
            self.save();
        }
    }
}
