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
use crate::json;
use crate::marketplace::{Card, CardSize, Fetched};
use crate::payload::GOODS;

const LIST: &str = "POST /content/v2/get/cards/list";

impl Wildberries {
    /// All cards, oldest change first, page by page.
    ///
    /// Page: <https://dev.wildberries.ru/docs/openapi/work-with-products>, `POST /content/v2/get/cards/list`;
    /// 100 requests a minute for all of Content, 100 cards a page, so 10,000 cards take about a minute.
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
        let mut seen = HashSet::new();
        loop {
            let call = self
                .report_call(LIST, Category::Content, "/content/v2/get/cards/list?locale=ru")?
                .deadline(self.options.deadline)
                .json(&request(self.options.card_page, cursor.as_ref()))?;
            let reply = self.fetch(Group::Content, &call).await?;
            let date = reply.date();
            let page: CardsPage =
                json::decode(&reply.body).map_err(|failure| CallError::new(LIST, failure))?;
            page.is_whole().map_err(|failure| CallError::new(LIST, failure))?;
            tally.page(&reply.body, page.cards.len(), date);
            let last = page.cursor.total < u64::from(self.options.card_page);
            on_page(page.cards.into_iter().map(card).collect());
            if last {
                let outcome = tally.finish("wb.cards");
                return Ok(Fetched {
                    items: (),
                    outcome,
                    complete: true,
                });
            }
            let position = (page.cursor.updated_at.clone(), page.cursor.nm_id);
            if !seen.insert(position) {
                let what = "the cursor of the card list does not move on".to_owned();
                return Err(CallError::new(LIST, CallFailure::Inconsistent { what }));
            }
            cursor = Some(page.cursor);
        }
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

    use super::{CardsCursor, card, request};
    use crate::json;
    use crate::wildberries::wire::CardsPage;

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
        let page: CardsPage = json::decode(PAGE.as_bytes()).unwrap();
        let card = card(page.cards.into_iter().next().unwrap());
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
        assert_eq!(page.cursor.updated_at, None);
        let page: CardsPage = json::decode(
            br#"{"cards":[{"nmID":1,"vendorCode":null,"brand":null,"sizes":null,"updatedAt":null}],
                "cursor":{"total":1}}"#,
        )
        .unwrap();
        let card = card(page.cards.into_iter().next().unwrap());
        assert_eq!(
            (card.brand.as_str(), card.updated_at, card.sizes.len()),
            ("", None, 0)
        );
    }

    #[test]
    fn a_missing_article_is_named() {
        let error =
            json::decode::<CardsPage>(br#"{"cards":[{"brand":"x"}],"cursor":{"total":1}}"#).unwrap_err();
        assert_eq!(
            error.to_string(),
            "unexpected answer: field `cards[].nmID` is missing (there are brand)"
        );
    }

    #[test]
    fn a_field_that_no_card_has_any_more_is_named_and_does_not_empty_the_catalogue() {
        for (field, renamed) in [
            ("vendorCode", "vendor_code"),
            ("brand", "brandName"),
            ("subjectName", "subject"),
            ("title", "name"),
            ("sizes", "variants"),
        ] {
            let body = PAGE.replace(&format!("\"{field}\":"), &format!("\"{renamed}\":"));
            let page: CardsPage = json::decode(body.as_bytes()).unwrap();
            assert_eq!(
                page.is_whole().unwrap_err().to_string(),
                format!("unexpected answer: field `cards[].{field}` is missing in every row")
            );
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
            if let Ok(page) = json::decode::<CardsPage>(&body) {
                page.cards.into_iter().for_each(|row| drop(card(row)));
            }
        }
    }
}
