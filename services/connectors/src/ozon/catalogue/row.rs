//! What one row of details says: the article with its SKUs, the card, the price.

use super::time;
use crate::json::Told;
use crate::marketplace::{Card, CardPart, CardSize, PriceLost, PriceObservation};
use crate::ozon::wire::{Amount, InfoRow, Int, Loose};

/// The product's own SKU first, then those of its schemes of sale: the one of the vendor's warehouses, then
/// the others by number. The vendor lists them in any order, and an article must not change with it.
pub(super) fn skus(row: &InfoRow) -> Vec<u64> {
    let mut skus: Vec<u64> = Vec::new();
    let mut sources: Vec<(bool, Int)> = row
        .sources
        .iter()
        .map(|source| (source.source.as_deref() != Some("fbo"), source.sku))
        .collect();
    sources.sort_unstable_by_key(|(others, Int(sku))| (*others, *sku));
    let own = match row.sku {
        Loose::Some(sku) => Some(sku),
        Loose::None | Loose::Lost => None,
    };
    let own = own.into_iter().chain(sources.into_iter().map(|(_, sku)| sku));
    for sku in own.filter_map(|Int(sku)| u64::try_from(sku).ok().filter(|sku| *sku > 0)) {
        if !skus.contains(&sku) {
            skus.push(sku);
        }
    }
    skus
}

/// `old_price` is the one that is crossed out; without a discount it is empty or zero. None without a price.
/// One that is crossed out says that there is one.
pub(super) fn price(row: &InfoRow) -> Result<Option<PriceObservation>, PriceLost> {
    let minor = |price: Amount| match price {
        Amount::None => Ok(None),
        Amount::Lost => Err(PriceLost),
        Amount::Some(price) => match price.minor_units() {
            ..0 => Err(PriceLost),
            0 => Ok(None),
            told => Ok(Some(told)),
        },
    };
    let Some(nm_id) = skus(row).first().and_then(|sku| i64::try_from(*sku).ok()) else {
        return Ok(None);
    };
    let (asked, crossed_out) = (minor(row.price)?, minor(row.old_price)?);
    let Some(asked) = asked else {
        return if crossed_out.is_some() {
            Err(PriceLost)
        } else {
            Ok(None)
        };
    };
    Ok(Some(PriceObservation {
        nm_id,
        price_minor: crossed_out.map_or(asked, |old| old.max(asked)),
        discounted_minor: Some(asked),
        currency: row
            .currency_code
            .clone()
            .filter(|code| !code.is_empty())
            .ok_or(PriceLost)?,
    }))
}

/// None without any SKU.
pub(super) fn card(row: InfoRow) -> Option<Card> {
    let skus = skus(&row);
    let nm_id = i64::try_from(*skus.first()?).ok()?;
    let sizes = skus
        .into_iter()
        .map(|chrt_id| CardSize {
            chrt_id,
            tech_size: String::new(),
            skus: row.barcodes.clone(),
        })
        .collect();
    // Brand and kind are told by two other methods.
    let mut unreported = vec![CardPart::Brand, CardPart::Subject];
    let mut text = |told: Told<String>, part| match told {
        Told::Value(text) => text,
        Told::Null | Told::Absent => {
            unreported.push(part);
            String::new()
        }
    };
    let vendor_code = text(row.offer_id, CardPart::VendorCode);
    let title = text(row.name, CardPart::Title);
    Some(Card {
        nm_id,
        vendor_code,
        brand: String::new(),
        subject: String::new(),
        title,
        barcodes: row.barcodes,
        sizes,
        updated_at: row.updated_at.as_deref().and_then(time),
        unreported,
    })
}

#[cfg(test)]
mod tests {
    use super::{PriceLost, card, price};
    use crate::json::{self, LeftOut};
    use crate::marketplace::CardPart;
    use crate::ozon::wire::{InfoList, InfoRow};

    fn rows(body: &str) -> Vec<InfoRow> {
        let list: InfoList = json::decode(body.as_bytes()).unwrap();
        list.items.read("items[]", &[], &mut LeftOut::default(), Ok)
    }

    fn cards(body: &str) -> Vec<crate::marketplace::Card> {
        rows(body).into_iter().filter_map(card).collect()
    }

