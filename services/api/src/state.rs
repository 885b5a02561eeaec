//! What every request has at hand. Made once by whoever starts the process; cheap to share.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use application::App;
use application::wire::CredentialCheck;
use auth::{AccessTokens, IdempotencyKeys, Sessions};
use billing::Inbox;
use chrono::{DateTime, Utc};
use connectors::google::{Accounts, KeyError, ServiceAccount, SheetsClient, SheetsOptions, TokenHosts};
use connectors::http::HttpClient;
use database::Pool;
use events::ids::{CabinetId, TenantId};
use read_models::Positions;
use runtime::{Clock, Health, Ids, Metrics};
use secrecy::{ExposeSecret as _, SecretString};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::streams::Streams;

/// A future that may cross threads.
pub type Asked<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The means of the HTTP API.
pub struct ApiState {
    /// Commands.
    pub app: App,
    /// Questions; its role has to be `st_api`.
    pub reads: Pool,
    /// Logins that go on.
    pub sessions: Sessions,
    /// Answers to repeated requests.
    pub answers: IdempotencyKeys,
    /// Access tokens, and keys derived from theirs.
    pub tokens: AccessTokens,
    /// How far the read models are.
    pub positions: Positions,
    /// What this process may not do itself, because it may not open credentials.
    pub errands: Arc<dyn Errands>,
    /// Google, for trying a spreadsheet before it is linked.
    pub google: Google,
    /// Stripe's deliveries; none where the installation sells nothing by card.
    pub webhook: Option<Webhook>,
    /// Time.
    pub clock: Clock,
    /// Ids.
    pub ids: Ids,
    /// Whether this process can work.
    pub health: Health,
    /// Numbers about requests.
    pub metrics: Metrics,
    /// Streams of events that are open.
    pub streams: Streams,
    /// Ends long answers when the process stops.
    pub stopping: CancellationToken,
}

impl ApiState {
    /// After a command that decides who may come in: the next request of anybody is looked up anew.
    pub fn forget_callers(&self) {
        self.sessions.forget();
        self.app.api_keys.forget();
        self.streams.recheck(None);
    }
}

/// How Stripe's deliveries are taken.
#[derive(Clone)]
pub struct Webhook {
    /// Where they are kept.
    pub inbox: Inbox,
    /// The endpoint's secrets: two while one is replaced by another.
    pub secrets: Vec<SecretString>,
    /// How far the time of a signature may be from ours.
    pub tolerance: Duration,
}

/// Things that need a credential opened and are therefore done by another process (the worker, the sheets
/// role). All of them are safe to ask for again.
pub trait Errands: Send + Sync {
    /// Tries the cabinet's credential at its marketplace, or one that was offered in its place, and records
    /// what it brought out.
    fn check_credential(
        &self,
        tenant: TenantId,
        cabinet: CabinetId,
    ) -> Asked<'_, Result<CredentialCheck, ErrandError>>;

    /// Tries the linked spreadsheet with the account it was linked with.
    fn test_sheet(&self, tenant: TenantId) -> Asked<'_, Result<SheetTest, ErrandError>>;

    /// Has the linked spreadsheet written now, and remembers the request under the operation's id.
    fn write_sheet(&self, tenant: TenantId, sync: NewSheetSync) -> Asked<'_, Result<(), ErrandError>>;

    /// What became of a request to write the spreadsheet; none where there was no such request.
    fn sheet_sync(
        &self,
        tenant: TenantId,
        operation: Uuid,
    ) -> Asked<'_, Result<Option<SheetSync>, ErrandError>>;

    /// How far the linked spreadsheet is written.
    fn sheet_progress(&self, tenant: TenantId) -> Asked<'_, Result<SheetProgress, ErrandError>>;
}

/// How a link test came out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SheetTest {
    /// Whether the spreadsheet can be written, as far as can be told without writing.
    pub success: bool,
    /// Its title, when it could be read.
    pub title: Option<String>,
    /// What is wrong or uncertain, in words that say what to do.
    pub findings: Vec<String>,
}

/// A request to write a spreadsheet now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewSheetSync {
    /// Id of its operation.
    pub operation: Uuid,
    /// The cells are to show the read model of this position, or of a later one.
    pub wanted: i64,
    /// Now.
    pub at: DateTime<Utc>,
}

/// What became of such a request. The first write that began after it ends it; then it never changes again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SheetSync {
    /// See [`NewSheetSync::wanted`].
    pub wanted: i64,
    /// When it was made.
    pub requested_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// Why it ended badly, or why it still waits: in one word, and for the seller.
    pub error: Option<(String, String)>,
    /// When it is tried again, while it waits.
    pub retry_at: Option<DateTime<Utc>>,
    /// Position that the cells show.
    pub written_position: i64,
}

/// How far a spreadsheet is written, and what is in the way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SheetProgress {
    /// Position of the log that the cells show; none before the first write.
    pub written_position: Option<i64>,
    /// When it was last written.
    pub last_written_at: Option<DateTime<Utc>>,
    /// As the worksheet is called now.
    pub worksheet_title: Option<String>,
    /// Why the last write failed, if it did, with what to do.
    pub error: Option<String>,
    /// The same in one word.
    pub error_kind: Option<String>,
    /// Since when it fails.
    pub failing_since: Option<DateTime<Utc>>,
    /// When it is tried again.
    pub next_try_at: Option<DateTime<Utc>>,
    /// What was repaired last.
    pub notice: Option<SheetNotice>,
}

/// Something that people did to a spreadsheet and that was repaired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SheetNotice {
    /// In one word.
    pub kind: String,
    /// For the seller.
    pub text: String,
    /// When it was repaired.
    pub at: DateTime<Utc>,
}

/// Why an errand was not run.
#[derive(Debug, thiserror::Error)]
pub enum ErrandError {
    /// The thing is not there (any more).
    #[error("there is nothing to do that with")]
    NotFound,
    /// Nobody answers.
    #[error("the process that does this does not answer: {0}")]
    Away(String),
    /// An outside service failed, in words without secrets.
    #[error("an outside service failed: {0}")]
    Outside(String),
}

/// Google as it is reached from here.
#[derive(Clone)]
pub struct Google {
    /// Outgoing requests.
    pub http: HttpClient,
    /// Where it is.
    pub options: SheetsOptions,
    /// Quotas, shared by the process.
    pub accounts: Arc<Accounts>,
    /// Where keys may lead to.
    pub hosts: TokenHosts,
    /// The service's own key file, if it has one.
    pub own_key: Option<SecretString>,
    /// The shared drive in which spreadsheets are created, if there is one.
    pub shared_drive: Option<String>,
}

impl Google {
    /// A client for a tenant's own key file, or for the service's own; none when there is neither.
    ///
    /// # Errors
    /// [`KeyError`] naming the field of the file that is wrong.
    pub async fn client(&self, key: Option<&SecretString>) -> Result<Option<SheetsClient>, KeyError> {
        let Some(key) = key.or(self.own_key.as_ref()) else {
            return Ok(None);
        };
        let account = ServiceAccount::from_key(key.expose_secret(), self.hosts).await?;
        Ok(Some(SheetsClient::new(
            self.http.clone(),
            account,
            self.options.clone(),
            &self.accounts,
        )))
    }
}
