//! From settings to a running server: database, keys, use cases, doors, loops; and back.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use anyhow::Context;
use axum::{Router, serve::ListenerExt};
use sqlx::{Connection, Executor, PgConnection, PgPool, postgres::PgPoolOptions};
use tokio::net::TcpListener;

use super::{
    app::{self, App, Parts},
    assets::Site,
    clock::{Clock, Rng, SystemClock, SystemRng},
    config::Config,
    http,
    journal::Journal,
    postgres::Postgres,
    provider::{Catalog, DEADLINE, Http, guard},
    secret::{master::MasterKey, token},
    telemetry, worker,
};

/// The schema, and how to get there. Replicas that start at once wait for each other.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// A database connection that was used so recently is taken to be there.
const IDLE: Duration = Duration::from_secs(1);

/// How long a stop waits for browsers that hold a connection open.
const GRACE: Duration = Duration::from_secs(10);

/// The folder of journals, in the data folder.
const JOURNAL: &str = "journal";

/// What one process does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Role {
    #[default]
    All,
    /// Serves pages and the API.
    Web,
    /// Refreshes connections; answers health checks only.
    Worker,
}

/// The database: the one that was named, or a private one that lives as long as this process.
///
/// Blocks; call it from the main thread, before any other is begun.
pub fn database(config: &Config) -> anyhow::Result<(String, Option<Postgres>)> {
    match config.database_url() {
        Some(url) => Ok((url.to_owned(), None)),
        None => {
            let postgres = Postgres::start(&config.data_dir()?)?;
            Ok((postgres.url(), Some(postgres)))
        }
    }
}

/// Connects, and brings the schema up to date.
pub async fn connect(url: &str) -> anyhow::Result<PgPool> {
    prepare(open(url).await?).await
}

/// [`connect`], after everything in the database is forgotten, whatever version made it.
pub async fn connect_afresh(url: &str) -> anyhow::Result<PgPool> {
    let pool = open(url).await?;
    sqlx::raw_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public").execute(&pool).await?;
    prepare(pool).await
}

/// How long whoever needs a connection waits for one: when the database comes back, nobody is to be still
/// waiting for what came before.
const ACQUIRE: Duration = Duration::from_secs(5);
/// A connection that does not answer within this time is closed: what it said is lost on the way, and the
/// operating system would try for a quarter of an hour.
const ANSWER: Duration = Duration::from_secs(2);

async fn answers(conn: &mut PgConnection) -> sqlx::Result<bool> {
    match tokio::time::timeout(ANSWER, conn.ping()).await {
        Ok(answer) => answer.map(|()| true),
        Err(_) => Err(sqlx::Error::PoolTimedOut),
    }
}

/// A transaction whose client says nothing for so long is given up by the database: it keeps rows from
/// everyone else, and its client is gone or cut off.
const GIVE_UP: &str = "SET idle_in_transaction_session_timeout = '5s'";

async fn open(url: &str) -> anyhow::Result<PgPool> {
    PgPoolOptions::new()
        .max_connections(20)
        .acquire_timeout(ACQUIRE)
        .after_release(|conn, _| Box::pin(async move { answers(conn).await }))
        .after_connect(|conn, _| Box::pin(async move { conn.execute(GIVE_UP).await.map(drop) }))
        // Whether a connection is there is asked of those that lay idle, not before each question.
        .test_before_acquire(false)
        .before_acquire(|conn, meta| {
            Box::pin(async move { Ok(meta.idle_for <= IDLE || answers(conn).await?) })
        })
        .connect(url)
        .await
        .context("the database can't be reached")
}

async fn prepare(pool: PgPool) -> anyhow::Result<PgPool> {
    let encoding: String = sqlx::query_scalar("SHOW server_encoding").fetch_one(&pool).await?;
    anyhow::ensure!(
        encoding == "UTF8",
        "the database's encoding is {encoding}: what providers call an account would not fit in; make one \
         with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
    );
    MIGRATIONS.run(&pool).await.context("the schema can't be brought up to date")?;
    Ok(pool)
}

/// The master key that was given, or the one in its file, made when there is none.
pub fn master_key(config: &Config, rng: &dyn Rng) -> anyhow::Result<MasterKey> {
    if let Some(text) = config.master_key() {
        return Ok(MasterKey::parse(&text)?);
    }
    if let Some(path) = &config.master_key_file {
        return Ok(MasterKey::read(path)?);
    }
    let dir = config.data_dir()?;
    std::fs::create_dir_all(&dir)
        .with_context(|| format!("the data folder {} can't be made", dir.display()))?;
    let path = dir.join("master.key");
    let (key, made) = MasterKey::read_or_make(&path, rng)?;
    if made {
        announce_key(&path);
    }
    Ok(key)
}

fn announce_key(path: &Path) {
    tracing::warn!(
        path = %path.display(),
        "made a master key; keep a copy in a safe place: without it no stored token can be opened"
    );
}

