//! Outgoing webhooks: which addresses of customers may be called.

use super::source::{Problem, Source, malformed};

/// Settings of outgoing webhooks. Without them only public addresses are called, by HTTPS, at the ports 443
/// and 8443.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WebhookSettings {
    /// `http` in `ST_WEBHOOKS_ALLOW`: plain HTTP too.
    pub http: bool,
    /// `private` in it: private and loopback addresses too.
    pub private: bool,
    /// `any-port` in it: every port.
    pub any_port: bool,
}

const KEY: &str = "ST_WEBHOOKS_ALLOW";

pub(super) fn read(source: &Source) -> Result<WebhookSettings, Problem> {
    let mut settings = WebhookSettings::default();
    let Some(list) = source.text(KEY) else {
        return Ok(settings);
    };
    for word in list.split(',').map(str::trim) {
        match word {
            "http" => settings.http = true,
            "private" => settings.private = true,
            "any-port" => settings.any_port = true,
            _ => {
                let expected = "a list of `http`, `private` and `any-port`, separated by commas";
                return Err(malformed(KEY, expected, word));
            }
        }
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::{KEY, WebhookSettings};

    fn load(value: &str) -> Result<WebhookSettings, String> {
        let given = [(KEY.to_owned(), value.to_owned())];
        let settings = Settings::load(given, None);
        settings
            .map(|settings| settings.webhooks)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_is_allowed_that_is_not_named() {
        assert_eq!(load("").unwrap(), WebhookSettings::default());
        let some = load("private, http").unwrap();
        assert!(some.private && some.http && !some.any_port);
        let all = load("any-port,http,private").unwrap();
        assert!(all.private && all.http && all.any_port);
    }

    #[test]
    fn an_unknown_word_stops_the_start_and_is_named() {
        for (value, word) in [
            ("https", "https"),
            ("http,,private", ""),
            ("http private", "http private"),
            ("HTTP", "HTTP"),
            ("http,anyport", "anyport"),
        ] {
            let text = load(value).unwrap_err();
            assert!(
                text.contains("ST_WEBHOOKS_ALLOW must be a list"),
                "{value}: {text}"
            );
            assert!(text.contains(&format!("not {word:?}")), "{value}: {text}");
        }
    }
}
