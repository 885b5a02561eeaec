//! What is decided about a request before anybody looks at it: whose it is by its address, whether a browser
//! may send it from where it comes from, whether its method exists at all.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ALLOW, HeaderMap,
    HeaderName, HeaderValue, ORIGIN, VARY,
};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage as _, HttpRequest, HttpResponse};
use limits::Limiter;
use runtime::config::Network;

use crate::problem::{Code, Problem};
use crate::server::Times;
use crate::{limits as limited, routes};

/// Methods that some route has.
const METHODS: [Method; 5] = [
    Method::GET,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
];
/// What a page may send.
const MAY_SEND: &str = "authorization, content-type, idempotency-key, if-match, if-none-match, prefer, \
                        stock-min-position, traceparent";
/// What a page may read of an answer.
const MAY_READ: &str = "etag, idempotent-replayed, link, location, preference-applied, ratelimit, \
                        ratelimit-policy, request-id, retry-after, stock-position";
/// How long a browser remembers that, seconds.
const REMEMBERED: &str = "600";

/// Whom to believe and whom to let in.
#[derive(Debug, Default)]
pub struct Gate {
    /// Counts requests; `None` counts nothing.
    pub limiter: Option<Arc<Limiter>>,
    /// Whose `X-Forwarded-For` counts.
    pub proxies: Vec<Network>,
    /// Origins whose pages may call.
    pub origins: Vec<String>,
    /// How long a client may take.
    pub times: Times,
}

/// The address that a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Client(IpAddr);

