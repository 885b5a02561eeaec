//! Kinds, language, quiet hours and the hour of a digest.

use std::collections::BTreeMap;

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use application::domain::notice::NoticeKind;
use auth::Role;
use notifications::{Channel, Chats, Language, Preferences, QuietHours, Settings, Stored, may_get};
use serde::Serialize;
use utoipa::ToSchema;

use crate::call::Call;
use crate::handlers::tag;
use crate::input::{self, Fields, Given, Input, shape};
use crate::problem::Problem;
use crate::reply::Reply;

/// What the tag is of.
const SETTINGS: &str = "settings";
const LANGUAGES: &[(&str, Language)] = &[("ru", Language::Russian), ("en", Language::English)];

/// What you are notified of, and when.
#[derive(Debug, Serialize, ToSchema)]
pub struct NotificationSettingsView {
    /// Whether a Telegram account is linked to your login. Without one, nothing is sent.
    pub telegram_linked: bool,
    /// Why Telegram does not deliver to that account, such as `blocked`; none while it does.
    #[schema(required = false)]
    pub telegram_unreachable: Option<String>,
    /// For each kind of notification that your role may get, whether you get it by Telegram.
    #[schema(example = json!({"stock.low": true, "sync.failed": false}))]
    pub telegram: BTreeMap<&'static str, bool>,
    /// `ru` or `en`; none to follow the language of Telegram.
    #[schema(required = false)]
    pub language: Option<&'static str>,
    /// When nothing is sent, by the tenant's clock. What comes meanwhile arrives afterwards as one message.
    #[schema(required = false)]
    pub quiet_hours: Option<QuietHoursView>,
    /// The hour, 0 to 23 by the tenant's clock, at which everything of a day arrives as one message; none to
    /// get it as it happens.
    #[schema(required = false)]
    pub digest_hour: Option<u8>,
}

/// A time of day without messages; it may pass midnight.
#[derive(Debug, Serialize, ToSchema)]
pub struct QuietHoursView {
    /// When it begins, as `HH:MM`.
    #[schema(example = "22:00")]
    pub from: String,
    /// When it ends, as `HH:MM`.
    #[schema(example = "08:00")]
    pub until: String,
}

/// What you want to be notified of, and when. What is left out is as it is for somebody who chose nothing.
#[derive(Debug, Clone, ToSchema)]
pub struct NotificationSettingsRequest {
    /// Kinds of notification and whether you want them by Telegram; kinds that are left out follow your role.
    #[schema(required = false, value_type = Option<BTreeMap<String, bool>>,
             example = json!({"stock.low": true, "sync.failed": false}))]
    pub telegram: BTreeMap<NoticeKind, bool>,
    /// `ru` or `en`; left out to follow the language of Telegram.
    #[schema(required = false, value_type = Option<String>, example = "ru")]
    pub language: Option<Language>,
    /// When nothing shall be sent, by the tenant's clock.
    #[schema(required = false, value_type = Option<QuietHoursRequest>)]
    pub quiet_hours: Option<QuietHours>,
    /// The hour at which everything of a day shall arrive as one message.
    #[schema(required = false, minimum = 0, maximum = 23, value_type = Option<i64>)]
    pub digest_hour: Option<u8>,
}

/// A time of day without messages; it may pass midnight.
#[derive(Debug, Clone, ToSchema)]
pub struct QuietHoursRequest {
    /// When it begins, as `HH:MM`.
    #[schema(example = "22:00", pattern = "^[0-2][0-9]:[0-5][0-9]$")]
    pub from: String,
    /// When it ends, as `HH:MM`; another time than the beginning.
    #[schema(example = "08:00", pattern = "^[0-2][0-9]:[0-5][0-9]$")]
    pub until: String,
}

impl Input for NotificationSettingsRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let telegram = fields.optional("telegram", kinds);
        let language = fields.optional("language", shape::one_of(LANGUAGES));
        let quiet_hours = fields.optional("quiet_hours", quiet_hours);
        let digest_hour = fields.optional("digest_hour", shape::integer(0, 23));
        Some(Self {
            telegram: telegram.unwrap_or_default(),
            language,
            quiet_hours,
            digest_hour: digest_hour.and_then(|hour| u8::try_from(hour).ok()),
        })
    }
}

