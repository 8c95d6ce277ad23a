//! An object store that fails as real ones do, and a schedule that decides who goes next.
//!
//! Several clients share one store in memory. Every request of every client waits for its turn; a turn is given only when
//! all clients wait, and to whom, and what goes wrong with it, is drawn from one seed. So a run is told by its seed, time
//! does not matter, and a stalled request is one that is passed over for a number of turns.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use tokio::sync::oneshot;

/// Stands in every error that was injected.
pub(crate) const INJECTED: &str = "injected fault";

/// Numbers of a seed (splitmix64).
#[derive(Debug, Clone)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % below.max(1)
    }

    pub(crate) fn percent(&mut self, chance: u64) -> bool {
        self.roll(100) < chance
    }
}

/// What goes wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// The store never sees it.
    Before,
    /// The store does it, and the answer is lost.
    LostReply,
    /// 409: another request is at the same object.
    Busy,
    /// 412.
    Precondition,
    /// 501.
    NotImplemented,
    /// The connection breaks within the body, or within the list.
    Cut,
    /// A list ends before its end and does not say so.
    Short,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Put,
    Get,
    List,
    Other,
}

/// How often a client's requests go wrong.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rates {
    /// Of a hundred requests.
    pub(crate) percent: u64,
    /// Whether lists may end early without a word.
    pub(crate) short_lists: bool,
}

/// Who goes next.
#[derive(Debug)]
pub(crate) struct Schedule {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    dice: Dice,
    /// Those that have not ended, with how often their requests go wrong.
    clients: BTreeMap<usize, Rates>,
    lanes: BTreeMap<usize, Arc<tokio::sync::Mutex<()>>>,
    waiting: Vec<Waiting>,
    tickets: u64,
    trace: Vec<String>,
    faults: BTreeMap<String, usize>,
}

#[derive(Debug)]
struct Waiting {
    client: usize,
    ticket: u64,
    kind: Kind,
    what: String,
    /// Turns that pass it over.
    stalled: u64,
    go: oneshot::Sender<Option<Fault>>,
}

impl Schedule {
    pub(crate) fn new(seed: u64) -> Arc<Self> {
        let (clients, lanes, faults) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let (dice, waiting, trace) = (Dice(seed), Vec::new(), Vec::new());
        let state = State { dice, clients, lanes, waiting, tickets: 0, trace, faults };
        Arc::new(Self { state: Mutex::new(state) })
    }

    /// The lane of a client, whichever of its processes asks.
    fn lane(&self, client: usize) -> Arc<tokio::sync::Mutex<()>> {
        self.state.lock().unwrap().lanes.entry(client).or_default().clone()
    }

    /// All clients must be there before the first one begins.
    pub(crate) fn enter(&self, client: usize, rates: Rates) {
        self.state.lock().unwrap().clients.insert(client, rates);
    }

    pub(crate) fn leave(&self, client: usize) {
        let mut state = self.state.lock().unwrap();
        state.clients.remove(&client);
        state.next();
    }

    /// What happened, a request a line.
    pub(crate) fn trace(&self) -> Vec<String> {
        self.state.lock().unwrap().trace.clone()
    }

    /// How often each fault happened.
    pub(crate) fn faults(&self) -> BTreeMap<String, usize> {
        self.state.lock().unwrap().faults.clone()
    }

    async fn turn(&self, client: usize, kind: Kind, what: String) -> Option<Fault> {
        let (go, told) = oneshot::channel();
        {
            let mut state = self.state.lock().unwrap();
            if !state.clients.contains_key(&client) {
                return None; // work that outlives its client, as a dropped upload
            }
            let ticket = state.tickets;
            state.tickets += 1;
            state.waiting.push(Waiting { client, ticket, kind, what, stalled: 0, go });
            state.next();
        }
        told.await.unwrap_or_default()
    }
}

impl State {
    /// Whether every client waits for a turn.
    fn all_wait(&self) -> bool {
        let waits = |id: &usize| self.waiting.iter().any(|waiting| waiting.client == *id);
        !self.clients.is_empty() && self.clients.keys().all(waits)
    }

    /// Gives turns as long as everybody waits: a client that makes several requests at a time may need more than one of
    /// them to go on.
    fn next(&mut self) {
        while self.all_wait() {
            // Requests that a client makes at the same time come in no certain order: by name, they do.
            self.waiting.sort_by(|left, right| {
                (left.client, &left.what, left.ticket).cmp(&(right.client, &right.what, right.ticket))
            });
            let open: Vec<usize> = (0..self.waiting.len()).filter(|index| self.waiting[*index].stalled == 0).collect();
            for waiting in &mut self.waiting {
                waiting.stalled = waiting.stalled.saturating_sub(1);
            }
            if !open.is_empty() {
                let chosen = self.dice.roll(open.len() as u64);
                self.give(open[usize::try_from(chosen).unwrap()]);
            }
        }
    }

    fn give(&mut self, chosen: usize) {
        let rates = self.clients.get(&self.waiting[chosen].client).copied().unwrap_or_default();
        let faulty = self.dice.percent(rates.percent);
        if faulty && self.dice.percent(20) {
            self.waiting[chosen].stalled = 1 + self.dice.roll(40);
            *self.faults.entry("Stalled".into()).or_default() += 1;
            return;
        }
        let waiting = self.waiting.swap_remove(chosen);
        let fault = if faulty { self.fault(waiting.kind, rates) } else { None };
        self.trace.push(format!("client {} {:?} {} {fault:?}", waiting.client, waiting.kind, waiting.what));
        if let Some(fault) = fault {
            *self.faults.entry(format!("{fault:?}")).or_default() += 1;
        }
        // A request that was dropped meanwhile takes no turn.
        let _ = waiting.go.send(fault);
    }