impl Gate {
    /// The other end of the connection, or whom a trusted proxy names. The header is read from its end: each
    /// proxy appends whom it has seen, and what stands before the last stranger is that stranger's word.
    #[must_use]
    pub fn client(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> IpAddr {
        let trusted = |address: &IpAddr| self.proxies.iter().any(|network| network.contains(*address));
        let mut nearest = peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        if !trusted(&nearest) {
            return nearest;
        }
        let told: Vec<&str> = headers
            .get_all("x-forwarded-for")
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .collect();
        for entry in told.iter().rev() {
            let Some(address) = address_in(entry.trim()) else {
                break;
            };
            nearest = address;
            if !trusted(&address) {
                break;
            }
        }
        nearest
    }

    fn admits(&self, origin: &HeaderValue) -> bool {
        self.origins
            .iter()
            .any(|listed| listed.as_bytes() == origin.as_bytes())
    }
}

/// An address, perhaps with a port behind it as some proxies write it.
fn address_in(text: &str) -> Option<IpAddr> {
    let with_port = || {
        text.parse::<std::net::SocketAddr>()
            .ok()
            .map(|socket| socket.ip())
    };
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    text.parse().ok().or_else(with_port).or_else(bracketed)
}

/// Where a request comes from, as far as trusted proxies can tell.
#[must_use]
pub fn client(request: &HttpRequest) -> IpAddr {
    let found = request.extensions().get::<Client>().copied();
    let peer = || request.peer_addr().map(|peer| peer.ip());
    found.map_or_else(
        || peer().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        |client| client.0,
    )
}

/// The layer right inside the frame.
pub async fn gate(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(gate) = request.app_data::<Data<Gate>>().cloned() else {
        return Err(Problem::new(Code::Internal, "the server is not set up").into());
    };
    let address = gate.client(request.peer_addr().map(|peer| peer.ip()), request.headers());
    request.extensions_mut().insert(Client(address));
    if let Some(answer) = preflight(&gate, &request) {
        return Ok(request.into_response(answer));
    }
    if !METHODS.contains(request.method()) {
        return Ok(refuse(request, no_such_method()));
    }
    // Whether a delivery is Stripe's is known once its signature was checked; until then it is not refused.
    if request.path() != routes::WEBHOOK
        && let Err(problem) = limited::admit_address(&gate, request.request(), address).await
    {
        return Ok(refuse(request, problem));
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}

/// What an answer tells beyond its handler: what is left of the quotas, and that the page may read it.
pub fn finish(response: &mut ServiceResponse<BoxBody>) {
    limited::tell(response);
    let Some(gate) = response.request().app_data::<Data<Gate>>().cloned() else {
        return;
    };
    if gate.origins.is_empty() {
        return;
    }
    let origin = response.request().headers().get(ORIGIN).cloned();
    let headers = response.headers_mut();
    headers.append(VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = origin.filter(|origin| gate.admits(origin)) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(MAY_READ));
    }
}

/// The answer to a browser that asks first; `None` where it asks from elsewhere, or asks nothing.
fn preflight(gate: &Gate, request: &ServiceRequest) -> Option<HttpResponse> {
    let headers = request.headers();
    let asks = request.method() == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let listed = headers.get(ORIGIN).is_some_and(|origin| gate.admits(origin));
    let methods = routes::methods_at(request.path());
    if !asks || !listed || methods.is_empty() {
        return None;
    }
    let mut answer = HttpResponse::NoContent();
    answer.insert_header((ACCESS_CONTROL_ALLOW_METHODS, methods.join(", ")));
    let fixed: [(HeaderName, &str); 2] = [
        (ACCESS_CONTROL_ALLOW_HEADERS, MAY_SEND),
        (ACCESS_CONTROL_MAX_AGE, REMEMBERED),
    ];
    for (name, value) in fixed {
        answer.insert_header((name, value));
    }
    Some(answer.finish())
}

fn no_such_method() -> Problem {
    let allowed = METHODS.map(|method| method.to_string()).join(", ");
    Problem::new(Code::MethodNotAllowed, "no path has this method").header(ALLOW, &allowed)
}

/// As an answer and not as an error, so that the frame writes it out with path and trace, and [`finish`] adds
/// what it adds to all.
fn refuse(request: ServiceRequest, problem: Problem) -> ServiceResponse<BoxBody> {
    request.into_response(HttpResponse::from_error(problem))
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
    use runtime::config::Network;

    use super::Gate;

    fn client(proxies: &[&str], peer: &str, told: &[&str]) -> String {
        let gate = Gate {
            proxies: proxies
                .iter()
                .filter_map(|network| Network::parse(network))
                .collect(),
            ..Gate::default()
        };
        let mut headers = HeaderMap::new();
        for value in told {
            headers.append(
                HeaderName::from_static("x-forwarded-for"),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        gate.client(peer.parse::<IpAddr>().ok(), &headers).to_string()
    }

    #[test]
    fn a_forwarded_address_counts_only_from_a_trusted_proxy() {
        assert_eq!(client(&[], "203.0.113.7", &["192.0.2.1"]), "203.0.113.7");
        assert_eq!(
            client(&["10.0.0.0/8"], "203.0.113.7", &["192.0.2.1"]),
            "203.0.113.7"
        );
        assert_eq!(client(&["10.0.0.0/8"], "10.0.0.1", &["192.0.2.1"]), "192.0.2.1");
    }

    #[test]
    fn what_a_client_writes_itself_is_not_believed_behind_a_proxy() {
        let proxies = ["10.0.0.0/8"];
        assert_eq!(client(&proxies, "10.0.0.1", &["1.1.1.1, 192.0.2.1"]), "192.0.2.1");
        assert_eq!(
            client(&proxies, "10.0.0.1", &["1.1.1.1", "192.0.2.1, 10.0.0.2"]),
            "192.0.2.1"
        );
        assert_eq!(client(&proxies, "10.0.0.1", &["192.0.2.1, nonsense"]), "10.0.0.1");
        assert_eq!(
            client(&proxies, "10.0.0.1", &["[2001:db8::1]:443"]),
            "2001:db8::1"
        );
        assert_eq!(client(&proxies, "10.0.0.1", &[]), "10.0.0.1");
    }
}
