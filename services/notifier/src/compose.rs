//! One message of everything that is due for one receiver. Pure.
//!
//! Up to [`IN_FULL`] notices are told in full. More of them, and whatever a first sync found, become a list:
//! at most [`LINES`] lines, grouped by kind with their numbers, and how many more there are.

use std::collections::{BTreeMap, HashMap};

use application::domain::notice::NoticeKind;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use connectors::telegram::message::{link, press};
use connectors::telegram::text::{TEXT, cut, shortened};
use connectors::telegram::{InlineKeyboardButton, InlineKeyboardMarkup};
use events::ids::{CabinetId, ProductId};
use notifications::Language;

use crate::buttons::Press;
use crate::matter::Facts;
use crate::texts::{Texts, Value, Values, Words, grouped};

/// So many notices are told in full.
pub const IN_FULL: usize = 3;
/// So many lines a list has.
pub const LINES: usize = 20;
/// Longest name in a message of its own, in UTF-16 code units.
const NAME: usize = 120;
/// Longest name in a line.
const SHORT_NAME: usize = 48;
/// Longest instruction in a line; the whole one is in the app.
const SHORT_INSTRUCTION: usize = 160;
/// How long the button snoozes, hours.
const SNOOZE_HOURS: u32 = 24;

/// What is called how, at the moment at which a message is made. What is not known is missing.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// Article and title of products.
    pub products: HashMap<ProductId, (String, String)>,
    /// Names of cabinets.
    pub cabinets: HashMap<CabinetId, String>,
    /// What to do about the sheet, as the API shows it, and the spreadsheet's id.
    pub sheet: Option<(Option<String>, String)>,
}

/// One notice.
#[derive(Debug, Clone)]
pub struct Item {
    /// Its kind.
    pub kind: NoticeKind,
    /// What happened.
    pub facts: Facts,
}

/// A message that is ready.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// In Telegram's HTML.
    pub html: String,
    /// Buttons below it.
    pub buttons: Option<InlineKeyboardMarkup>,
}

/// Where and how a message is read.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    /// In which language.
    pub language: Language,
    /// By which clock.
    pub zone: Tz,
    /// Address of the app without a slash at the end, if it has one.
    pub app_url: Option<&'a str>,
}

/// The message; none if there is nothing to tell.
#[must_use]
pub fn compose(texts: &Texts, items: &[Item], names: &Names, reader: Reader<'_>) -> Option<Message> {
    let composer = Composer {
        words: texts.of(reader.language),
        names,
        reader,
    };
    let is_first_sync = items.iter().any(|item| item.facts.is_first_sync);
    let html = match items {
        [] => return None,
        some if some.len() <= IN_FULL && !is_first_sync => composer.in_full(some),
        many => composer.list(many, is_first_sync),
    };
    let buttons = match items {
        [only] if !is_first_sync => composer.buttons(only),
        _ => Vec::new(),
    };
    let row = InlineKeyboardMarkup::builder()
        .inline_keyboard(vec![buttons.clone()])
        .build();
    Some(Message {
        // The limits above leave room; what would still be too long ends at a border of lines.
        html: cut(&html, TEXT).into_iter().next()?,
        buttons: (!buttons.is_empty()).then_some(row),
    })
}

struct Composer<'a> {
    words: Words<'a>,
    names: &'a Names,
    reader: Reader<'a>,
}

