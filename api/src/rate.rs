//! How often a caller may ask.
//!
//! Each principal, known by name and class, has a bucket of `burst` requests that is refilled steadily. Memory is bounded:
//! full buckets are forgotten, and where too many callers ask at once, new ones share a bucket until there is room again.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::state::keyed::{DashMapStateStore, ShrinkableKeyedStateStore};
use governor::{Quota, RateLimiter};
use xiangyun_engine::{Principal, PrincipalClass};

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");
/// Principals that have a bucket of their own at one time.
const OWN_BUCKETS: usize = 10_000;
/// Requests after which full buckets are forgotten.
const FORGET_EVERY: usize = 1024;

/// A caller; none is the bucket that those without one of their own share.
type Key = Option<(Arc<str>, PrincipalClass)>;

type Buckets<C> = RateLimiter<Key, BoundedStore, C, StateInformationMiddleware>;

/// How often each caller may ask. Cheap to clone.
#[derive(Debug, Clone)]
pub struct RateLimits<C: Clock = DefaultClock>(Option<Arc<Limiter<C>>>);

#[derive(Debug)]
struct Limiter<C: Clock> {
    buckets: Buckets<C>,
    clock: C,
    quota: Quota,
    /// Requests since full buckets were forgotten last.
    asked: AtomicUsize,
}

/// What became of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Allowance {
    /// Requests that a full bucket holds.
    limit: u32,
    /// Requests that are left.
    remaining: u32,
    /// After this the bucket is full, if nothing more is asked.
    reset: Duration,
    /// The request is refused; one will be admitted after this.
    pub(crate) refused_for: Option<Duration>,
}

impl RateLimits {
    /// No limit.
    pub fn none() -> Self {
        Self(None)
    }

    /// One request each `period` on average, and up to `burst` at once. No limit where `period` is zero.
    pub fn every(period: Duration, burst: NonZeroU32) -> Self {
        Self::with_clock(period, burst, DefaultClock::default())
    }

    /// So many requests a second on average, and up to `burst` at once; 0 is no limit.
    pub fn per_second(requests: u32, burst: NonZeroU32) -> Self {
        match Duration::from_secs(1).checked_div(requests) {
            Some(period) => Self::every(period, burst),
            None => Self::none(),
        }
    }
}

impl<C: Clock + Clone> RateLimits<C> {
    fn with_clock(period: Duration, burst: NonZeroU32, clock: C) -> Self {
        Self::bounded(period, burst, clock, OWN_BUCKETS)
    }

    fn bounded(period: Duration, burst: NonZeroU32, clock: C, own_buckets: usize) -> Self {
        let Some(quota) = Quota::with_period(period).map(|quota| quota.allow_burst(burst)) else { return Self(None) };
        let store = BoundedStore { buckets: DashMapStateStore::default(), own_buckets };
        let buckets = Buckets::new(quota, store, clock.clone());
        Self(Some(Arc::new(Limiter { buckets, clock, quota, asked: AtomicUsize::new(0) })))
    }

    /// Takes one request of `principal` from its bucket; none where there is no limit.
    pub(crate) fn take(&self, principal: &Principal) -> Option<Allowance> {
        self.0.as_ref().map(|limiter| limiter.take(principal))
    }
}

impl<C: Clock> Limiter<C> {
    fn take(&self, principal: &Principal) -> Allowance {
        if self.asked.fetch_add(1, Ordering::Relaxed) % FORGET_EVERY == FORGET_EVERY - 1 {
            self.buckets.retain_recent();
        }
        let (limit, period) = (self.quota.burst_size().get(), self.quota.replenish_interval());
        match self.buckets.check_key(&Some((principal.name().into(), principal.class()))) {
            Ok(state) => {
                let remaining = state.remaining_burst_capacity().min(limit);
                Allowance { limit, remaining, reset: period.saturating_mul(limit - remaining), refused_for: None }
            }
            Err(refused) => {
                let wait = refused.wait_time_from(self.clock.now());
                Allowance { limit, remaining: 0, reset: period.saturating_mul(limit), refused_for: Some(wait) }
            }
        }
    }
}

/// Buckets of as many callers as may have one of their own; further ones share the bucket of the key `None`.
#[derive(Debug)]
struct BoundedStore {
    buckets: DashMapStateStore<Key>,
    own_buckets: usize,
}

