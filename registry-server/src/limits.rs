//! Counts requests and refuses those of a caller that asks too often.
//!
//! Only `api/v1/` is counted: what an install reads is static files, which cost nothing and
//! must not run dry. Each server counts for itself.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use provisioning_package::Digest;
use provisioning_registry_api::operation::RateStatus;
use provisioning_registry_api::token::TokenText;

use crate::app::App;
use crate::listener::ClientAddress;
use crate::problem::{Code, Refusal};
use crate::rules::rate::{Rate, RateClass, Rates};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STATUS: HeaderName = HeaderName::from_static("ratelimit");

type Keyed =
    RateLimiter<String, DashMapStateStore<String>, DefaultClock, StateInformationMiddleware>;

/// The counters of every class.
pub(crate) struct Limiters {
    classes: Vec<Limiter>,
    /// Tokens that were let in lately. Any other is counted by its address: everybody can make
    /// up as many texts that look like tokens as there are quotas to get round.
    known: Mutex<HashSet<Digest>>,
}

/// Tokens that are remembered; beyond that all are forgotten, and come back as they are used.
const KNOWN_MAX: usize = 100_000;

struct Limiter {
    class: RateClass,
    rate: Rate,
    keyed: Keyed,
}

/// What a count says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Counted {
    class: RateClass,
    rate: Rate,
    /// Requests that may still come now; `Err` is how long to wait for the next.
    left: Result<u32, Duration>,
}

impl Limiters {
    /// Counters for `rates`.
    pub(crate) fn new(rates: &Rates) -> Self {
        let limiter = |class: RateClass| {
            let rate = rates.of(class)?;
            let quota = Quota::with_period(rate.window / rate.quota.get())?.allow_burst(rate.quota);
            Some(Limiter {
                class,
                rate,
                keyed: RateLimiter::dashmap(quota).with_middleware(),
            })
        };
        Self {
            classes: RateClass::ALL.into_iter().filter_map(limiter).collect(),
            known: Mutex::default(),
        }
    }

    /// Remembers a token that was let in: from now on it has a quota of its own.
    pub(crate) fn remember(&self, token: Digest) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KNOWN_MAX && !known.contains(&token) {
            known.clear();
        }
        known.insert(token);
    }

    /// A caller: the token that it shows, or the address that it comes from.
    fn key(&self, headers: &HeaderMap, address: IpAddr) -> String {
        let token = headers
            .get(header::AUTHORIZATION)
            .and_then(|it| it.to_str().ok()?.split_once(' '))
            .and_then(|(_, token)| TokenText::parse(token.trim()))
            .map(|it| it.hash());
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match token {
            Some(token) if known.contains(&token) => format!("token:{}", token.hex()),
            Some(_) | None => address_key(address),
        }
    }

    /// Counts one request; `None` where its class has no limit.
    fn count(&self, class: RateClass, key: &str) -> Option<Counted> {
        let limiter = self.classes.iter().find(|it| it.class == class)?;
        let left = match limiter.keyed.check_key(&key.to_owned()) {
            Ok(state) => Ok(state.remaining_burst_capacity()),
            Err(not_yet) => Err(not_yet.wait_time_from(DefaultClock::default().now())),
        };
        Some(Counted {
            class,
            rate: limiter.rate,
            left,
        })
    }

    /// What a caller may do; asking counts as one request of each sort.
    pub(crate) fn status(&self, headers: &HeaderMap, address: IpAddr) -> Vec<RateStatus> {
        let key = self.key(headers, address);
        RateClass::ALL
            .into_iter()
            .map(|class| {
                let key = match class {
                    RateClass::Login => address_key(address),
                    RateClass::Read | RateClass::Write => key.clone(),
                };
                let counted = self.count(class, &key);
                RateStatus {
                    name: class.as_str().to_owned(),
                    quota: counted.map(|it| it.rate.quota.get().into()),
                    window_seconds: counted.map(|it| it.rate.window.as_secs()),
                    remaining: counted.map(|it| it.left.map_or(0, u64::from)),
                }
            })
            .collect()
    }

    /// Forgets callers that have all of their quota again.
    pub(crate) fn forget_rested(&self) {
        for limiter in &self.classes {
            limiter.keyed.retain_recent();
            limiter.keyed.shrink_to_fit();
        }
    }
}

