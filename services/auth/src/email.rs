//! An e-mail address as people type it, and the key under which it is found again. The original matched the
//! local part case-sensitively and so let one person register twice; here `Anna@X.ru` and `anna@x.ru` are one
//! address.

/// A plausible address. Prints nothing of itself: it is personal data.
#[derive(Clone, PartialEq, Eq)]
pub struct Email {
    address: String,
    key: String,
}

/// The text is no e-mail address.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not an e-mail address")]
pub struct NotAnEmail;

/// Longest address that SMTP can carry in a path (RFC 5321, 4.5.3.1.3), in bytes.
const LONGEST: usize = 254;
/// Longest local part (RFC 5321, 4.5.3.1.1), in bytes.
const LONGEST_LOCAL: usize = 64;

impl Email {
    /// Accepts what can receive mail in practice; whether it does is not known here.
    ///
    /// # Errors
    /// [`NotAnEmail`].
    pub fn parse(text: &str) -> Result<Self, NotAnEmail> {
        let address = text.trim();
        let (local, domain) = address.rsplit_once('@').ok_or(NotAnEmail)?;
        let sane = address.len() <= LONGEST
            && (1..=LONGEST_LOCAL).contains(&local.len())
            && !local.contains('@')
            && domain.contains('.')
            && domain
                .split('.')
                .all(|label| !label.is_empty() && !label.starts_with('-'))
            && !address
                .chars()
                .any(|c| c.is_whitespace() || c.is_control() || "<>,;:\"()[]\\".contains(c));
        if !sane {
            return Err(NotAnEmail);
        }
        Ok(Self {
            key: address.to_lowercase(),
            address: address.to_owned(),
        })
    }

    /// As it was typed, for mail and for the owner's eyes.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The form under which it is unique.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl std::fmt::Debug for Email {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Email(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::Email;

    #[test]
    fn one_address_in_any_spelling_has_one_key() {
        assert_eq!(
            Email::parse(" Anna@Shop.RU ").unwrap().key(),
            Email::parse("anna@shop.ru").unwrap().key()
        );
        assert_eq!(Email::parse("Anna@Shop.RU").unwrap().address(), "Anna@Shop.RU");
    }

    #[test]
    fn what_cannot_receive_mail_is_refused() {
        let long = format!("{}@b.ru", "a".repeat(65));
        for text in [
            "", "a", "@b.ru", "a@", "a@b", "a@b..ru", "a b@c.ru", "a@@b.ru", "a\n@b.ru", &long,
        ] {
            assert!(Email::parse(text).is_err(), "{text} was accepted");
        }
    }

    #[test]
    fn an_address_does_not_show_in_a_log() {
        assert!(!format!("{:?}", Email::parse("anna@shop.ru").unwrap()).contains("anna"));
    }
}
