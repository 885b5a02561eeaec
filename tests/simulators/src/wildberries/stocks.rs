//! The synchronous stock reports (contracts A.6 b), from rows that are rendered once and kept until they
//! change.

use std::collections::HashSet;
use std::sync::Arc;

use serde::Deserialize;

use super::errors::bad_request;
use super::limits::Host;
use super::names::{MASKED_ID, MASKED_SYNC};
use super::world::{Rendered, World};
use crate::server::{Answer, Call};
use crate::text::{push_number, push_text};

const MAX_ROWS: usize = 250_000;

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Request {
    nm_ids: Vec<u64>,
    chrt_ids: Vec<u64>,
    limit: Option<usize>,
    offset: usize,
}

impl Request {
    fn read(call: &Call) -> Result<Self, Answer> {
        let request: Self = if call.body.is_empty() {
            Self::default()
        } else {
            call.json()
                .map_err(|error| bad_request(Host::Analytics, &error.to_string()))?
        };
        let problem = if request.nm_ids.len() > 1000 {
            "nmIds: at most 1000"
        } else if request.limit.is_some_and(|limit| limit == 0 || limit > MAX_ROWS) {
            "limit: between 1 and 250000"
        } else if request.nm_ids.is_empty() && !request.chrt_ids.is_empty() {
            "chrtIds: only together with nmIds"
        } else {
            return Ok(request);
        };
        Err(bad_request(Host::Analytics, problem))
    }

    /// Sizes that the filters leave, in order.
    fn sizes(&self, world: &World) -> Vec<usize> {
        let articles: HashSet<u64> = self.nm_ids.iter().copied().collect();
        let sizes: HashSet<u64> = self.chrt_ids.iter().copied().collect();
        (0..world.sizes.len())
            .filter(|&index| {
                articles.is_empty()
                    || world
                        .card_of(index)
                        .is_some_and(|card| articles.contains(&card.nm_id))
            })
            .filter(|&index| {
                sizes.is_empty()
                    || world
                        .sizes
                        .get(index)
                        .is_some_and(|size| sizes.contains(&size.chrt_id))
            })
            .collect()
    }
}

/// `POST /api/analytics/v1/stocks-report/wb-warehouses`
///
/// `restless`: whether the report is refreshed before every page, and tells its rows in another order then.
/// The vendor promises neither one order of rows nor one state over pages.
pub(crate) fn wb_warehouses(world: &mut World, masked: bool, restless: bool, call: &Call) -> Answer {
    let request = match Request::read(call) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    let mut page = Page::new(request.offset, request.limit.unwrap_or(MAX_ROWS));
    let is_whole = request.nm_ids.is_empty();
    // The vendor refreshes the report every half hour, so pages that follow each other agree.
    if is_whole && request.offset > 0 && !world.report.is_empty() && !restless {
        world.report.iter().for_each(|rendered| page.add(rendered));
        return page.finish();
    }
    let mut sizes = request.sizes(world);
    if restless && request.offset > 0 {
        sizes.reverse();
    }
    let report: Vec<Rendered> = sizes
        .into_iter()
        .map(|size| render(world, size, masked))
        .collect();
    report.iter().for_each(|rendered| page.add(rendered));
    if is_whole {
        world.report = report;
    }
    page.finish_or_nothing(request.offset)
}

/// `POST /api/analytics/v1/stocks-report/seller-warehouses`
pub(crate) fn seller_warehouses(world: &World, call: &Call) -> Answer {
    let request = match Request::read(call) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    let mut page = Page::new(request.offset, request.limit.unwrap_or(MAX_ROWS));
    for index in request.sizes(world) {
        let (Some(size), Some(card)) = (world.sizes.get(index), world.card_of(index)) else {
            continue;
        };
        let mut out = Vec::new();
        let mut rows = 0;
        for (site, place) in world.fbs.iter().enumerate() {
            let amount = world
                .fbs_stock
                .get(index * world.fbs.len() + site)
                .copied()
                .flatten();
            if let Some(amount) = amount.filter(|&amount| amount > 0) {
                let row = Row {
                    nm_id: card.nm_id,
                    chrt_id: size.chrt_id,
                    id: place.id,
                    name: &place.name,
                    region: &place.region,
                    units: amount,
                    moving: None,
                };
                row.push(&mut out);
                rows += 1;
            }
        }
        page.add(&Rendered {
            masked: false,
            rows,
            bytes: Arc::from(out),
        });
    }
    page.finish_or_nothing(request.offset)
}

struct Row<'a> {
    nm_id: u64,
    chrt_id: u64,
    id: i64,
    name: &'a str,
    region: &'a str,
    units: u32,
    moving: Option<(u32, u32)>,
}