    #[test]
    fn the_documented_product_becomes_a_card() {
        let cards = cards(crate::ozon::wire::samples::INFO);
        assert_eq!(cards.len(), 1);
        assert_eq!(
            (cards[0].nm_id, cards[0].vendor_code.as_str()),
            (800_000_001, "ART-1")
        );
        assert_eq!((cards[0].sizes.len(), cards[0].title.as_str()), (1, "Товар"));
        assert_eq!(
            cards[0].updated_at.unwrap().to_rfc3339(),
            "2026-09-01T10:00:00+00:00"
        );
    }

    #[test]
    fn the_documented_price_is_the_crossed_out_one_and_the_one_that_is_asked() {
        let told = price(&rows(crate::ozon::wire::samples::INFO)[0])
            .unwrap()
            .unwrap();
        assert_eq!(
            (
                told.nm_id,
                told.price_minor,
                told.discounted_minor,
                told.currency.as_str()
            ),
            (800_000_001, 39_900, Some(27_300), "RUB")
        );
    }

    #[test]
    fn a_product_without_a_price_has_none() {
        for fields in [
            "",
            r#","price":"","old_price":"","currency_code":"RUB""#,
            r#","price":"0.00","currency_code":"RUB""#,
        ] {
            let body = format!(r#"{{"items":[{{"id":1,"name":"a","offer_id":"A","sku":11{fields}}}]}}"#);
            assert_eq!(price(&rows(&body)[0]), Ok(None), "{fields}");
        }
    }

    #[test]
    fn a_price_that_cannot_be_taken_is_lost_and_not_none() {
        for fields in [
            r#""price":"273.00""#,
            r#""price":"273.00","currency_code":"""#,
            r#""price":"-273.00","currency_code":"RUB""#,
            r#""price":{"amount":1},"currency_code":"RUB""#,
            r#""price":"273.00","old_price":"-1","currency_code":"RUB""#,
            r#""priceNew":"273.00","old_price":"399.00","currency_code":"RUB""#,
        ] {
            let body = format!(r#"{{"items":[{{"id":1,"name":"a","offer_id":"A","sku":11,{fields}}}]}}"#);
            assert_eq!(price(&rows(&body)[0]), Err(PriceLost), "{fields}");
        }
    }

    #[test]
    fn an_old_card_has_a_size_per_scheme_and_a_new_one_without_a_sku_is_left_out() {
        let cards = cards(
            r#"{"items":[{"id":1,"name":"a","offer_id":"A","sku":"0","sources":[{"sku":11,"source":"fbo"},
                {"sku":"12","source":"fbs"}]},{"id":2,"name":"b","offer_id":"B","sku":0,"sources":[]}]}"#,
        );
        assert_eq!(cards.len(), 1);
        let skus: Vec<u64> = cards[0].sizes.iter().map(|size| size.chrt_id).collect();
        assert_eq!((cards[0].nm_id, skus), (11, vec![11, 12]));
    }

    #[test]
    fn the_article_of_an_old_card_does_not_follow_the_order_of_its_sources() {
        for sources in [
            r#"[{"sku":12,"source":"fbs"},{"sku":11,"source":"fbo"}]"#,
            r#"[{"sku":11,"source":"fbo"},{"sku":12,"source":"fbs"}]"#,
        ] {
            let body = format!(r#"{{"items":[{{"id":1,"name":"a","offer_id":"A","sources":{sources}}}]}}"#);
            let skus: Vec<u64> = cards(&body)[0].sizes.iter().map(|size| size.chrt_id).collect();
            assert_eq!(skus, [11, 12], "{sources}");
        }
    }

    #[test]
    fn a_name_that_is_missing_null_or_no_text_is_unreported_and_not_empty() {
        for name in ["", r#""name":null,"#, r#""name":5,"#, r#""name":{"a":1},"#] {
            let body = format!(r#"{{"items":[{{"id":1,{name}"offer_id":"A","sku":11}}]}}"#);
            let cards = cards(&body);
            assert!(cards[0].unreported.contains(&CardPart::Title), "{name}");
            assert!(!cards[0].unreported.contains(&CardPart::VendorCode), "{name}");
        }
        let empty = cards(r#"{"items":[{"id":1,"name":"","offer_id":"A","sku":11}]}"#);
        assert!(!empty[0].unreported.contains(&CardPart::Title));
    }
}
