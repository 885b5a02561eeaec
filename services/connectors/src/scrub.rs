//! Vendors' words without what may not be kept of them: they name people, and these words go into logs and
//! events.

/// Fewest digits of the number of a card (ISO/IEC 7812-1).
const FEWEST_DIGITS: usize = 12;

/// The text without the e-mail addresses in it.
pub(crate) fn without_addresses(text: &str) -> String {
    let is_part = |c: char| c.is_alphanumeric() || "._%+-'@".contains(c);
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(is_part) {
        let (before, from) = rest.split_at(start);
        let (word, after) = from.split_at(from.find(|c| !is_part(c)).unwrap_or(from.len()));
        clean.push_str(before);
        let address = word.trim_matches(['.', '\'', '-']);
        let named = address
            .split_once('@')
            .is_some_and(|(who, host)| !who.is_empty() && host.contains('.'));
        if named {
            clean.push_str(&word.replace(address, "<address>"));
        } else {
            clean.push_str(word);
        }
        rest = after;
    }
    clean.push_str(rest);
    clean
}

/// The text without what may be the number of a card: 12 digits or more, also in groups.
pub(crate) fn without_card_numbers(text: &str) -> String {
    let is_part = |c: char| c.is_ascii_digit() || c == ' ' || c == '-';
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(start);
        let (group, after) = from.split_at(from.find(|c| !is_part(c)).unwrap_or(from.len()));
        let number = group.trim_end_matches([' ', '-']);
        clean.push_str(before);
        if number.chars().filter(char::is_ascii_digit).count() >= FEWEST_DIGITS {
            clean.push_str("<number>");
            clean.push_str(group.strip_prefix(number).unwrap_or_default());
        } else {
            clean.push_str(group);
        }
        rest = after;
    }
    clean.push_str(rest);
    clean
}

#[cfg(test)]
mod tests {
    use super::{without_addresses, without_card_numbers};

    #[test]
    fn no_address_of_a_person_is_kept() {
        assert_eq!(
            without_addresses("ask 'anna.k+1@shop.ru', <boris@example.co.uk>."),
            "ask '<address>', <<address>>."
        );
        let ordinary = "Invalid requests[3].addProtectedRange: A1:B2 @ Sheet.1";
        assert_eq!(without_addresses(ordinary), ordinary);
    }

    #[test]
    fn no_number_of_a_card_is_kept() {
        for (text, clean) in [
            ("card 4242424242424242 was declined", "card <number> was declined"),
            ("card 4242 4242 4242 4242 ends", "card <number> ends"),
            ("4242-4242-4242-4242", "<number>"),
            (
                "expires 12/34 at 1790000100, in 7 days",
                "expires 12/34 at 1790000100, in 7 days",
            ),
            (
                "No such price: 'price_1PgafmB7WZ01'",
                "No such price: 'price_1PgafmB7WZ01'",
            ),
        ] {
            assert_eq!(without_card_numbers(text), clean);
        }
    }
}