impl Composer<'_> {
    fn in_full(&self, items: &[Item]) -> String {
        let mut texts: Vec<String> = items
            .iter()
            .filter_map(|item| {
                let template = &self.words.kind(item.kind)?.full;
                Some(self.words.fill(template, &self.values(item, false)))
            })
            .collect();
        texts.extend(self.link());
        texts.join("\n\n")
    }

    fn list(&self, items: &[Item], is_first_sync: bool) -> String {
        let mut groups: BTreeMap<NoticeKind, Vec<&Item>> = BTreeMap::new();
        for item in items {
            groups.entry(item.kind).or_default().push(item);
        }
        let shown = shares(&groups.values().map(Vec::len).collect::<Vec<_>>());
        let mut lines = vec![self.head(items, is_first_sync)];
        for ((kind, items), shown) in groups.iter().zip(&shown) {
            let Some(texts) = self.words.kind(*kind) else {
                continue;
            };
            let heading = Values::from([
                ("icon", Value::Words(texts.icon.clone())),
                ("title", Value::Words(texts.title.clone())),
                ("count", Value::count(number(items.len()))),
            ]);
            lines.push(String::new());
            lines.push(self.part("group", &heading));
            for item in items.iter().take(*shown) {
                lines.push(format!(
                    "• {}",
                    self.words.fill(&texts.line, &self.values(item, true))
                ));
            }
        }
        let more = items.len() - shown.iter().sum::<usize>();
        if more > 0 {
            lines.push(String::new());
            lines.push(self.part("more", &Values::from([("count", Value::count(number(more)))])));
        }
        lines.extend(self.link().map(|link| format!("\n{link}")));
        lines.join("\n")
    }

    fn head(&self, items: &[Item], is_first_sync: bool) -> String {
        let only_first = items.iter().all(|item| item.facts.is_first_sync);
        let name = if is_first_sync && only_first {
            "first_sync"
        } else {
            "list"
        };
        self.part(
            name,
            &Values::from([("count", Value::count(number(items.len())))]),
        )
    }

    fn link(&self) -> Option<String> {
        let url = self.reader.app_url?;
        Some(self.part("link", &Values::from([("url", Value::Words(url.to_owned()))])))
    }

    fn part(&self, name: &str, values: &Values) -> String {
        match self.words.part(name, values) {
            Value::Html(html) => html,
            Value::Words(_) | Value::Tenths(_) => String::new(),
        }
    }

    fn values(&self, item: &Item, is_line: bool) -> Values {
        let facts = &item.facts;
        let mut values = self.product(facts, if is_line { SHORT_NAME } else { NAME });
        if let Some(available) = facts.available {
            values.insert("available", Value::count(available));
        }
        if let Some(days) = facts.days_tenths {
            let inner = Values::from([("days", Value::Tenths(days))]);
            values.insert("enough", self.words.part("enough", &inner));
        }
        if let Some(days) = facts.days_left {
            values.insert("days_left", Value::count(days));
        }
        values.insert("cabinet", self.cabinet(facts, is_line));
        values.insert(
            "why",
            Value::Words(
                self.words
                    .why(facts.word.as_deref().unwrap_or_default())
                    .to_owned(),
            ),
        );
        if let Some(source) = &facts.source {
            values.insert("source", Value::Words(source.clone()));
        }
        if let Some(at) = facts.at {
            values.insert("date", Value::Words(self.date(at)));
            let inner = Values::from([("date", Value::Words(self.date(at)))]);
            values.insert("retry", self.words.part("retry", &inner));
        }
        if let Some(money) = self.money(facts) {
            values.insert("money", money);
        }
        if let Some(lost) = self.lost(facts) {
            values.insert("lost", lost);
        }
        if let Some((Some(instruction), _)) = &self.names.sheet {
            let most = if is_line { SHORT_INSTRUCTION } else { usize::MAX };
            values.insert("instruction", Value::Words(shortened(instruction, most)));
        }
        values
    }

    fn product(&self, facts: &Facts, longest: usize) -> Values {
        let mut values = Values::new();
        let Some(product) = facts.product else {
            return values;
        };
        let number = facts.nm_id.map(|number| number.to_string()).unwrap_or_default();
        let (article, title) = self.names.products.get(&product).cloned().unwrap_or_default();
        let article = if article.is_empty() { number } else { article };
        let title = match (title.is_empty(), article.is_empty()) {
            (false, _) => title,
            (true, false) => article.clone(),
            (true, true) => self.part("nameless", &Values::new()),
        };
        if !article.is_empty() && title != article {
            let inner = Values::from([("article", Value::Words(shortened(&article, longest)))]);
            values.insert("article", self.words.part("article", &inner));
        }
        values.insert("product", Value::Words(shortened(&title, longest)));
        if let Some(warehouse) = facts.warehouse_name.as_ref().or(facts.warehouse.as_ref()) {
            let inner = Values::from([("warehouse", Value::Words(shortened(warehouse, longest)))]);
            values.insert("place", self.words.part("place", &inner));
        }
        values
    }

    fn cabinet(&self, facts: &Facts, is_line: bool) -> Value {
        let name = facts
            .cabinet
            .and_then(|cabinet| self.names.cabinets.get(&cabinet));
        let longest = if is_line { SHORT_NAME } else { NAME };
        let name = match name {
            Some(name) => Value::Words(shortened(name, longest)),
            None => self.words.part("nameless", &Values::new()),
        };
        if is_line {
            return name;
        }
        self.words.part("cabinet", &Values::from([("cabinet", name)]))
    }

    fn lost(&self, facts: &Facts) -> Option<Value> {
        let time = Value::Words(self.duration(facts.out_seconds?));
        let mut values = Values::from([("time", time)]);
        let Some(orders) = facts.lost_orders_tenths.filter(|tenths| *tenths >= 5) else {
            return Some(self.words.part("out_for", &values));
        };
        // An estimate: whole orders are exact enough.
        values.insert("orders", Value::count((orders + 5) / 10));
        let money = self.money(facts);
        let part = if money.is_some() { "lost_money" } else { "lost" };
        values.extend(money.map(|money| ("money", money)));
        Some(self.words.part(part, &values))
    }

    fn money(&self, facts: &Facts) -> Option<Value> {
        let (minor, currency) = (facts.minor?, facts.currency.as_deref()?);
        let amount = grouped(minor / 100);
        let rest = match minor.unsigned_abs() % 100 {
            0 => String::new(),
            cents => format!("{}{cents:02}", self.part("decimal", &Values::new())),
        };
        let sign = match currency.to_ascii_uppercase().as_str() {
            "RUB" => "₽".to_owned(),
            other => other.to_owned(),
        };
        Some(Value::Words(format!("{amount}{rest}\u{a0}{sign}")))
    }

    fn duration(&self, seconds: i64) -> String {
        let (number, word) = match seconds {
            86_400.. => (seconds / 86_400, "days"),
            3_600.. => (seconds / 3_600, "hours"),
            _ => ((seconds / 60).max(1), "minutes"),
        };
        self.words.number(number.saturating_mul(10), Some(word))
    }

    fn date(&self, at: DateTime<Utc>) -> String {
        let format = match self.reader.language {
            Language::Russian => "%d.%m.%Y %H:%M",
            Language::English => "%Y-%m-%d %H:%M",
        };
        at.with_timezone(&self.reader.zone).format(format).to_string()
    }

    fn buttons(&self, item: &Item) -> Vec<InlineKeyboardButton> {
        let button = |name: &str, data: Press| press(self.words.button(name), data.data());
        match (item.kind, item.facts.product) {
            (NoticeKind::StockLow | NoticeKind::StockOut, Some(product)) => vec![
                button("show", Press::ShowProduct(product)),
                button("snooze", Press::SnoozeProduct(product, SNOOZE_HOURS)),
            ],
            (NoticeKind::StockRecovered, Some(product)) => vec![button("show", Press::ShowProduct(product))],
            (NoticeKind::SheetBlocked, _) => match &self.names.sheet {
                Some((_, id)) => {
                    let url = format!("https://docs.google.com/spreadsheets/d/{id}");
                    vec![link(self.words.button("open_sheet"), url)]
                }
                None => Vec::new(),
            },
            (NoticeKind::SyncFailed | NoticeKind::SourceDegraded, _) => {
                vec![button("snooze", Press::SnoozeKind(item.kind, SNOOZE_HOURS))]
            }
            _ => Vec::new(),
        }
    }
}

/// How many lines each group gets: in turns, one each, until there are [`LINES`].
fn shares(sizes: &[usize]) -> Vec<usize> {
    let mut shares = vec![0; sizes.len()];
    let mut left = LINES;
    loop {
        let before = left;
        for (share, size) in shares.iter_mut().zip(sizes) {
            if left > 0 && *share < *size {
                *share += 1;
                left -= 1;
            }
        }
        if left == before {
            return shares;
        }
    }
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Products of which a name is needed: those that a message of these can show.
#[must_use]
pub fn shown_products(items: &[Item]) -> Vec<ProductId> {
    // In turns over the kinds, a kind shows at most as many as there are lines.
    let mut taken: BTreeMap<NoticeKind, usize> = BTreeMap::new();
    let shown = items.iter().filter(|item| {
        let number = taken.entry(item.kind).or_default();
        *number += 1;
        *number <= LINES
    });
    shown.filter_map(|item| item.facts.product).collect()
}

#[cfg(test)]
mod tests;