fn kinds(given: Given<'_>) -> Result<BTreeMap<NoticeKind, bool>, String> {
    let names: Vec<&str> = NoticeKind::ALL.iter().map(|kind| kind.as_str()).collect();
    let fields = shape::object(given, &names)?;
    let mut kinds = BTreeMap::new();
    for kind in NoticeKind::ALL {
        if let Some(on) = shape::part(fields, kind.as_str(), shape::boolean)? {
            kinds.insert(kind, on);
        }
    }
    Ok(kinds)
}

fn quiet_hours(given: Given<'_>) -> Result<QuietHours, String> {
    let fields = shape::object(given, &["from", "until"])?;
    let from = shape::part(fields, "from", minute)?.ok_or("needs `from`")?;
    let until = shape::part(fields, "until", minute)?.ok_or("needs `until`")?;
    if from == until {
        return Err("must end at another time than it begins".to_owned());
    }
    Ok(QuietHours { from, until })
}

/// A time of day, in minutes after midnight.
fn minute(given: Given<'_>) -> Result<u16, String> {
    let wrong = "must be a time of day, such as 22:00";
    let text = given.value.as_str().ok_or(wrong)?;
    let (hours, minutes) = text.split_once(':').ok_or(wrong)?;
    let number = |digits: &str, most: u16| {
        let is_plain = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_digit());
        let number = is_plain.then(|| digits.parse::<u16>().ok()).flatten();
        number.filter(|number| *number <= most).ok_or(wrong)
    };
    Ok(number(hours, 23)? * 60 + number(minutes, 59)?)
}

fn time(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

impl NotificationSettingsView {
    async fn of(call: &Call, stored: &Stored) -> Result<Self, Problem> {
        let chats = Chats::new(call.state.reads.clone());
        let chat = chats.of(call.tenant(), call.principal.user_id).await?;
        let wanted = &stored.preferences;
        let role: Role = call.principal.role;
        let gets = |kind| wanted.wants(Channel::Telegram, kind, role);
        let open = NoticeKind::ALL.into_iter().filter(|kind| may_get(*kind, role));
        Ok(Self {
            telegram_linked: chat.is_some(),
            telegram_unreachable: chat.and_then(|chat| chat.unreachable),
            telegram: open.map(|kind| (kind.as_str(), gets(kind))).collect(),
            language: wanted.language.map(Language::as_str),
            quiet_hours: wanted.quiet.map(|quiet| QuietHoursView {
                from: time(quiet.from),
                until: time(quiet.until),
            }),
            digest_hour: wanted.digest_hour,
        })
    }
}

/// Show what you are notified of, and when.
#[utoipa::path(get, path = "/api/v1/notifications/settings", tag = "notifications",
    operation_id = "my_notification_settings", responses((status = 200, body = NotificationSettingsView)))]
pub async fn show(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let settings = Settings::new(call.state.reads.clone());
    let stored = settings.of(call.tenant(), call.principal.user_id).await?;
    let view = NotificationSettingsView::of(&call, &stored).await?;
    Ok(tag::tagged(
        &request,
        Reply::json(200, &view)?,
        stored.version.into(),
    ))
}

/// Choose what you are notified of, and when; the whole choice at once. Needs `If-Match` with the `ETag` of
/// what you chose before. What waits to be sent follows the new choice.
///
/// # Errors
/// 412, 428; 422 naming what is wrong.
#[utoipa::path(put, path = "/api/v1/notifications/settings", tag = "notifications",
    operation_id = "change_notification_settings",
    params(("If-Match" = String, Header, description = "ETag of the settings as you know them")),
    request_body = NotificationSettingsRequest,
    responses((status = 200, body = NotificationSettingsView)))]
pub async fn change(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let body = input::body::<NotificationSettingsRequest>(&request, payload).await?;
    let wanted = Preferences {
        choices: [(Channel::Telegram, body.value.telegram)].into(),
        language: body.value.language,
        quiet: body.value.quiet_hours,
        digest_hour: body.value.digest_hour,
    };
    let seen = tag::seen(&request, SETTINGS);
    let (user, own) = (call.principal.user_id, call.clone());
    call.command(&request, &body.raw, move |state, context| async move {
        let seen = seen?.map(|version| i32::try_from(version).unwrap_or(i32::MAX));
        let settings = Settings::new(state.reads.clone());
        let stored = settings.put(context.tenant_id, user, &wanted, seen).await?;
        let stored = stored.ok_or_else(|| tag::changed(SETTINGS))?;
        let reply = Reply::json(200, &NotificationSettingsView::of(&own, &stored).await?)?;
        let tag = tag::of(stored.version.into(), &reply.answer().body);
        Ok(reply.etag(tag))
    })
    .await
}
