//! The asynchronous stock report (contracts A.6 a): a task that is new, then processing, then done, then
//! purged. It is done after some time, or after some polls so that a clock that stands still holds nobody up,
//! and purged two hours after it was made.

use std::collections::HashMap;

use bytes::Bytes;
use serde_json::json;
use uuid::Uuid;

use super::errors::task as error;
use super::names::{BRANDS, FROM_CLIENT, MASKED_REMAINS, MASKED_REMAINS_BULKY, SUBJECTS, TO_CLIENT, TOTAL};
use super::world::World;
use crate::server::{Answer, Call};
use crate::text::{push_number, push_text};

/// Status of a task; each poll moves an unfinished one on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    New,
    Processing,
    Done,
    Purged,
}

struct Task {
    status: Status,
    polls: u32,
    made_at: i64,
    body: Bytes,
}

/// Milliseconds that a report takes, and that a finished one is kept. How long the vendor takes is not
/// stated; a minute is what sellers report.
const TAKES: i64 = 60_000;
const KEPT: i64 = 2 * 3_600_000;

/// The tasks of one seller.
#[derive(Default)]
pub(crate) struct Tasks {
    tasks: HashMap<Uuid, Task>,
    made: u64,
}

/// What the report is split by.
#[derive(Clone, Copy, Default)]
struct Grouping {
    brand: bool,
    subject: bool,
    vendor_code: bool,
    article: bool,
    barcode: bool,
    size: bool,
}

impl Grouping {
    fn read(call: &Call) -> Result<Self, Answer> {
        let mut grouping = Self::default();
        for (name, value) in &call.query {
            let problem = |what: &str| {
                error(
                    400,
                    "Bad Request",
                    &format!("parameter {name:?} in query has an error: {what}"),
                )
            };
            if value.is_empty() {
                return Err(problem("empty value is not allowed"));
            }
            let target = match name.as_str() {
                "groupByBrand" => &mut grouping.brand,
                "groupBySubject" => &mut grouping.subject,
                "groupBySa" => &mut grouping.vendor_code,
                "groupByNm" => &mut grouping.article,
                "groupByBarcode" => &mut grouping.barcode,
                "groupBySize" => &mut grouping.size,
                _ => continue,
            };
            *target = value
                .parse()
                .map_err(|error: std::str::ParseBoolError| problem(&error.to_string()))?;
        }
        Ok(grouping)
    }
}

/// A row's key; a part that is not asked for is `None`, so its rows fall together.
#[derive(PartialEq, Eq, Hash, Clone)]
struct Key<'a> {
    brand: Option<&'a str>,
    subject: Option<&'a str>,
    vendor_code: Option<&'a str>,
    article: Option<u64>,
    barcode: Option<&'a str>,
    size: Option<&'a str>,
}

/// Counts of one row: per shown warehouse, then the two directions on the way.
struct Sums {
    places: Vec<u64>,
    to_client: u64,
    from_client: u64,
}

impl Tasks {
    /// `GET /api/v1/warehouse_remains`
    pub(crate) fn create(&mut self, world: &World, masked: bool, call: &Call, now: i64) -> Answer {
        let grouping = match Grouping::read(call) {
            Ok(grouping) => grouping,
            Err(answer) => return answer,
        };
        self.made += 1;
        let id = uuid::Builder::from_random_bytes(
            (world.sid.as_u128() ^ (u128::from(self.made) << 40)).to_be_bytes(),
        )
        .into_uuid();
        let body = Bytes::from(report(world, masked, grouping));
        self.tasks.insert(
            id,
            Task {
                status: Status::New,
                polls: 0,
                made_at: now,
                body,
            },
        );
        Answer::json(200, &json!({"data": {"taskId": id}}))
    }

    /// `GET /api/v1/warehouse_remains/tasks/{id}/{status|download}`
    pub(crate) fn task(&mut self, id: &str, download: bool, polls_until_done: u32, now: i64) -> Answer {
        let id = match id.parse::<Uuid>() {
            Ok(id) => id,
            Err(problem) => {
                let detail = format!(
                    "Invalid format for parameter task_id: error unmarshaling '{id}' text as *uuid.UUID: {problem}"
                );
                return error(400, "Bad Request", &detail);
            }
        };
        let Some(task) = self.tasks.get_mut(&id) else {
            return error(404, "Not Found", "not found");
        };
        let age = now - task.made_at;
        if age >= KEPT {
            task.status = Status::Purged;
            task.body = Bytes::new();
        }
        if download {
            return match task.status {
                Status::Done if task.body.is_empty() => Answer::empty(204),
                Status::Done => Answer::raw(200, "application/json", task.body.clone()),
                Status::New | Status::Processing | Status::Purged => error(404, "Not Found", "not found"),
            };
        }
        if matches!(task.status, Status::New | Status::Processing) {
            task.polls += 1;
            task.status = match task.polls {
                polls if polls > polls_until_done || age >= TAKES => Status::Done,
                1 => Status::New,
                _ => Status::Processing,
            };
        }
        let status = match task.status {
            Status::New => "new",
            Status::Processing => "processing",
            Status::Done => "done",
            Status::Purged => "purged",
        };
        Answer::json(200, &json!({"data": {"id": id, "status": status}}))
    }