    fn fault(&mut self, kind: Kind, rates: Rates) -> Option<Fault> {
        let choices: &[Fault] = match kind {
            Kind::Put => &[
                Fault::Before,
                Fault::LostReply,
                Fault::LostReply,
                Fault::Busy,
                Fault::Precondition,
                Fault::NotImplemented,
            ],
            Kind::Get => &[Fault::Before, Fault::Cut, Fault::NotImplemented],
            Kind::List if rates.short_lists => &[Fault::Before, Fault::Cut, Fault::Short],
            Kind::List => &[Fault::Before, Fault::Cut],
            Kind::Other => &[Fault::Before],
        };
        Some(choices[usize::try_from(self.dice.roll(choices.len() as u64)).unwrap()])
    }
}

/// One client's way to the store.
#[derive(Debug, Clone)]
pub(crate) struct FaultyStore {
    inner: Arc<InMemory>,
    schedule: Arc<Schedule>,
    client: usize,
    /// A client waits for one turn at a time: its requests keep the order in which it makes them.
    lane: Arc<tokio::sync::Mutex<()>>,
}

impl FaultyStore {
    pub(crate) fn new(inner: Arc<InMemory>, schedule: Arc<Schedule>, client: usize) -> Self {
        let lane = schedule.lane(client);
        Self { inner, schedule, client, lane }
    }

    async fn turn(&self, kind: Kind, path: Option<&Path>) -> Option<Fault> {
        let path = path.map(ToString::to_string).unwrap_or_default();
        // Names of data files differ from run to run, and so does which partition a client reads first.
        let what = match path.rfind("part-") {
            Some(at) => {
                format!("{}/part-*", path[..at].split("/part=").next().unwrap_or_default().trim_end_matches('/'))
            }
            None => path,
        };
        let _lane = self.lane.lock().await;
        self.schedule.turn(self.client, kind, what).await
    }

    async fn listed(&self, prefix: Option<Path>, offset: Option<Path>) -> Vec<Result<ObjectMeta>> {
        let fault = self.turn(Kind::List, prefix.as_ref()).await;
        if matches!(fault, Some(Fault::Before | Fault::NotImplemented)) {
            return vec![Err(injected("500"))];
        }
        let listed = match &offset {
            Some(offset) => self.inner.list_with_offset(prefix.as_ref(), offset),
            None => self.inner.list(prefix.as_ref()),
        };
        let mut found: Vec<_> = listed.collect().await;
        match fault {
            Some(Fault::Cut) => {
                found.truncate(found.len() / 2);
                found.push(Err(injected("the list was cut off")));
            }
            Some(Fault::Short) => found.truncate(found.len().saturating_sub(1)),
            _ => {}
        }
        found
    }
}

fn injected(what: &str) -> Error {
    Error::Generic { store: "FaultyStore", source: format!("{INJECTED}: {what}").into() }
}

/// What a store answers to a request that it refuses.
fn refusal(fault: Fault, path: &Path, creates: bool) -> Error {
    let (path, source) = (path.to_string(), format!("{INJECTED}: {fault:?}").into());
    match fault {
        // The S3 client takes a conflict of a conditional put for the object of another writer.
        Fault::Busy if creates => Error::AlreadyExists { path, source },
        Fault::Precondition if creates => Error::Precondition { path, source },
        Fault::NotImplemented => {
            Error::NotImplemented { operation: format!("put, {INJECTED}"), implementer: "FaultyStore".into() }
        }
        other => injected(&format!("{other:?}")),
    }
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FaultyStore({})", self.client)
    }
}

#[async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let creates = options.mode == PutMode::Create;
        match self.turn(Kind::Put, Some(location)).await {
            None => self.inner.put_opts(location, payload, options).await,
            Some(Fault::LostReply) => {
                self.inner.put_opts(location, payload, options).await?;
                Err(injected("the reply was lost"))
            }
            Some(fault) => Err(refusal(fault, location, creates)),
        }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        match self.turn(Kind::Other, Some(location)).await {
            None => self.inner.put_multipart_opts(location, options).await,
            Some(_) => Err(injected("500")),
        }
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let fault = self.turn(Kind::Get, Some(location)).await;
        match fault {
            None => self.inner.get_opts(location, options).await,
            Some(Fault::Cut) => {
                let found = self.inner.get_opts(location, options).await?;
                let (meta, range, attributes) = (found.meta.clone(), found.range.clone(), found.attributes.clone());
                let whole = found.bytes().await?;
                let half = whole.slice(..whole.len() / 2);
                let broken = futures::stream::iter([Ok(half), Err(injected("the body was cut off"))]).boxed();
                Ok(GetResult { payload: GetResultPayload::Stream(broken), meta, range, attributes })
            }
            Some(fault) => Err(refusal(fault, location, false)),
        }
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        match self.turn(Kind::Get, Some(location)).await {
            None => self.inner.get_ranges(location, ranges).await,
            Some(fault) => Err(refusal(fault, location, false)),
        }
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (store, prefix) = (self.clone(), prefix.cloned());
        let listed = async move { store.listed(prefix, None).await };
        listed.map(futures::stream::iter).flatten_stream().boxed()
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        let (store, prefix, offset) = (self.clone(), prefix.cloned(), offset.clone());
        let listed = async move { store.listed(prefix, Some(offset)).await };
        listed.map(futures::stream::iter).flatten_stream().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        match self.turn(Kind::Other, prefix).await {
            None => self.inner.list_with_delimiter(prefix).await,
            Some(_) => Err(injected("500")),
        }
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
