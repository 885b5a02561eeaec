//! What one message says of what is due, in both languages.

use application::domain::notice::NoticeKind;
use connectors::telegram::text::{TEXT, plain, units};
use events::ids::{CabinetId, ProductId};
use notifications::Language;
use uuid::Uuid;

use super::{Item, Message, Names, Reader, compose, shown_products};
use crate::matter::Facts;
use crate::texts::Texts;
use crate::when::zone_of;

const CABINET: CabinetId = CabinetId(Uuid::from_u128(7));

fn names() -> Names {
    let mut names = Names::default();
    names.cabinets.insert(CABINET, "ИП <Соколова>".to_owned());
    names
        .products
        .insert(product(1), ("TEA-1".to_owned(), "Чай «Утро»".to_owned()));
    names
}

fn product(number: u128) -> ProductId {
    ProductId(Uuid::from_u128(number))
}

fn stock(kind: NoticeKind, number: u128) -> Item {
    Item {
        kind,
        facts: Facts {
            cabinet: Some(CABINET),
            product: Some(product(number)),
            nm_id: Some(i64::try_from(number).unwrap()),
            available: Some(2),
            days_tenths: Some(35),
            ..Facts::default()
        },
    }
}

fn told(items: &[Item], language: Language) -> Message {
    let reader = Reader {
        language,
        zone: zone_of(None),
        app_url: Some("https://app.example"),
    };
    compose(&Texts::load().unwrap(), items, &names(), reader).unwrap()
}

fn shown(items: &[Item], language: Language) -> String {
    plain(&told(items, language).html).replace('\u{a0}', " ")
}

#[test]
fn one_product_is_told_in_full_with_buttons() {
    let items = [stock(NoticeKind::StockLow, 1)];
    assert_eq!(
        shown(&items, Language::Russian),
        "🟡 Заканчивается: Чай «Утро» (арт. TEA-1)\nОсталось 2 штуки, хватит на 3,5 дня.\n\
         Кабинет: ИП <Соколова>\n\nОткрыть в приложении"
    );
    assert_eq!(
        shown(&items, Language::English),
        "🟡 Running low: Чай «Утро» (article TEA-1)\n2 units left, enough for 3.5 days.\n\
         Cabinet: ИП <Соколова>\n\nOpen in the app"
    );
    assert_eq!(
        told(&items, Language::Russian).buttons.unwrap().inline_keyboard[0].len(),
        2
    );
}

#[test]
fn what_came_back_says_for_how_long_it_was_out_and_what_was_lost() {
    let mut item = stock(NoticeKind::StockRecovered, 1);
    item.facts.out_seconds = Some(3 * 86_400 + 60);
    item.facts.lost_orders_tenths = Some(138);
    assert!(
        shown(&[item.clone()], Language::Russian)
            .contains("Не было в наличии: 3 дня. Упущено примерно 14 заказов.")
    );
    item.facts.minor = Some(1_234_500);
    item.facts.currency = Some("RUB".to_owned());
    let text = shown(&[item], Language::Russian);
    assert!(text.contains("14 заказов на 12\u{202f}345 ₽."), "{text}");
}

#[test]
fn three_thousand_products_become_one_list_with_numbers() {
    let mut items: Vec<Item> = (1..=2_990)
        .map(|number| stock(NoticeKind::StockLow, number))
        .collect();
    items.extend((3_000..3_010).map(|number| stock(NoticeKind::StockOut, number)));
    let text = shown(&items, Language::Russian);
    assert!(text.starts_with("3000 уведомлений\n"), "{text}");
    assert!(
        text.contains("🟡 Заканчивается: 2990\n") && text.contains("🔴 Закончилось: 10\n"),
        "{text}"
    );
    assert_eq!(text.matches("• ").count(), 20);
    assert!(text.contains("… и ещё 2980"), "{text}");
    assert!(units(&told(&items, Language::Russian).html) <= TEXT);
    assert!(told(&items, Language::Russian).buttons.is_none());
    assert_eq!(shown_products(&items).len(), 30);
}

#[test]
fn a_list_of_the_longest_names_fits_into_one_message() {
    let long = "Ж".repeat(500);
    let mut names = names();
    names.cabinets.insert(CABINET, long.clone());
    names.sheet = Some((Some("инструкция ".repeat(60)), "id".to_owned()));
    let mut items = Vec::new();
    for kind in NoticeKind::ALL {
        for number in 0..30 {
            names
                .products
                .insert(product(number), (long.clone(), long.clone()));
            let mut item = stock(kind, number);
            item.facts.warehouse_name = Some(long.clone());
            items.push(item);
        }
    }
    let reader = Reader {
        language: Language::Russian,
        zone: zone_of(None),
        app_url: Some("https://app.example"),
    };
    let message = compose(&Texts::load().unwrap(), &items, &names, reader).unwrap();
    assert!(plain(&message.html).contains("… и ещё 430"), "cut before its end");
    assert!(units(&message.html) <= TEXT);
}

#[test]
fn a_first_sync_is_a_list_even_if_it_found_one_product() {
    let mut item = stock(NoticeKind::StockOut, 1);
    item.facts.is_first_sync = true;
    let text = shown(&[item], Language::Russian);
    assert!(
        text.starts_with("Первая синхронизация показала, что заканчивается 1 товар"),
        "{text}"
    );
    assert!(text.contains("• Чай «Утро» (арт. TEA-1)"), "{text}");
}

#[test]
fn a_blocked_sheet_tells_what_the_api_tells_and_opens_the_sheet() {
    let mut names = names();
    names.sheet = Some((
        Some("откройте доступ a&b@example.com".to_owned()),
        "1AbC".to_owned(),
    ));
    let items = [Item {
        kind: NoticeKind::SheetBlocked,
        facts: Facts::default(),
    }];
    let reader = Reader {
        language: Language::Russian,
        zone: zone_of(None),
        app_url: None,
    };
    let message = compose(&Texts::load().unwrap(), &items, &names, reader).unwrap();
    assert!(
        message.html.contains("откройте доступ a&amp;b@example.com"),
        "{}",
        message.html
    );
    let button = &message.buttons.unwrap().inline_keyboard[0][0];
    assert_eq!(
        button.url.as_deref(),
        Some("https://docs.google.com/spreadsheets/d/1AbC")
    );
}
