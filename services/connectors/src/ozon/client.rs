//! One cabinet's client: where the vendor is, how long it waits for its turn, and the loop that sends a
//! request inside the vendor's limits.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::HeaderName;
use tokio::sync::Mutex;

use super::catalogue::Kept;
use super::credential::Credential;
use super::error;
use super::limits::{Account, Accounts, Group};
use crate::error::{CallError, CallFailure};
use crate::http::{Call, HttpClient, Reply};
use crate::marketplace::{
    AccountCheck, Card, Fetched, Marketplace, OrderObservation, Period, PriceObservation, SizeRef,
    StockSnapshot, Tally,
};
use crate::payload::{PayloadSink, Payloads};
use crate::repeat::Repeats;

const CLIENT_ID: HeaderName = HeaderName::from_static("client-id");
const API_KEY: HeaderName = HeaderName::from_static("api-key");

/// How a client behaves; the defaults are for the real vendor.
#[derive(Debug, Clone)]
pub struct Options {
    /// Longest time a single request waits for its turn; beyond it the call fails with the missing time, so
    /// that a worker can put the job back instead of sleeping through it.
    pub patience: Duration,
    /// Deadline of a request, body included.
    pub deadline: Duration,
    /// Repeats after a 5xx or a failed connection before the failure is reported.
    pub repeats: u32,
    /// Pause before the first repeat; it doubles with each.
    pub repeat_pause: Duration,
    /// Products per page of the catalogue (the vendor's most is 1000).
    pub product_page: u32,
    /// SKUs per request of stock by warehouse (the vendor's most is 100).
    pub stock_batch: usize,
    /// SKUs per request of the seller's own stock. The vendor states no limit; 500 was one for the method
    /// before this one.
    pub fbs_batch: usize,
    /// Rows per page of the seller's own stock (the vendor's most is 1000).
    pub fbs_page: u32,
    /// Postings per page. The schemas of April 2026 say at most 100, newer texts nothing.
    pub posting_page: u32,
    /// How long the catalogue serves the other sources of the same sync before it is read again.
    pub catalogue_age: Duration,
    /// Products per page of attributes (the vendor's most is 1000).
    pub description_page: usize,
    /// Longest time that brands and categories may take in one sync; what is not known by then is not
    /// reported, and nothing waits for it.
    pub description_time: Duration,
    /// How long a brand and the tree of categories are believed before they are read again. A card that
    /// changed is read again at once.
    pub description_age: Duration,
    /// How long after a refusal of the key, or after roles that say nothing of it, its methods are tried: no
    /// verdict rests on one moment.
    pub verdict_pause: Duration,
    /// Largest answer in bytes, decompressed: 100 SKUs at 100 warehouses are about 10 MB.
    pub answer_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            patience: Duration::from_secs(65),
            deadline: Duration::from_secs(60),
            repeats: 2,
            repeat_pause: Duration::from_secs(1),
            product_page: 1000,
            stock_batch: 100,
            fbs_batch: 500,
            fbs_page: 1000,
            posting_page: 100,
            catalogue_age: Duration::from_secs(5 * 60),
            description_page: 1000,
            description_time: Duration::from_secs(60),
            description_age: Duration::from_secs(24 * 60 * 60),
            verdict_pause: Duration::from_secs(2),
            answer_bytes: 64 * 1024 * 1024,
        }
    }
}

/// A client for one Ozon cabinet, made for one sync: it keeps the catalogue between that sync's sources.
#[derive(Debug)]
pub struct Ozon {
    http: HttpClient,
    url: String,
    pub(super) credential: Credential,
    pub(super) account: Arc<Account>,
    pub(super) options: Options,
    pub(super) catalogue: Mutex<Kept>,
    payloads: Payloads,
}

impl Ozon {
    /// `accounts` is shared by the whole process, so that two jobs of one cabinet share the vendor's limits.
    #[must_use]
    pub fn new(
        http: HttpClient,
        url: String,
        credential: Credential,
        accounts: &Accounts,
        options: Options,
    ) -> Self {
        let account = accounts.of(credential.client_id());
        Self {
            http,
            url,
            credential,
            account,
            options,
            catalogue: Mutex::default(),
            payloads: Payloads::default(),
        }
    }

