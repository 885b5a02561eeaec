//! What members chose, beside the log: it is nobody's business but theirs, and no event.

use database::Pool;
use domain::notice::NoticeKind;
use events::ids::{TenantId, UserId};
use serde_json::{Map, Value};
use tokio_postgres::Row;

use crate::preferences::{Channel, Language, Preferences, QuietHours};
use crate::{StoreError, inconsistent};

/// Columns in the order [`preferences`] expects.
pub(crate) const COLUMNS: &str = "choices, language, quiet_from, quiet_until, digest_hour";

/// Preferences with their version, which grows with every change; 0 for what was never chosen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stored {
    /// What was chosen.
    pub preferences: Preferences,
    /// For `If-Match`.
    pub version: i32,
}

/// The choices of members. Cheap to clone.
#[derive(Clone)]
pub struct Settings {
    pool: Pool,
}

impl Settings {
    /// Choices over `pool`, whose role has to be `st_api` or `st_gateway`.
    #[must_use]
    pub const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// What a member chose.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn of(&self, tenant: TenantId, user: UserId) -> Result<Stored, StoreError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let sql = format!(
            "SELECT {COLUMNS}, version FROM core.notification_settings WHERE tenant_id = $1 AND user_id = $2"
        );
        let select = transaction.prepare_cached(&sql).await?;
        let row = transaction
            .query_opt(&select, &[&tenant.uuid(), &user.uuid()])
            .await?;
        transaction.commit().await?;
        match row {
            Some(row) => Ok(Stored {
                preferences: preferences(&row, 0)?,
                version: row.try_get(5)?,
            }),
            None => Ok(Stored::default()),
        }
    }

    /// Replaces what a member chose, if it is still at `expected`; none where it is not. What waits for the
    /// member is planned anew by the notifier.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put(
        &self,
        tenant: TenantId,
        user: UserId,
        wanted: &Preferences,
        expected: Option<i32>,
    ) -> Result<Option<Stored>, StoreError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let upsert = transaction
            .prepare_cached(
                "INSERT INTO core.notification_settings AS s \
                        (tenant_id, user_id, choices, language, quiet_from, quiet_until, digest_hour) \
                 SELECT $1, $2, $3, $4, $5, $6, $7 WHERE $8::int IS NULL OR $8 = 0 \
                     OR EXISTS (SELECT FROM core.notification_settings o WHERE o.tenant_id = $1 AND o.user_id = $2) \
                 ON CONFLICT (tenant_id, user_id) DO UPDATE \
                    SET choices = $3, language = $4, quiet_from = $5, quiet_until = $6, digest_hour = $7, \
                        version = s.version + 1, replan = true \
                  WHERE $8::int IS NULL OR s.version = $8 \
                 RETURNING s.version",
            )
            .await?;
        let minutes = |minute: u16| i16::try_from(minute).unwrap_or(i16::MAX);
        let quiet = wanted.quiet;
        let row = transaction
            .query_opt(
                &upsert,
                &[
                    &tenant.uuid(),
                    &user.uuid(),
                    &choices_json(wanted),
                    &wanted.language.map(Language::as_str),
                    &quiet.map(|quiet| minutes(quiet.from)),
                    &quiet.map(|quiet| minutes(quiet.until)),
                    &wanted.digest_hour.map(i16::from),
                    &expected,
                ],
            )
            .await?;
        transaction.commit().await?;
        row.map(|row| {
            Ok(Stored {
                preferences: wanted.clone(),
                version: row.try_get(0)?,
            })
        })
        .transpose()
    }
}

fn choices_json(wanted: &Preferences) -> Value {
    let channels = wanted.choices.iter().map(|(channel, kinds)| {
        let kinds = kinds
            .iter()
            .map(|(kind, on)| (kind.as_str().to_owned(), Value::Bool(*on)));
        (channel.as_str().to_owned(), Value::Object(kinds.collect()))
    });
    Value::Object(channels.collect::<Map<_, _>>())
}

/// Reads [`COLUMNS`], which begin at column `from`.
pub(crate) fn preferences(row: &Row, from: usize) -> Result<Preferences, StoreError> {
    let table = "notification_settings";
    let mut read = Preferences::default();
    let choices: Value = row.try_get(from)?;
    for (channel, kinds) in choices.as_object().into_iter().flatten() {
        // A kind of a newer program is left as it is until that one reads it again.
        let Some(channel) = Channel::parse(channel) else {
            continue;
        };
        let kinds = kinds.as_object().into_iter().flatten();
        let known = kinds.filter_map(|(kind, on)| Some((NoticeKind::parse(kind)?, on.as_bool()?)));
        read.choices.insert(channel, known.collect());
    }
    read.language = row
        .try_get::<_, Option<&str>>(from + 1)?
        .map(|code| Language::parse(code).ok_or(inconsistent(table, "language")))
        .transpose()?;
    let minute = |column: usize| -> Result<Option<u16>, StoreError> {
        let minute: Option<i16> = row.try_get(from + column)?;
        Ok(minute.and_then(|minute| u16::try_from(minute).ok()))
    };
    read.quiet = match (minute(2)?, minute(3)?) {
        (Some(from), Some(until)) => Some(QuietHours { from, until }),
        _ => None,
    };
    read.digest_hour = minute(4)?.and_then(|hour| u8::try_from(hour).ok());
    Ok(read)
}