impl StateStore for BoundedStore {
    type Key = Key;

    fn measure_and_replace<T, F, E>(&self, key: &Key, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        // Between the two looks others may come in: a few more than the bound, as many as there are threads.
        let has_own = self.buckets.contains_key(key) || self.buckets.len() < self.own_buckets;
        self.buckets.measure_and_replace(if has_own { key } else { &None }, measure)
    }
}

impl ShrinkableKeyedStateStore<Key> for BoundedStore {
    fn retain_recent(&self, drop_below: Nanos) {
        self.buckets.retain_recent(drop_below);
    }

    fn len(&self) -> usize {
        self.buckets.len()
    }

    fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }
}

impl Allowance {
    /// Writes the `RateLimit` headers; `Retry-After` too where the request is refused.
    pub(crate) fn tell(self, headers: &mut HeaderMap) {
        headers.insert(LIMIT, HeaderValue::from(self.limit));
        headers.insert(REMAINING, HeaderValue::from(self.remaining));
        headers.insert(RESET, HeaderValue::from(whole_seconds(self.reset)));
        if let Some(wait) = self.refused_for {
            headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(wait).max(1)));
        }
    }
}

/// Rounded up: whoever waits so long has waited long enough.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use governor::clock::FakeRelativeClock;

    use super::*;

    fn limits(burst: u32, own_buckets: usize) -> (RateLimits<FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        let burst = NonZeroU32::new(burst).unwrap();
        (RateLimits::bounded(Duration::from_secs(10), burst, clock.clone(), own_buckets), clock)
    }

    fn analyst(name: &str) -> Principal {
        Principal::new(name, "*", PrincipalClass::Analyst)
    }

    fn told(allowance: Allowance) -> Vec<(String, String)> {
        let mut headers = HeaderMap::new();
        allowance.tell(&mut headers);
        headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect()
    }

    #[test]
    fn a_bucket_empties_is_refilled_and_says_so() {
        let (limits, clock) = limits(2, 10);
        let ask = || limits.take(&analyst("a")).unwrap();
        assert_eq!((ask().remaining, ask().remaining), (1, 0));
        let refused = ask();
        assert_eq!(refused.refused_for, Some(Duration::from_secs(10)));
        let expected =
            [("ratelimit-limit", "2"), ("ratelimit-remaining", "0"), ("ratelimit-reset", "20"), ("retry-after", "10")];
        assert_eq!(told(refused), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        clock.advance(Duration::from_secs(10));
        let admitted = ask();
        assert_eq!((admitted.remaining, admitted.refused_for, told(admitted).len()), (0, None, 3));
    }

    #[test]
    fn each_principal_and_each_class_has_a_bucket_of_its_own() {
        let (limits, _) = limits(1, 10);
        let dashboard = Principal::new("a", "*", PrincipalClass::Dashboard);
        for principal in [analyst("a"), analyst("b"), dashboard] {
            assert_eq!(limits.take(&principal).unwrap().refused_for, None);
            assert!(limits.take(&principal).unwrap().refused_for.is_some());
        }
    }

    #[test]
    fn memory_is_bounded_however_many_callers_there_are() {
        let (limits, clock) = limits(1, 10);
        let admitted = |name: &str| limits.take(&analyst(name)).unwrap().refused_for.is_none();
        // The first ten have a bucket each, all others share one.
        let admissions = (0..1000).filter(|n| admitted(&n.to_string())).count();
        assert_eq!((admissions, limits.0.as_ref().unwrap().buckets.len()), (11, 11));
        assert!(!admitted("0"), "who has a bucket keeps it");
        clock.advance(Duration::from_secs(60));
        assert_eq!((0..FORGET_EVERY).filter(|_| admitted("0")).count(), 1);
        assert!(limits.0.as_ref().unwrap().buckets.len() <= 2, "full buckets are forgotten");
        assert!(admitted("a new one"));
    }

    #[test]
    fn nothing_a_second_is_no_limit() {
        assert!(RateLimits::per_second(0, NonZeroU32::MIN).take(&analyst("a")).is_none());
        assert!(RateLimits::per_second(1, NonZeroU32::MIN).take(&analyst("a")).is_some());
    }
}