    /// The same, where a copy of every answer is handed to `sink`.
    #[must_use]
    pub fn keeping(self, sink: Arc<dyn PayloadSink>) -> Self {
        Self {
            payloads: Payloads::to(sink),
            ..self
        }
    }

    /// Counts a source's answers, and copies them where they are kept.
    pub(super) fn tally(&self, source: &'static str, fields: &'static [&'static str]) -> Tally {
        Tally::copying(self.payloads.copy(source, fields))
    }

    /// Sends a question inside the limits and reads the whole answer; only success comes back. `endpoint` is
    /// `POST` and the path: the vendor knows no other method and no other address.
    pub(super) async fn ask(
        &self,
        group: Group,
        endpoint: &'static str,
        body: &(impl serde::Serialize + Sync),
    ) -> Result<Reply, CallError> {
        let path = endpoint.strip_prefix("POST ").unwrap_or(endpoint);
        let call = Call::new(endpoint, Method::POST, &self.url, path)?
            .secret(CLIENT_ID, &self.credential.client_id().to_string())?
            .secret(API_KEY, self.credential.expose())?
            .deadline(self.options.deadline)
            .limit(self.options.answer_bytes)
            .json(body)?;
        let mut attempt = 0;
        loop {
            match self.ask_once(group, &call).await {
                Ok(reply) => return Ok(reply),
                Err(error) => self.pause_after(group, error, &mut attempt).await?,
            }
        }
    }

    async fn ask_once(&self, group: Group, call: &Call) -> Result<Reply, CallError> {
        let bucket = self.account.bucket(group);
        self.turn(group, call).await?;
        if group != Group::All {
            self.turn(Group::All, call).await?;
        }
        let opened = self.http.open(call).await;
        bucket.answered().await;
        let opened = opened?;
        if (200..300).contains(&opened.status()) {
            opened.expect_json()?;
        }
        let reply = opened.read().await?;
        if reply.is_success() {
            return Ok(reply);
        }
        // Never shorter than the vendor's "per second", whatever the clock of our own bucket.
        let untold = bucket.limit().interval.max(Duration::from_secs(1));
        let failure = error::failure(&reply, self.credential.expose(), untold);
        if let CallFailure::RateLimited { retry_after, .. } = &failure {
            bucket.close_for(*retry_after).await;
            if error::is_open_circle(&reply) {
                self.account.bucket(Group::All).close_for(*retry_after).await;
            }
        }
        Err(CallError::new(call.endpoint(), failure))
    }

    async fn turn(&self, group: Group, call: &Call) -> Result<(), CallError> {
        let patience = self.account.patience(self.options.patience);
        let acquired = self.account.bucket(group).acquire(patience).await;
        acquired.map_err(|missing| {
            let failure = CallFailure::RateLimited {
                retry_after: missing,
                told: false,
            };
            CallError::new(call.endpoint(), failure)
        })
    }

    /// Waits before a repeat, or gives the failure back when a repeat is useless or too far away.
    async fn pause_after(&self, group: Group, error: CallError, attempt: &mut u32) -> Result<(), CallError> {
        let repeats = Repeats {
            patience: self.account.patience(self.options.patience),
            count: self.options.repeats,
            pause: self.options.repeat_pause,
        };
        repeats
            .pause_after(error, self.account.wait(group), attempt)
            .await
    }
}

impl Marketplace for Ozon {
    async fn check(&self) -> Result<AccountCheck, CallError> {
        self.fetch_check().await
    }

    async fn cards(&self, on_page: &mut (dyn FnMut(Vec<Card>) + Send)) -> Result<Fetched<()>, CallError> {
        self.fetch_cards(on_page).await
    }

    async fn prices(&self) -> Result<Fetched<Vec<PriceObservation>>, CallError> {
        self.fetch_prices().await
    }

    async fn fbo_stock(&self) -> Result<Fetched<StockSnapshot>, CallError> {
        self.fetch_fbo_stock().await
    }

    async fn fbs_stock(&self, sizes: &[SizeRef]) -> Result<Fetched<StockSnapshot>, CallError> {
        self.fetch_fbs_stock(sizes).await
    }

    async fn orders(&self, period: Period) -> Result<Fetched<Vec<OrderObservation>>, CallError> {
        self.fetch_orders(period).await
    }
}
