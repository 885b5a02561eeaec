//! The catalogue: every card that is not in the trash.

use std::collections::HashSet;

use super::client::Wildberries;
use super::limits::{Category, Group};
use super::time;
use super::token::Scope;
use super::wire::CardsSort;
use super::wire::{
    CardRow, CardsCursor, CardsCursorOut, CardsFilter, CardsPage, CardsRequest, CardsSettings,
};
use crate::error::{CallError, CallFailure};
use crate::json::{self, RawRows};
use crate::marketplace::{Card, CardSize, Fetched, Tally};
use crate::payload::GOODS;

const LIST: &str = "POST /content/v2/get/cards/list";
const PLACE: &str = "cards[]";

impl Wildberries {
    /// All cards, oldest change first, page by page.
    ///
    /// Page: <https://dev.wildberries.ru/docs/openapi/work-with-products>, `POST /content/v2/get/cards/list`;
    /// 100 requests a minute for all of Content, 100 cards a page, so 10,000 cards take about a minute.
    ///
    /// The end is an empty page: a short one may have been cut. An empty page that follows no page or a full
    /// one is asked for a second time, because one such answer alone would take cards away.
    ///
    /// # Errors
    /// The first page that failed; `Inconsistent` when the vendor's cursor comes back to where it was, which
    /// would page for ever.
    pub(super) async fn fetch_cards(
        &self,
        on_page: &mut (dyn FnMut(Vec<Card>) + Send),
    ) -> Result<Fetched<()>, CallError> {
        self.require(Scope::Content, LIST)?;
        let mut tally = self.tally("wb.cards", GOODS);
        let mut cursor: Option<CardsCursor> = None;
        let (mut seen, mut told) = (HashSet::new(), Fields::default());
        let mut last_page = LastPage::default();
        let mut complete = true;
        loop {
            let call = self
                .report_call(LIST, Category::Content, "/content/v2/get/cards/list?locale=ru")?
                .deadline(self.options.deadline)
                .json(&request(self.options.card_page, cursor.as_ref()))?;
            let reply = self.fetch(Group::Content, &call).await?;
            let page: CardsPage =
                json::decode(&reply.body).map_err(|failure| CallError::new(LIST, failure))?;
            let rows = page.cards.as_ref().map_or(0, RawRows::len);
            tally.page(&reply.body, rows, reply.date());
            let Some(list) = page.cards else {
                tally.trouble("no list of cards");
                complete = false;
                break;
            };
            let (cards, proven) =
                read_page(&list, &mut told, &mut tally).map_err(|failure| CallError::new(LIST, failure))?;
            let drift = tally.left_out.is_drift();
            drift.map_err(|failure| CallError::new(LIST, failure))?;
            complete &= proven;
            on_page(cards);
            let next: CardsCursor = json::decode_in("cursor", page.cursor.get().as_bytes())
                .map_err(|failure| CallError::new(LIST, failure))?;
            if (rows as u64) < next.total {
                tally.trouble("a page holds fewer cards than it says");
                complete = false;
            }
            if rows == 0 {
                if last_page.is_end(next.total) {
                    break;
                }
                // The cursor stays: the same question once more.
                continue;
            }
            last_page = LastPage::of(rows, self.options.card_page);
            let position = (next.updated_at.clone(), next.nm_id);
            if !seen.insert(position) {
                let what = "the cursor of the card list does not move on".to_owned();
                return Err(CallError::new(LIST, CallFailure::Inconsistent { what }));
            }
            cursor = Some(next);
        }
        Ok(Fetched {
            items: (),
            outcome: tally.finish("wb.cards"),
            complete,
        })
    }
}

/// Fewest cards that say of a field in none of them that it was renamed or taken away. Single cards may lack
/// any of them: the vendor names no required ones.
const ENOUGH: usize = 10;