/// The use cases, on a database that is up to date.
pub async fn app(config: &Config, pool: PgPool) -> anyhow::Result<App> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let rng: Arc<dyn Rng> = Arc::new(SystemRng);
    let master = master_key(config, rng.as_ref())?;
    let keyring = app::keys::open(&pool, &master, rng.as_ref(), clock.now()).await?;
    let policy =
        guard::Policy { allow_private_networks: config.allow_private_networks, deadline: DEADLINE };
    let suffix = token::hint(&token::make(rng.as_ref(), ""), "");
    let host = nix::unistd::gethostname().unwrap_or_default();
    let catalog = Catalog::load(config.providers_dir.as_deref())?;
    app::provider::refuse_shadows(&pool, &catalog).await?;
    Ok(App::new(Parts {
        pool,
        keyring,
        master,
        http: Http::new(policy, clock.clone(), rng.clone())?,
        catalog,
        public_url: config.public_url()?,
        replica: format!("{}-{}-{suffix}", host.to_string_lossy(), std::process::id()),
        clock,
        rng,
    }))
}

/// Serves until `stop` resolves, then lets requests and refreshes come to their end.
pub async fn serve(
    config: &Config,
    app: App,
    role: Role,
    stop: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let metrics = telemetry::begin_metrics()?;
    let router: Router = match role {
        Role::All | Role::Web => {
            let site = Arc::new(Site::load()?);
            if site.names().is_none() {
                tracing::warn!(
                    "there is no site beside this binary, so pages have neither style nor script; \
                     `cargo xtask build` makes it, and with --release puts it into the binary"
                );
            }
            let trusted_proxies = config.trusted_proxies()?;
            http::router(app.clone(), http::Options { site, metrics, trusted_proxies })
        }
        Role::Worker => http::health_router(app.clone(), metrics),
    };
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("{} can't be listened on", config.listen))?;
    app::upkeep::check_clock(&app).await?;
    // Before anything is claimed: what was obtained before is newer than what is stored.
    replay(config, &app).await;
    let leases = tokio::spawn(worker::keep_leases(app.clone()));
    let mut loops = match role {
        Role::All | Role::Worker => {
            worker::begin(&app, time::Duration::days(config.history_days.into()))
        }
        Role::Web => worker::tend(&app),
    };
    let address = listener.local_addr()?;
    // What is ready to be sent is not held back for more to come.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection is not told to send at once");
        }
    });
    tracing::info!(%address, url = %app.public_url(), ?role, "serving");
    if role != Role::Worker
        && let Some(address) = app::session::offer_setup(&app).await?
    {
        tracing::warn!("no one can sign in yet; make the first admin at {address}");
    }
    let stopping = app.stopping().clone();
    let server = axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown({
            let stopping = stopping.clone();
            async move { stopping.cancelled().await }
        });
    let server = tokio::spawn(async move { server.await });
    stop.await;
    tracing::info!("stopping; refreshes under way come to their end");
    stopping.cancel();
    let _ = tokio::time::timeout(GRACE, server).await;
    // The loops first: one that is about to begin refreshes begins them, and the drain waits.
    while loops.join_next().await.is_some() {}
    app.drain().await;
    leases.abort();
    // The last of them read while we were stopping.
    if let Err(error) = app::token_reader::flush(&app).await {
        tracing::warn!(error = format!("{error:#}"), "the last reads of tokens are not noted");
    }
    Ok(())
}

/// Opens the journal, and stores what earlier processes left in theirs. Without a journal Regrant still
/// runs; `/readyz` says so.
async fn replay(config: &Config, app: &App) {
    let opened = config.data_dir().map_err(anyhow::Error::from).and_then(|dir| {
        let dir = dir.join(JOURNAL);
        Journal::open(&dir, app.new_id())
            .with_context(|| format!("there can be no journal in {}", dir.display()))
    });
    match opened {
        Ok((journal, leftovers)) => {
            if let Some(weakness) = journal.weakness() {
                tracing::warn!("{weakness}");
            }
            app.keep_journal(journal);
            app::refresh::leftovers(app, leftovers).await;
        }
        Err(error) => tracing::error!(
            error = format!("{error:#}"),
            "an answer that PostgreSQL does not take has no place to wait; set REGRANT_DATA_DIR"
        ),
    }
}

/// Forgets the journals of a database that begins afresh.
pub fn forget_journals(config: &Config) -> anyhow::Result<()> {
    match std::fs::remove_dir_all(config.data_dir()?.join(JOURNAL)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Resolves when the process is asked to stop.
pub async fn asked_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

#[cfg(test)]
mod tests {
    use sqlx::ConnectOptions;

    use super::*;

    #[sqlx::test]
    async fn a_client_that_is_gone_keeps_no_rows_for_long(pool: PgPool) {
        let ours = connect(pool.connect_options().to_url_lossy().as_str()).await.unwrap();
        let given_up_after = "SHOW idle_in_transaction_session_timeout";
        let given_up_after: String =
            sqlx::query_scalar(given_up_after).fetch_one(&ours).await.unwrap();
        assert_eq!(given_up_after, "5s");
        ours.close().await;
    }
}