/// The layer around every route.
pub(crate) async fn limit(State(app): State<App>, request: Request, next: Next) -> Response {
    if !request.uri().path().starts_with("/api/") {
        return next.run(request).await;
    }
    let address = request
        .extensions()
        .get::<ClientAddress>()
        .map_or(IpAddr::from([0, 0, 0, 0]), |it| it.0);
    let class = match *request.method() {
        Method::GET | Method::HEAD | Method::OPTIONS => RateClass::Read,
        _ => RateClass::Write,
    };
    let counted = app
        .limiters
        .count(class, &app.limiters.key(request.headers(), address));
    if let Some(Counted {
        left: Err(wait), ..
    }) = counted
    {
        return refuse(counted, wait);
    }
    let has_token = request.headers().contains_key(header::AUTHORIZATION);
    let mut response = next.run(request).await;
    if has_token && response.status() == StatusCode::UNAUTHORIZED {
        // Guessing tokens is what this slows down.
        let failed = app.limiters.count(RateClass::Login, &address_key(address));
        if let Some(Counted {
            left: Err(wait), ..
        }) = failed
        {
            return refuse(failed, wait);
        }
    }
    if let Some(counted) = counted {
        describe(response.headers_mut(), &counted);
    }
    response
}

/// An address; of IPv6 the network of one customer.
fn address_key(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => format!("address:{address}"),
        IpAddr::V6(address) => format!("network:{:x?}", &address.segments()[..4]),
    }
}

fn refuse(counted: Option<Counted>, wait: Duration) -> Response {
    let seconds = wait.as_secs() + 1;
    metrics::counter!(
        "provisioning_registry_rate_limited_total",
        "class" => counted.map_or("", |it| it.class.as_str())
    )
    .increment(1);
    let mut response = Refusal::new(
        Code::RateLimited,
        format!("too many requests: the next one may come in {seconds} s"),
    )
    .hint("`Retry-After` says when; `GET /api/v1/me/limits` says how often you may ask")
    .into_response();
    let headers = response.headers_mut();
    headers.insert(header::RETRY_AFTER, seconds.into());
    if let Some(counted) = counted {
        describe(headers, &counted);
    }
    response
}

/// The headers of draft-ietf-httpapi-ratelimit-headers: what holds, and what is left.
fn describe(headers: &mut HeaderMap, counted: &Counted) {
    let Counted { class, rate, left } = counted;
    let window = rate.window.as_secs();
    let policy = format!("\"{class}\";q={};w={window}", rate.quota);
    let left = left.unwrap_or(0);
    let used = u64::from(rate.quota.get().saturating_sub(left));
    let rested = (used * window).div_ceil(u64::from(rate.quota.get()));
    let status = format!("\"{class}\";r={left};t={rested}");
    for (name, text) in [(POLICY, policy), (STATUS, status)] {
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU32;

    fn two_an_hour() -> Limiters {
        let rate = Rate {
            quota: NonZeroU32::new(2).unwrap(),
            window: Duration::from_hours(1),
        };
        Limiters::new(&Rates {
            read: Some(rate),
            write: None,
            login: None,
        })
    }

    #[test]
    fn each_caller_has_a_quota_of_its_own() {
        let limiters = two_an_hour();
        let left = |key: &str| limiters.count(RateClass::Read, key).unwrap().left;
        assert_eq!((left("a"), left("a")), (Ok(1), Ok(0)));
        assert!(left("a").unwrap_err() > Duration::from_mins(20));
        assert_eq!(left("b"), Ok(1));
        assert_eq!(limiters.count(RateClass::Write, "a"), None);
    }

    #[test]
    fn a_refusal_says_when_to_come_again_and_what_holds() {
        let limiters = two_an_hour();
        limiters.count(RateClass::Read, "a");
        limiters.count(RateClass::Read, "a");
        let counted = limiters.count(RateClass::Read, "a").unwrap();
        let response = refuse(Some(counted), counted.left.unwrap_err());
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        let wait: u64 = header("retry-after").parse().unwrap();
        assert!((1..=1801).contains(&wait), "{wait}");
        assert_eq!(header("ratelimit-policy"), "\"read\";q=2;w=3600");
        assert_eq!(header("ratelimit"), "\"read\";r=0;t=3600");
    }

    #[test]
    fn neighbours_in_one_ipv6_network_are_one_caller() {
        let key = |text: &str| address_key(text.parse().unwrap());
        assert_eq!(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff::9"));
        assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
        assert_eq!(key("::ffff:192.0.2.1"), key("192.0.2.1"));
    }

    #[test]
    fn a_token_counts_for_itself_only_once_it_was_let_in() {
        let limiters = two_an_hour();
        let token = TokenText::from_random([7; 20]);
        let mut headers = HeaderMap::new();
        let value = format!("Bearer {}", token.reveal());
        headers.insert(
            header::AUTHORIZATION,
            HeaderValue::from_str(&value).unwrap(),
        );
        let address = IpAddr::from([192, 0, 2, 1]);
        assert_eq!(limiters.key(&headers, address), "address:192.0.2.1");
        limiters.remember(token.hash());
        assert!(limiters.key(&headers, address).starts_with("token:"));
    }
}
