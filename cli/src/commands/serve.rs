use std::net::SocketAddr;

use anyhow::Context;
use tokio::net::TcpListener;
use xiangyun_api::auth::Auth;
use xiangyun_api::{AppState, HttpLimits};
use xiangyun_engine::{Error, ErrorKind};
use xiangyun_ingest::Ingest;
use xiangyun_ingest::maintain::Upkeep;
use xiangyun_ingest::push::{PushLimits, Pushes};

use crate::args::ServeArgs;
use crate::output::note;
use crate::session::{Session, open_serving};
use crate::settings::{SERVER_LISTEN, Settings};

/// Serves the HTTP interface until Ctrl-C or a request to terminate.
pub(super) async fn run(session: &Session, args: ServeArgs) -> anyhow::Result<()> {
    let listen = args.listen.map(|address| (&SERVER_LISTEN, "--listen", address));
    let settings = session.settings(listen.into_iter().collect())?;
    let auth = auth(&settings)?; // before the lake is opened: a wrong address is told at once
    let (ingest, observers) = open_serving(&settings, &session.environment).await?;
    let upkeep = settings.optimizes().then(|| Upkeep::start(ingest.maintenance()));
    let served = serve(session, &settings, ingest, auth).await;
    if let Some(upkeep) = upkeep {
        upkeep.close().await;
    }
    observers.close().await;
    served
}

/// Serves, and works the schedule beside it where the settings say so.
async fn serve(session: &Session, settings: &Settings, ingest: Ingest, auth: Auth) -> anyhow::Result<()> {
    let announce = |address| note(&format!("the server listens on http://{address}"));
    if !settings.serves_jobs() {
        return until_stopped(&ingest, auth, settings, announce).await;
    }
    let serving_from = ingest.clone();
    let jobs = super::run::open(ingest, settings)?;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let stopped = async { drop(stopped.await) };
    let serving = async {
        let served = until_stopped(&serving_from, auth, settings, announce).await;
        drop(stop);
        served
    };
    let working = super::run::work(&jobs, &session.environment, session.global.quiet, stopped);
    let (served, worked) = tokio::join!(serving, working);
    served.and(worked)
}

/// Who may ask, and whether the address may be bound with that.
pub(super) fn auth(settings: &Settings) -> anyhow::Result<Auth> {
    let auth = match settings.tokens() {
        Some(path) => Auth::load(&path).map_err(Error::from)?,
        None => Auth::Loopback,
    };
    auth.check_listen(settings.listen()?).map_err(Error::from)?;
    Ok(auth)
}

/// Binds, says where, and serves; running requests end before this returns.
pub(super) async fn until_stopped(
    ingest: &Ingest,
    auth: Auth,
    settings: &Settings,
    announce: impl FnOnce(SocketAddr),
) -> anyhow::Result<()> {
    let address = settings.listen()?;
    let listener = TcpListener::bind(address).await.map_err(|cause| {
        Error::new(ErrorKind::Unavailable, format!("cannot listen on {address}"))
            .with_hint("choose another address by `--listen`, port 0 takes a free one")
            .with_source(cause)
    })?;
    announce(listener.local_addr().context("cannot tell the address")?);
    let pushes = Some(Pushes::new(ingest.clone(), PushLimits::default()));
    let state = AppState { engine: ingest.engine().clone(), pushes, auth, limits: HttpLimits::default() };
    Ok(xiangyun_api::serve(listener, state, stopped()).await?)
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