    /// Wildberries deletes finished reports after two hours.
    pub(crate) fn purge(&mut self) {
        for task in self.tasks.values_mut() {
            task.status = Status::Purged;
            task.body = Bytes::new();
        }
    }
}

/// The names that are shown, and for every warehouse the index of its shown name.
fn shown_names(world: &World, masked: bool) -> (Vec<&str>, Vec<usize>) {
    let mut names: Vec<&str> = Vec::new();
    let mut index = Vec::with_capacity(world.sites.len());
    for site in &world.sites {
        let name = match (masked && site.russian, site.bulky) {
            (false, _) => site.name.as_str(),
            (true, false) => MASKED_REMAINS,
            (true, true) => MASKED_REMAINS_BULKY,
        };
        let at = names.iter().position(|known| *known == name).unwrap_or_else(|| {
            names.push(name);
            names.len() - 1
        });
        index.push(at);
    }
    (names, index)
}

fn report(world: &World, masked: bool, grouping: Grouping) -> Vec<u8> {
    let (names, shown) = shown_names(world, masked);
    let mut rows: Vec<(Key, Sums)> = Vec::new();
    let mut known: HashMap<Key, usize> = HashMap::new();
    for (index, size) in world.sizes.iter().enumerate() {
        let Some(card) = world.card_of(index) else {
            continue;
        };
        let key = Key {
            brand: grouping
                .brand
                .then(|| BRANDS.get(card.brand).copied().unwrap_or_default()),
            subject: grouping
                .subject
                .then(|| SUBJECTS.get(card.subject).map_or("", |subject| subject.1)),
            vendor_code: grouping.vendor_code.then_some(card.vendor_code.as_str()),
            article: grouping.article.then_some(card.nm_id),
            barcode: grouping
                .barcode
                .then(|| size.barcodes.first().map_or("", String::as_str)),
            size: grouping.size.then_some(size.tech_size.as_str()),
        };
        let row = *known.entry(key.clone()).or_insert_with(|| {
            rows.push((
                key,
                Sums {
                    places: vec![0; names.len()],
                    to_client: 0,
                    from_client: 0,
                },
            ));
            rows.len() - 1
        });
        let Some((_, sums)) = rows.get_mut(row) else {
            continue;
        };
        let cells = world.cell(index, 0)..world.cell(index, world.sites.len());
        for (units, &at) in world
            .stock
            .get(cells.clone())
            .unwrap_or_default()
            .iter()
            .zip(&shown)
        {
            if let Some(sum) = sums.places.get_mut(at) {
                *sum += u64::from(*units);
            }
        }
        let total = |counters: &[u32]| -> u64 {
            counters
                .get(cells.clone())
                .unwrap_or_default()
                .iter()
                .map(|&units| u64::from(units))
                .sum()
        };
        sums.to_client += total(&world.to_client);
        sums.from_client += total(&world.from_client);
    }
    let mut out = Vec::new();
    for (key, sums) in &rows {
        push_row(&mut out, key, sums, &names);
    }
    if out.is_empty() {
        return out;
    }
    if let Some(first) = out.first_mut() {
        *first = b'[';
    }
    out.push(b']');
    out
}

/// Appends a row with a leading comma, unless all its counts are zero.
fn push_row(out: &mut Vec<u8>, key: &Key, sums: &Sums, names: &[&str]) {
    let total: u64 = sums.places.iter().sum();
    if total + sums.to_client + sums.from_client == 0 {
        return;
    }
    out.extend_from_slice(b",{");
    let texts = [
        ("brand", key.brand),
        ("subjectName", key.subject),
        ("vendorCode", key.vendor_code),
        ("barcode", key.barcode),
        ("techSize", key.size),
    ];
    for (name, value) in texts {
        if let Some(value) = value {
            push_text(out, name);
            out.push(b':');
            push_text(out, value);
            out.push(b',');
        }
    }
    if let Some(article) = key.article {
        out.extend_from_slice(b"\"nmId\":");
        push_number(out, i64::try_from(article).unwrap_or(i64::MAX));
        out.extend_from_slice(b",\"volume\":1.2,");
    }
    out.extend_from_slice(b"\"warehouses\":[");
    let pseudo = [
        (TO_CLIENT, sums.to_client),
        (FROM_CLIENT, sums.from_client),
        (TOTAL, total),
    ];
    let real = names.iter().copied().zip(sums.places.iter().copied());
    let mut separator: &[u8] = b"";
    for (name, units) in pseudo.into_iter().chain(real).filter(|(_, units)| *units > 0) {
        out.extend_from_slice(separator);
        separator = b",";
        out.extend_from_slice(b"{\"warehouseName\":");
        push_text(out, name);
        out.extend_from_slice(b",\"quantity\":");
        push_number(out, i64::try_from(units).unwrap_or(i64::MAX));
        out.push(b'}');
    }
    out.extend_from_slice(b"]}");
}