/// Which fields any card had so far.
#[derive(Default)]
struct Fields([(&'static str, bool); 5]);

impl Fields {
    fn see(&mut self, row: &CardRow) {
        let there = [
            ("vendorCode", row.vendor_code.is_there()),
            ("brand", row.brand.is_there()),
            ("subjectName", row.subject_name.is_there()),
            ("title", row.title.is_there()),
            ("sizes", row.sizes.is_there()),
        ];
        for (known, (field, there)) in self.0.iter_mut().zip(there) {
            *known = (field, known.1 || there);
        }
    }

    fn missing(&self) -> Option<&'static str> {
        let missing = self.0.iter().find(|(field, there)| !there && !field.is_empty());
        missing.map(|(field, _)| *field)
    }
}

/// What an empty page means after this one.
#[derive(Default)]
enum LastPage {
    /// None came yet: an empty account, or one empty answer.
    #[default]
    None,
    /// It was full: the end fell on its border, or one empty answer.
    Full,
    /// It was short: an empty page is the end.
    Short,
    /// An empty page came already, and comes again.
    Empty,
}

impl LastPage {
    fn of(rows: usize, limit: u32) -> Self {
        if rows < usize::try_from(limit).unwrap_or(usize::MAX) {
            Self::Short
        } else {
            Self::Full
        }
    }

    /// Whether an empty page ends the list. One that is asked for again has to be empty again.
    fn is_end(&mut self, total: u64) -> bool {
        let is_end = matches!(self, Self::Short | Self::Empty) && total == 0 || matches!(self, Self::Empty);
        *self = Self::Empty;
        is_end
    }
}

/// The cards of a page, and whether all that are not in it are known to be absent.
fn read_page(list: &RawRows, told: &mut Fields, tally: &mut Tally) -> Result<(Vec<Card>, bool), CallFailure> {
    let (mut cards, mut proven) = (Vec::with_capacity(list.len()), true);
    for (index, bytes) in list.iter().enumerate() {
        let result = json::decode_in::<CardRow>(PLACE, bytes);
        match tally.left_out.take(PLACE, &[index], result) {
            Some(row) => {
                told.see(&row);
                cards.push(card(row));
            }
            None => match json::whole_number(bytes, "nmID") {
                Some(nm_id) => tally.unread(nm_id),
                None => proven = false,
            },
        }
    }
    match told.missing() {
        Some(field) if cards.len() >= ENOUGH => Err(json::malformed(format!(
            "field `{PLACE}.{field}` is missing in every row"
        ))),
        _ => Ok((cards, proven)),
    }
}

fn request(limit: u32, cursor: Option<&CardsCursor>) -> CardsRequest<'_> {
    CardsRequest {
        settings: CardsSettings {
            sort: CardsSort { ascending: true },
            filter: CardsFilter { with_photo: -1 },
            cursor: CardsCursorOut {
                limit,
                updated_at: cursor.and_then(|cursor| cursor.updated_at.as_deref()),
                nm_id: cursor.map(|cursor| cursor.nm_id),
            },
        },
    }
}

fn card(row: CardRow) -> Card {
    let sizes: Vec<CardSize> = row
        .sizes
        .or_default()
        .into_iter()
        .map(|size| CardSize {
            chrt_id: size.chrt_id,
            tech_size: size.tech_size,
            skus: size.skus,
        })
        .collect();
    Card {
        nm_id: row.nm_id,
        vendor_code: row.vendor_code.or_default(),
        brand: row.brand.or_default(),
        subject: row.subject_name.or_default(),
        title: row.title.or_default(),
        barcodes: sizes.iter().flat_map(|size| size.skus.iter().cloned()).collect(),
        sizes,
        updated_at: row.updated_at.as_deref().and_then(time::parse),
        unreported: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{ProptestConfig, any, prop, proptest};

    use super::{CardsCursor, Fields, read_page, request};
    use crate::error::CallFailure;
    use crate::json;
    use crate::marketplace::{Card, Tally};
    use crate::wildberries::wire::CardsPage;

    fn read(body: &str) -> Result<(Vec<Card>, bool, Tally), CallFailure> {
        let page: CardsPage = json::decode(body.as_bytes())?;
        let mut tally = Tally::default();
        let (cards, proven) = read_page(&page.cards.unwrap(), &mut Fields::default(), &mut tally)?;
        Ok((cards, proven, tally))
    }

    fn one(body: &str) -> Card {
        read(body).unwrap().0.into_iter().next().unwrap()
    }

    const PAGE: &str = r#"{"cards":[{"nmID":100000001,"imtID":90000001,"nmUUID":"01bda0b1-5c0b-736c-b2be-d0a6543e9be0",
        "subjectID":105,"subjectName":"Платья","vendorCode":"PL-001/красный","kizMarked":false,"brand":"Пример",
        "title":"Платье","description":"…","needKiz":false,"photos":[{"big":"https://x/1.webp"}],
        "wholesale":{"enabled":false,"quantum":0},"dimensions":{"length":30,"weightBrutto":0.4,"isValid":true},
        "characteristics":[{"id":14177449,"name":"Цвет","value":["красный"]},{"id":90630,"name":"Вес","value":400}],
        "sizes":[{"chrtID":316399238,"techSize":"42","wbSize":"42","skus":["2040000000017","2040000000024"]}],
        "tags":[],"createdAt":"2025-01-10T11:17:00.96577Z","updatedAt":"2026-09-30T08:00:00.1Z"}],
        "cursor":{"updatedAt":"2026-09-30T08:00:00.1Z","nmID":100000001,"total":1}}"#;

    #[test]
    fn the_documented_page_becomes_cards() {
        let card = one(PAGE);
        assert_eq!(card.nm_id, 100_000_001);
        assert_eq!(
            (card.vendor_code.as_str(), card.brand.as_str()),
            ("PL-001/красный", "Пример")
        );
        assert_eq!((card.subject.as_str(), card.title.as_str()), ("Платья", "Платье"));
        assert_eq!(card.barcodes, ["2040000000017", "2040000000024"]);
        assert_eq!(card.sizes[0].chrt_id, 316_399_238);
        assert_eq!(
            card.updated_at.unwrap().to_rfc3339(),
            "2026-09-30T08:00:00.100+00:00"
        );
    }

    #[test]
    fn an_empty_account_and_null_fields_are_tolerated() {
        let page: CardsPage = json::decode(br#"{"cards":[],"cursor":{"nmID":0,"total":0}}"#).unwrap();
        let cursor: CardsCursor = json::decode(page.cursor.get().as_bytes()).unwrap();
        assert_eq!(cursor.updated_at, None);
        let card = one(
            r#"{"cards":[{"nmID":1,"vendorCode":null,"brand":null,"sizes":null,"updatedAt":null}],
                "cursor":{"total":1}}"#,
        );
        assert_eq!(
            (card.brand.as_str(), card.updated_at, card.sizes.len()),
            ("", None, 0)
        );
    }

    #[test]
    fn a_card_that_cannot_be_read_is_left_out_and_known_to_be_there() {
        for (bad, article) in [
            (r#"{"nmID":7,"title":5}"#, true),
            (r#"{"nmID":"7"}"#, true),
            (r#"{"nmID":7,"sizes":[{"techSize":"42"}]}"#, true),
            (r#"{"brand":"x"}"#, false),
            ("null", false),
        ] {
            let body = PAGE.replace("{\"cards\":[", &format!("{{\"cards\":[{bad},"));
            let (cards, proven, tally) = read(&body).unwrap();
            assert_eq!((cards.len(), cards[0].nm_id), (1, 100_000_001), "{bad}");
            let outcome = tally.finish("wb.cards");
            assert_eq!(outcome.left_out, 1, "{bad}");
            assert!(outcome.trouble.unwrap().contains("first at /cards/0"), "{bad}");
            let unread: &[i64] = if article { &[7] } else { &[] };
            assert_eq!((outcome.unread.as_slice(), proven), (unread, article), "{bad}");
        }
    }

    #[test]
    fn a_field_that_no_card_has_any_more_is_named_and_does_not_empty_the_catalogue() {
        let start = PAGE.find("[{").unwrap() + 1;
        let end = PAGE.find("],\n        \"cursor\"").unwrap();
        let cards = [&PAGE[start..end]; 10].join(",");
        let many = format!("{}{cards}{}", &PAGE[..start], &PAGE[end..]);
        assert_eq!(read(&many).unwrap().0.len(), 10);
        for (field, renamed) in [
            ("vendorCode", "vendor_code"),
            ("brand", "brandName"),
            ("subjectName", "subject"),
            ("title", "name"),
            ("sizes", "variants"),
        ] {
            let (from, to) = (format!("\"{field}\":"), format!("\"{renamed}\":"));
            assert_eq!(
                read(&many.replace(&from, &to)).err().unwrap().to_string(),
                format!("unexpected answer: field `cards[].{field}` is missing in every row")
            );
            // One card may lack it: a last page with a single such card is no other contract.
            assert_eq!(read(&PAGE.replace(&from, &to)).unwrap().0.len(), 1, "{field}");
        }
    }

    #[test]
    fn the_cursor_is_sent_back_as_it_came() {
        let cursor = CardsCursor {
            updated_at: Some("2026-10-01T00:00:00Z".into()),
            nm_id: 7,
            total: 100,
        };
        let sent = serde_json::to_value(request(100, Some(&cursor))).unwrap();
        assert_eq!(
            sent["settings"]["cursor"],
            serde_json::json!({"limit":100,"updatedAt":"2026-10-01T00:00:00Z","nmID":7})
        );
        let first = serde_json::to_value(request(100, None)).unwrap();
        assert_eq!(first["settings"]["cursor"], serde_json::json!({"limit":100}));
        assert_eq!(first["settings"]["filter"]["withPhoto"], -1);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn damaged_pages_never_panic(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)
        ) {
            let mut body = PAGE.as_bytes().to_vec();
            for (at, byte) in changes {
                let at = at.index(body.len());
                body[at] = byte;
            }
            if let Ok(text) = std::str::from_utf8(&body)
                && let Ok(page) = json::decode::<CardsPage>(text.as_bytes())
                && let Some(list) = page.cards
            {
                drop(read_page(&list, &mut Fields::default(), &mut Tally::default()));
            }
        }
    }
}
