//! Commands happen once. The `Idempotency-Key` names the request; the first answer is kept and given again;
//! and the command's own id is derived from the same key, so that the log refuses a second effect even where
//! the kept answer was lost.

use std::future::Future;

use actix_web::http::header::{HeaderName, HeaderValue, IF_MATCH};
use actix_web::{HttpRequest, HttpResponse};
use auth::access::keyed_hash;
use auth::idempotency::{Claim, RequestKey};
use events::ids::{CommandId, TenantId};
use tracing::Instrument as _;
use uuid::Uuid;

use crate::call::state;
use crate::problem::{Code, Problem};
use crate::reply::Reply;
use crate::state::ApiState;
use crate::trace::Trace;

/// Names a command.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// Longest key, characters.
const LONGEST_KEY: usize = 255;

/// What a request is, so that it can be told from every other one.
pub struct Identity {
    request: RequestKey,
    command_id: CommandId,
    /// Under the key in use, then under those before it.
    fingerprints: Vec<[u8; 32]>,
}

/// What happens when the same request comes again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replay {
    /// It gets the kept answer.
    Stored,
    /// The work runs again; it has to be without a second effect. For answers that hold secrets, which are
    /// not kept.
    Rerun,
}

impl Identity {
    /// From key, method, path, query, precondition, body and whose request it is, within a tenant. A key
    /// belongs to whoever used it first: somebody else of the same business gets neither the kept answer nor,
    /// under it, the belief that something was done for them.
    ///
    /// # Errors
    /// 400 without a usable key.
    pub fn of(request: &HttpRequest, scope: TenantId, whose: Uuid, raw: &[u8]) -> Result<Self, Problem> {
        Self::within(request, scope, "", whose, raw)
    }

    /// The same for somebody who belongs to no tenant yet. Strangers share one scope, so what only one of
    /// them says (an address, a code) takes part: two of them with one key are two commands, and nobody can
    /// take a key that somebody else is about to use.
    ///
    /// # Errors
    /// 400 without a usable key.
    pub fn of_stranger(request: &HttpRequest, who: &str, raw: &[u8]) -> Result<Self, Problem> {
        Self::within(request, TenantId(Uuid::nil()), who, Uuid::nil(), raw)
    }

    fn within(
        request: &HttpRequest,
        scope: TenantId,
        also: &str,
        whose: Uuid,
        raw: &[u8],
    ) -> Result<Self, Problem> {
        let missing =
            |detail: &str| Problem::new(Code::IdempotencyKeyMissing, detail).at("header Idempotency-Key");
        let key = request
            .headers()
            .get(&IDEMPOTENCY_KEY)
            .ok_or_else(|| missing("send an Idempotency-Key header with this command"))?
            .to_str()
            .ok()
            .map(|key| key.trim().trim_matches('"'))
            .filter(|key| !key.is_empty() && key.len() <= LONGEST_KEY)
            .ok_or_else(|| missing("an Idempotency-Key has 1 to 255 visible characters"))?;
        let route = format!("{} {}", request.method(), request.path());
        let if_match = request
            .headers()
            .get(IF_MATCH)
            .map_or(&b""[..], HeaderValue::as_bytes);
        let secrets = state(request)?.tokens.derived_keys("request fingerprints v1");
        let mut message = route.clone().into_bytes();
        for part in [request.query_string().as_bytes(), if_match, raw, whose.as_bytes()] {
            message.extend_from_slice(&(part.len() as u64).to_be_bytes());
            message.extend_from_slice(part);
        }
        let key = format!("{key}\n{also}");
        Ok(Self {
            command_id: CommandId::derived(scope.uuid(), &format!("{route}\n{key}")),
            request: RequestKey { scope, route, key },
            fingerprints: secrets
                .iter()
                .map(|secret| keyed_hash(secret, &message))
                .collect(),
        })
    }

    /// The command's id.
    #[must_use]
    pub const fn command_id(&self) -> CommandId {
        self.command_id
    }
}

/// Does the work, or gives the answer that was given before.
///
/// The work runs in a task of its own: a client that hangs up does not leave half of it undone. What it
/// refuses is not kept, since the same request may succeed later.
///
/// # Errors
/// 409 while the same request runs, 422 when the key was used for another one, and the work's own problems.
pub async fn run<Work, Working>(
    state: &actix_web::web::Data<ApiState>,
    identity: Identity,
    trace: &Trace,
    replay: Replay,
    work: Work,
) -> Result<HttpResponse, Problem>
where
    Work: FnOnce() -> Working + 'static,
    Working: Future<Output = Result<Reply, Problem>> + 'static,
{
    let known: Vec<&[u8]> = identity.fingerprints.iter().map(<[u8; 32]>::as_slice).collect();
    let (fingerprint, older) = known
        .split_first()
        .ok_or_else(|| Problem::new(Code::Internal, "the server has no keys"))?;
    let claim = state
        .answers
        .claim(&identity.request, fingerprint, older, trace.now)
        .await?;
    match claim {
        Claim::Running => {
            let detail = "the same request is still being worked on; ask again for its answer";
            return Err(Problem::new(Code::RequestRunning, detail).retry_after(1));
        }
        Claim::Mismatch => {
            let detail = "this Idempotency-Key came with another request before; use a new one";
            return Err(Problem::new(Code::IdempotencyKeyReused, detail).at("header Idempotency-Key"));
        }
        Claim::Answered(answer) if replay == Replay::Stored => return Ok(replayed(answer.into())),
        Claim::Answered(_) => return Ok(replayed(work().await?)),
        Claim::Yours => {}
    }
    let answers = state.answers.clone();
    let worked = async move {
        let outcome = work().await;
        let kept = match &outcome {
            Ok(reply) if replay == Replay::Stored => answers.finish(&identity.request, reply.answer()).await,
            Ok(_) => {
                let answer = auth::idempotency::Answer {
                    status: 200,
                    headers: Vec::new(),
                    body: Vec::new(),
                };
                answers.finish(&identity.request, &answer).await
            }
            Err(_) => answers.release(&identity.request).await,
        };
        if let Err(error) = kept {
            // The command stands; repeating it meets the log's own rule.
            tracing::warn!(error = ?error, "the answer to a command could not be kept");
        }
        outcome
    };
    let task = actix_web::rt::spawn(worked.in_current_span());
    let outcome = task.await.map_err(|error| {
        Problem::new(
            Code::Internal,
            "something failed on our side; the trace id names it",
        )
        .because(error)
    })?;
    Ok(outcome?.into())
}

fn replayed(reply: Reply) -> HttpResponse {
    let mut response = HttpResponse::from(reply);
    response
        .headers_mut()
        .insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    response
}
