use std::net::SocketAddr;

use anyhow::Context;
use tokio::net::TcpListener;
use xiangyun_api::auth::Auth;
use xiangyun_api::{AccessLog, AppState, RateLimits, Telemetry, Tls};
use xiangyun_engine::{Error, ErrorKind};
use xiangyun_ingest::Ingest;
use xiangyun_ingest::maintain::Upkeep;
use xiangyun_ingest::push::{PushLimits, Pushes};

use crate::args::ServeArgs;
use crate::output::note;
use crate::session::{OBSERVERS_TIMEOUT, Observers, Session, open_serving};
use crate::settings::{LogTarget, SERVER_LISTEN, Settings};

/// Serves the HTTP interface until Ctrl-C or a request to terminate.
pub(super) async fn run(session: &Session, args: ServeArgs) -> anyhow::Result<()> {
    let listen = args.listen.map(|address| (&SERVER_LISTEN, "--listen", address));
    let settings = session.settings(listen.into_iter().collect())?;
    let door = Door::open(&settings)?; // before the lake is opened: a wrong address is told at once
    let (ingest, observers) = open_serving(&settings, session).await?;
    let upkeep = Upkeep::start(ingest.maintenance().optimizing(settings.optimizes()));
    let served = Box::pin(serve(session, &settings, ingest, door, &observers)).await;
    upkeep.close().await;
    observers.close().await;
    served
}

/// Serves, and works the schedule beside it where the settings say so.
async fn serve(
    session: &Session,
    settings: &Settings,
    ingest: Ingest,
    door: Door,
    observers: &Observers,
) -> anyhow::Result<()> {
    let telemetry = observers.telemetry();
    let announce = |url: &str| note(&format!("the server listens on {url}"));
    if !settings.serves_jobs() {
        return until_stopped(&ingest, door, settings, telemetry, announce).await;
    }
    let serving_from = ingest.clone();
    let alerts = super::run::watch(&ingest, observers)?;
    let jobs = super::run::open(ingest, settings)?;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let stopped = async { drop(stopped.await) };
    let serving = async {
        let served = until_stopped(&serving_from, door, settings, telemetry, announce).await;
        drop(stop);
        served
    };
    let working = super::run::work(&jobs, &alerts, &session.environment, session.global.quiet, stopped);
    let (served, worked) = tokio::join!(serving, working);
    alerts.close(OBSERVERS_TIMEOUT).await;
    served.and(worked)
}

/// Where requests come in: what can be refused before the lake is opened.
pub(super) struct Door {
    address: SocketAddr,
    auth: Auth,
    tls: Option<Tls>,
}

impl Door {
    /// Reads who may ask and the certificate, and tells whether the address may be bound with that.
    pub(super) fn open(settings: &Settings) -> anyhow::Result<Self> {
        let address = settings.listen()?;
        let auth = match settings.tokens() {
            Some(path) => Auth::load(&path).map_err(Error::from)?,
            None => Auth::Loopback,
        };
        auth.check_listen(address).map_err(Error::from)?;
        let tls = settings.tls()?.map(|(certificate, key)| Tls::load(&certificate, &key)).transpose()?;
        Ok(Self { address, auth, tls })
    }

    async fn bind(&self) -> anyhow::Result<TcpListener> {
        let address = self.address;
        TcpListener::bind(address).await.map_err(|cause| {
            Error::new(ErrorKind::Unavailable, format!("cannot listen on {address}"))
                .with_hint("choose another address by `--listen`, port 0 takes a free one")
                .with_source(cause)
                .into()
        })
    }
}

/// Binds, says under which address, and serves; running requests end before this returns.
pub(super) async fn until_stopped(
    ingest: &Ingest,
    door: Door,
    settings: &Settings,
    telemetry: &Telemetry,
    announce: impl FnOnce(&str),
) -> anyhow::Result<()> {
    let access_log = match settings.access_log() {
        Some(LogTarget::File(path)) => AccessLog::file(&path, telemetry)?,
        Some(LogTarget::StandardOutput) => AccessLog::standard_output(telemetry)?,
        None => AccessLog::none(),
    };
    let listener = door.bind().await?;
    let address = listener.local_addr().context("cannot tell the address")?;
    announce(&format!("{}://{address}", if door.tls.is_some() { "https" } else { "http" }));
    let (requests, burst) = settings.request_rate();
    let state = AppState {
        pushes: Some(Pushes::new(ingest.clone(), PushLimits::default())),
        rate_limits: RateLimits::per_second(requests, burst),
        telemetry: telemetry.clone(),
        access_log: access_log.clone(),
        ..AppState::new(ingest.engine().clone(), door.auth)
    };
    let served = match door.tls {
        Some(tls) => xiangyun_api::serve_tls(listener, tls, state, stopped()).await,
        None => xiangyun_api::serve(listener, state, stopped()).await,
    };
    access_log.close().await;
    Ok(served?)
}

/// Ends at Ctrl-C, and where a supervisor asks the process to end.
pub(super) async fn stopped() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    // without a handler the signal ends the process by itself: nothing to wait for but that
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
