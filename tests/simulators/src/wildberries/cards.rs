//! The cards list with its cursor (contracts A.4) and the prices list (A.5): the catalogue side of a cabinet.

use serde::Deserialize;
use serde_json::{Value, json};

use super::errors::bad_request;
use super::limits::Host;
use super::names::{BRANDS, COLOURS, SUBJECTS};
use super::world::{Card, DISCOUNT_PERCENT, World, discounted_minor};
use crate::server::{Answer, Call};
use crate::text::{parse_moscow, utc_text};

#[derive(Deserialize, Default)]
#[serde(default)]
struct Request {
    settings: Settings,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Settings {
    sort: Sort,
    filter: Filter,
    cursor: Cursor,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Sort {
    ascending: bool,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Filter {
    with_photo: i64,
    text_search: String,
    #[serde(rename = "objectIDs")]
    objects: Vec<u64>,
    brands: Vec<String>,
    #[serde(rename = "imtID")]
    imt_id: Option<u64>,
}

#[derive(Deserialize)]
#[serde(default)]
struct Cursor {
    limit: i64,
    #[serde(rename = "updatedAt")]
    updated_at: Option<String>,
    #[serde(rename = "nmID")]
    nm_id: Option<u64>,
}

impl Default for Cursor {
    fn default() -> Self {
        Self {
            limit: 10,
            updated_at: None,
            nm_id: None,
        }
    }
}

impl Filter {
    fn accepts(&self, world: &World, card: &Card) -> bool {
        // 0 has meant "any" like -1 since 16.06.2026; 2 is the new "without".
        let photo = match self.with_photo {
            1 => card.photo,
            2 => !card.photo,
            _ => true,
        };
        let subject = SUBJECTS.get(card.subject).map_or(0, |subject| subject.0);
        let brand = BRANDS.get(card.brand).copied().unwrap_or_default();
        photo
            && (self.objects.is_empty() || self.objects.contains(&subject))
            && (self.brands.is_empty() || self.brands.iter().any(|wanted| wanted == brand))
            && self.imt_id.is_none_or(|wanted| wanted == card.imt_id)
            && (self.text_search.is_empty() || self.finds(world, card))
    }

    fn finds(&self, world: &World, card: &Card) -> bool {
        card.vendor_code.contains(&self.text_search)
            || card.nm_id.to_string() == self.text_search
            || world
                .sizes_of(card)
                .iter()
                .any(|size| size.barcodes.contains(&self.text_search))
    }
}

/// `POST /content/v2/get/cards/list`
pub(crate) fn list(world: &World, call: &Call) -> Answer {
    let Ok(request) = call.json::<Request>() else {
        return Answer::raw(
            400,
            "text/plain; charset=utf-8",
            "Request body can not be decoded",
        );
    };
    let Settings { sort, filter, cursor } = request.settings;
    let Some(limit) = usize::try_from(cursor.limit)
        .ok()
        .filter(|limit| (1..=100).contains(limit))
    else {
        return bad_request(Host::Content, "cursor.limit must be between 1 and 100");
    };
    let border = match &cursor.updated_at {
        None => None,
        Some(text) => match parse_moscow(text) {
            None => return bad_request(Host::Content, "cursor.updatedAt is not a date"),
            // Without an article the cursor still stands behind everything of that moment.
            Some(at) => Some((
                at,
                cursor.nm_id.unwrap_or(if sort.ascending { 0 } else { u64::MAX }),
            )),
        },
    };
    let wanted = |entry: &&(i64, u64, usize)| {
        world
            .cards
            .get(entry.2)
            .is_some_and(|card| filter.accepts(world, card))
    };
    let page: Vec<&(i64, u64, usize)> = match (sort.ascending, border) {
        (true, None) => world.by_update.iter().filter(wanted).take(limit).collect(),
        (false, None) => world.by_update.iter().rev().filter(wanted).take(limit).collect(),
        (true, Some((at, nm))) => world
            .by_update
            .range((at, nm.saturating_add(1), 0)..)
            .filter(wanted)
            .take(limit)
            .collect(),
        (false, Some((at, nm))) => world
            .by_update
            .range(..(at, nm, 0))
            .rev()
            .filter(wanted)
            .take(limit)
            .collect(),
    };
    let cards: Vec<Value> = page
        .iter()
        .filter_map(|entry| world.cards.get(entry.2))
        .map(|card| render(world, card))
        .collect();
    let cursor = match page.last() {
        Some((at, nm, _)) => json!({"updatedAt": utc_text(*at), "nmID": nm, "total": cards.len()}),
        None => json!({"nmID": 0, "total": 0}),
    };
    Answer::json(200, &json!({"cards": cards, "cursor": cursor}))
}

fn render(world: &World, card: &Card) -> Value {
    let (subject_id, subject, _) = SUBJECTS.get(card.subject).copied().unwrap_or_default();
    let colour = COLOURS
        .iter()
        .find(|colour| card.vendor_code.ends_with(**colour))
        .copied()
        .unwrap_or("");
    let sizes: Vec<Value> = world
        .sizes_of(card)
        .iter()
        .map(|size| {
            let mut value =
                json!({"chrtID": size.chrt_id, "techSize": size.tech_size, "skus": size.barcodes});
            if size.tech_size != "0" {
                value["wbSize"] = json!(size.tech_size);
            }
            value
        })
        .collect();
    let mut value = json!({
        "nmID": card.nm_id, "imtID": card.imt_id,
        "nmUUID": uuid::Uuid::from_u128(u128::from(card.nm_id) << 64 | 0x8000_0000_0000_0001),
        "subjectID": subject_id, "subjectName": subject, "vendorCode": card.vendor_code,
        "brand": BRANDS.get(card.brand), "title": card.title, "description": "Описание товара",
        "needKiz": false, "kizMarked": false, "wholesale": {"enabled": false, "quantum": 0},
        "dimensions": {"length": 30, "width": 20, "height": 5, "weightBrutto": 0.4, "isValid": true},
        "characteristics": [
            {"id": 14_177_449, "name": "Цвет", "value": [colour]},
            {"id": 90_630, "name": "Вес", "value": 400},
        ],
        "sizes": sizes, "createdAt": utc_text(card.created), "updatedAt": utc_text(card.updated),
    });
    if card.photo {
        let base = format!(
            "https://basket-10.wbbasket.ru/vol{}/{}/images",
            card.nm_id / 100_000,
            card.nm_id
        );
        value["photos"] = json!([{
            "big": format!("{base}/big/1.webp"), "c246x328": format!("{base}/c246x328/1.webp"),
            "c516x688": format!("{base}/c516x688/1.webp"), "square": format!("{base}/square/1.webp"),
            "tm": format!("{base}/tm/1.webp"),
        }]);
    }
    value
}

/// The first size costs what the card says. Of the others some cost less and some have no price yet, as where
/// sizes are priced one by one.
fn price_of(card: &Card, size: &super::world::Size, at: usize) -> Value {
    let less = i64::try_from(at).unwrap_or(0) * 7;
    let price = (card.price - less).max(1);
    let discounted = discounted_minor(price) as f64 / 100.0;
    let mut value = json!({
        "sizeID": size.chrt_id, "price": price, "discountedPrice": discounted,
        "clubDiscountedPrice": discounted * 0.95, "techSizeName": size.tech_size,
    });
    if at > 0 && card.nm_id.is_multiple_of(5) {
        value["price"] = Value::Null;
        value["discountedPrice"] = Value::Null;
    }
    value
}

#[derive(Deserialize)]
struct PriceFilter {
    #[serde(rename = "nmList")]
    nm_list: Vec<u64>,
}

/// `GET|POST /api/v2/list/goods/filter`
pub(crate) fn prices(world: &World, call: &Call) -> Answer {
    let invalid = || bad_request(Host::Prices, "Invalid request parameters");
    let listed = world.cards.iter().filter(|card| card.listed);
    let cards: Vec<&Card> = if call.method == "POST" {
        match call.json::<PriceFilter>() {
            Ok(filter) if (1..=1000).contains(&filter.nm_list.len()) => listed
                .filter(|card| filter.nm_list.contains(&card.nm_id))
                .collect(),
            _ => return invalid(),
        }
    } else {
        let number =
            |name: &str, default: usize| call.param(name).map_or(Some(default), |text| text.parse().ok());
        let (Some(limit), Some(offset)) = (number("limit", 10), number("offset", 0)) else {
            return invalid();
        };
        if !(1..=1000).contains(&limit) {
            return invalid();
        }
        match call.param("filterNmID").map(str::parse::<u64>) {
            Some(Err(_)) => return invalid(),
            Some(Ok(nm)) => listed
                .filter(|card| card.nm_id == nm)
                .skip(offset)
                .take(limit)
                .collect(),
            None => listed.skip(offset).take(limit).collect(),
        }
    };
    let goods: Vec<Value> = cards
        .iter()
        .map(|card| {
            let sizes: Vec<Value> = world
                .sizes_of(card)
                .iter()
                .enumerate()
                .map(|(at, size)| price_of(card, size, at))
                .collect();
            json!({
                "nmID": card.nm_id, "vendorCode": card.vendor_code, "sizes": sizes,
                "currencyIsoCode4217": "RUB", "discount": DISCOUNT_PERCENT, "clubDiscount": 5,
                "editableSizePrice": false, "wholesaleDiscountThreshold": [],
            })
        })
        .collect();
    Answer::json(
        200,
        &json!({"data": {"listGoods": goods}, "error": false, "errorText": ""}),
    )
}
