//! What the buttons below a notice say to the bot when they are pressed, in the 64 bytes that Telegram
//! allows. Both sides are here. Pure.

use application::domain::notice::NoticeKind;
use events::ids::ProductId;
use uuid::Uuid;

/// A pressed button of a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Press {
    /// Snooze a product, hours.
    SnoozeProduct(ProductId, u32),
    /// Snooze a kind, hours.
    SnoozeKind(NoticeKind, u32),
    /// Show a product.
    ShowProduct(ProductId),
}

impl Press {
    /// The data of the button, at most 64 bytes.
    #[must_use]
    pub fn data(&self) -> String {
        match self {
            Self::SnoozeProduct(product, hours) => format!("n:zp:{}:{hours}", product.uuid().simple()),
            Self::SnoozeKind(kind, hours) => format!("n:zk:{}:{hours}", kind.as_str()),
            Self::ShowProduct(product) => format!("n:sp:{}", product.uuid().simple()),
        }
    }

    /// The button with this data; none if it is no button of a notice.
    #[must_use]
    pub fn parse(data: &str) -> Option<Self> {
        let mut parts = data.strip_prefix("n:")?.split(':');
        let (what, of, hours) = (parts.next()?, parts.next()?, parts.next());
        if parts.next().is_some() {
            return None;
        }
        let product = || Some(ProductId(Uuid::parse_str(of).ok()?));
        match (what, hours) {
            ("zp", Some(hours)) => Some(Self::SnoozeProduct(product()?, hours.parse().ok()?)),
            ("zk", Some(hours)) => Some(Self::SnoozeKind(NoticeKind::parse(of)?, hours.parse().ok()?)),
            ("sp", None) => Some(Self::ShowProduct(product()?)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use application::domain::notice::NoticeKind;
    use connectors::telegram::text::BUTTON_DATA;
    use events::ids::ProductId;
    use uuid::Uuid;

    use super::Press;

    #[test]
    fn every_button_is_read_back_and_short_enough() {
        let product = ProductId(Uuid::from_u128(u128::MAX));
        let mut all = vec![Press::SnoozeProduct(product, 8_760), Press::ShowProduct(product)];
        all.extend(NoticeKind::ALL.map(|kind| Press::SnoozeKind(kind, 8_760)));
        for press in all {
            let data = press.data();
            assert!(data.len() <= BUTTON_DATA, "{data}");
            assert_eq!(Press::parse(&data), Some(press));
        }
    }

    #[test]
    fn data_of_others_is_no_button_of_a_notice() {
        for data in [
            "",
            "n:",
            "n:sp:x",
            "m:sp:00000000000000000000000000000000",
            "n:zk:stock.low",
            "n:zk:x:1:2",
        ] {
            assert_eq!(Press::parse(data), None, "{data}");
        }
    }
}