impl Row<'_> {
    /// Appends the row and a line break; no row holds a line break itself, so pages can be cut there.
    fn push(&self, out: &mut Vec<u8>) {
        let unsigned = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        out.extend_from_slice(b"{\"nmId\":");
        push_number(out, unsigned(self.nm_id));
        out.extend_from_slice(b",\"chrtId\":");
        push_number(out, unsigned(self.chrt_id));
        out.extend_from_slice(b",\"warehouseId\":");
        push_number(out, self.id);
        out.extend_from_slice(b",\"warehouseName\":");
        push_text(out, self.name);
        out.extend_from_slice(b",\"regionName\":");
        push_text(out, self.region);
        out.extend_from_slice(b",\"quantity\":");
        push_number(out, i64::from(self.units));
        if let Some((to, from)) = self.moving {
            out.extend_from_slice(b",\"inWayToClient\":");
            push_number(out, i64::from(to));
            out.extend_from_slice(b",\"inWayFromClient\":");
            push_number(out, i64::from(from));
        }
        out.extend_from_slice(b"},\n");
    }
}

/// The rows of one size, from the cache unless something changed.
fn render(world: &mut World, size: usize, masked: bool) -> Rendered {
    if let Some(Some(rendered)) = world.rows.get(size)
        && rendered.masked == masked
    {
        return rendered.clone();
    }
    let rendered = fresh(world, size, masked);
    if let Some(slot) = world.rows.get_mut(size) {
        *slot = Some(rendered.clone());
    }
    rendered
}

fn fresh(world: &World, index: usize, masked: bool) -> Rendered {
    let mut out = Vec::with_capacity(world.sites.len() * 170);
    let mut rows = 0;
    let mut hidden = [0_u32; 3];
    let (Some(size), Some(card)) = (world.sizes.get(index), world.card_of(index)) else {
        return Rendered {
            masked,
            rows,
            bytes: Arc::from(out),
        };
    };
    let row = |id, name, region, [units, to, from]: [u32; 3]| Row {
        nm_id: card.nm_id,
        chrt_id: size.chrt_id,
        id,
        name,
        region,
        units,
        moving: Some((to, from)),
    };
    for (at, site) in world.sites.iter().enumerate() {
        let cell = world.cell(index, at);
        let read = |counters: &[u32]| counters.get(cell).copied().unwrap_or(0);
        let counts = [
            read(&world.stock),
            read(&world.to_client),
            read(&world.from_client),
        ];
        if counts == [0; 3] {
            continue;
        }
        if masked && site.russian {
            for (sum, count) in hidden.iter_mut().zip(counts) {
                *sum += count;
            }
            continue;
        }
        row(site.id, site.name.as_str(), site.region.as_str(), counts).push(&mut out);
        rows += 1;
    }
    if hidden != [0; 3] {
        row(MASKED_ID, MASKED_SYNC, MASKED_SYNC, hidden).push(&mut out);
        rows += 1;
    }
    Rendered {
        masked,
        rows,
        bytes: Arc::from(out),
    }
}

/// Collects rows from `offset` up to `limit`.
struct Page {
    skip: usize,
    left: usize,
    out: Vec<u8>,
}

const HEAD: &[u8] = b"{\"data\":{\"items\":[";

impl Page {
    fn new(offset: usize, limit: usize) -> Self {
        Self {
            skip: offset,
            left: limit,
            out: HEAD.to_vec(),
        }
    }

    fn add(&mut self, rendered: &Rendered) {
        if self.left == 0 {
            return;
        }
        if rendered.rows <= self.skip {
            self.skip -= rendered.rows;
        } else if self.skip == 0 && rendered.rows <= self.left {
            self.left -= rendered.rows;
            self.out.extend_from_slice(&rendered.bytes);
        } else {
            for line in rendered.bytes.split_inclusive(|&byte| byte == b'\n') {
                if self.skip > 0 {
                    self.skip -= 1;
                } else if self.left > 0 {
                    self.left -= 1;
                    self.out.extend_from_slice(line);
                }
            }
        }
    }

    /// An account without stock has no content at all (contracts A.6 b).
    fn finish_or_nothing(self, offset: usize) -> Answer {
        if offset == 0 && self.out.len() == HEAD.len() {
            return Answer::empty(204);
        }
        self.finish()
    }

    fn finish(mut self) -> Answer {
        if self.out.len() > HEAD.len() {
            self.out.truncate(self.out.len() - 2);
        }
        self.out.extend_from_slice(b"]}}");
        Answer::raw(200, "application/json", self.out)
    }
}
