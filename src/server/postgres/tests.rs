use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};
use tempfile::TempDir;

use super::*;

const HOLD: &str = "REGRANT_TEST_HOLD";

/// A folder that the cluster's account can walk to.
fn place() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o711)).unwrap();
    dir
}

fn run<T>(url: &str, work: impl AsyncFnOnce(&mut PgConnection) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut db = PgConnectOptions::from_str(url).unwrap().connect().await.unwrap();
        let result = work(&mut db).await;
        db.close().await.unwrap();
        result
    })
}

fn remember(url: &str, word: &str) {
    run(url, async |db| {
        let sql = "CREATE TABLE IF NOT EXISTS memory (word text)";
        sqlx::query(sql).execute(&mut *db).await.unwrap();
        sqlx::query("INSERT INTO memory VALUES ($1)").bind(word).execute(db).await.unwrap();
    });
}

fn remembered(url: &str) -> Vec<String> {
    run(url, async |db| {
        sqlx::query_scalar("SELECT word FROM memory ORDER BY word").fetch_all(db).await.unwrap()
    })
}

fn setting(url: &str, name: &str) -> String {
    run(url, async |db| {
        sqlx::query_scalar("SELECT current_setting($1)").bind(name).fetch_one(db).await.unwrap()
    })
}

#[test]
fn a_cluster_is_made_reached_and_found_again() {
    let place = place();
    let data_dir = place.path().join("new/data");

    let cluster = Postgres::start(&data_dir).unwrap();
    let url = cluster.url();
    remember(&url, "kept");
    assert_eq!(setting(&url, "fsync"), "on");
    assert_eq!(setting(&url, "listen_addresses"), "");
    assert_eq!(setting(&url, "server_encoding"), "UTF8");
    let mode = fs::metadata(&cluster.home.socket_dir).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    cluster.stop().unwrap();

    let cluster = Postgres::start(&data_dir).unwrap();
    assert_eq!(remembered(&cluster.url()), ["kept"]);
    cluster.stop().unwrap();
}

#[test]
fn a_data_folder_too_deep_for_a_socket_works() {
    let place = place();
    let data_dir = place.path().join("deep".repeat(30));
    let cluster = Postgres::start(&data_dir).unwrap();
    remember(&cluster.url(), "deep");
    assert!(!cluster.home.socket_dir.starts_with(&data_dir));
    let socket_dir = cluster.home.socket_dir.clone();
    cluster.stop().unwrap();
    fs::remove_dir_all(socket_dir).unwrap();
}

#[test]
fn a_data_folder_that_only_root_may_enter_works() {
    // As `tempdir` makes it: mode 0700, so another account cannot pass.
    let place = tempfile::tempdir().unwrap();
    let data_dir = place.path().join("data");
    let cluster = Postgres::start(&data_dir).unwrap();
    remember(&cluster.url(), "closed");
    cluster.stop().unwrap();

    let cluster = Postgres::start(&data_dir).unwrap();
    assert_eq!(remembered(&cluster.url()), ["closed"]);
    let root = cluster.home.root.clone();
    cluster.stop().unwrap();
    fs::remove_dir_all(root).unwrap();

    // The cluster is gone and its link leads nowhere: a new one, not an error.
    let cluster = Postgres::start(&data_dir).unwrap();
    remember(&cluster.url(), "new");
    assert_eq!(remembered(&cluster.url()), ["new"]);
    let root = cluster.home.root.clone();
    cluster.stop().unwrap();
    fs::remove_dir_all(root).unwrap();
}

#[test]
fn a_second_holder_is_refused_and_told_who_holds_it() {
    let place = place();
    let first = Postgres::start(place.path()).unwrap();
    let error = Postgres::start(place.path()).unwrap_err();
    assert!(matches!(error, Error::InUse { pid: Some(pid), .. } if pid == std::process::id()));
    assert!(error.to_string().contains(&format!("(process {})", std::process::id())));
    first.stop().unwrap();
    Postgres::start(place.path()).unwrap().stop().unwrap();
}

#[test]
fn an_interrupted_first_start_is_begun_again() {
    let place = place();
    Postgres::start(place.path()).unwrap().stop().unwrap();
    let root = place.path().join("postgres");
    fs::rename(root.join("data"), root.join("data.new")).unwrap();
    fs::remove_file(root.join("data.new/global/pg_control")).unwrap();

    let cluster = Postgres::start(place.path()).unwrap();
    remember(&cluster.url(), "whole");
    cluster.stop().unwrap();
}

/// Not a test of its own: the process that [`a_killed_holder_leaves_a_cluster_that_starts`] kills.
#[test]
#[ignore = "run by another test"]
fn holder() {
    let Some(data_dir) = std::env::var_os(HOLD) else { return };
    let cluster = Postgres::start(Path::new(&data_dir)).unwrap();
    remember(&cluster.url(), "committed");
    println!("\nholding {}", cluster.child.id());
    let _ = io::stdin().read(&mut [0]);
    cluster.stop().unwrap();
}

#[test]
fn a_killed_holder_leaves_a_cluster_that_starts() {
    let place = place();
    let mut holder = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "server::postgres::tests::holder", "--ignored", "--nocapture"])
        .env(HOLD, place.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(holder.stdout.take().unwrap()).lines();
    let line = lines.map(Result::unwrap).find(|line| line.starts_with("holding ")).unwrap();
    let orphan: i32 = line.trim_start_matches("holding ").parse().unwrap();
    // Stopped, the orphan cannot follow its parent until the new start is already looking at it.
    kill(Pid::from_raw(orphan), Signal::SIGSTOP).unwrap();
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert!(place.path().join("postgres/data/postmaster.pid").exists());

    let starting = thread::spawn({
        let data_dir = place.path().to_owned();
        move || {
            let cluster = Postgres::start(&data_dir).unwrap();
            let words = remembered(&cluster.url());
            cluster.stop().unwrap();
            words
        }
    });
    kill(Pid::from_raw(orphan), Signal::SIGCONT).unwrap();
    assert_eq!(starting.join().unwrap(), ["committed"]);
}

#[test]
fn a_cluster_that_nobody_ends_is_stopped_first() {
    let place = place();
    let cluster = Postgres::start(place.path()).unwrap();
    let account = cluster.home.account;
    let data = cluster.home.data();
    let socket_dir = cluster.home.socket_dir.clone();
    cluster.stop().unwrap();

    // Started by hand, as from an old Regrant on a system without PR_SET_PDEATHSIG.
    let mut by_hand = Command::new(find_binaries().unwrap().join("postgres"));
    by_hand.arg("-D").arg(&data).args(["-c", "listen_addresses=", "-k"]).arg(&socket_dir);
    account.apply(&mut by_hand);
    let mut by_hand = by_hand.current_dir("/").stderr(Stdio::null()).spawn().unwrap();
    while !leftover::is_ready(&data, by_hand.id()) {
        thread::sleep(POLL);
    }
    // Its parent has to collect it, or it stays in the table of processes.
    let reaper = thread::spawn(move || by_hand.wait().unwrap());

    let cluster = Postgres::start(place.path()).unwrap();
    remember(&cluster.url(), "mine");
    assert!(reaper.join().unwrap().success());
    cluster.stop().unwrap();
}

#[test]
fn a_pid_file_that_names_a_stranger_is_cleared() {
    let place = place();
    let cluster = Postgres::start(place.path()).unwrap();
    let pid_file = cluster.home.data().join("postmaster.pid");
    cluster.stop().unwrap();
    for content in [format!("{}\n/somewhere\n", std::process::id()), "4194304\n".to_owned()] {
        fs::write(&pid_file, content).unwrap();
        Postgres::start(place.path()).unwrap().stop().unwrap();
    }
}

#[test]
fn a_cluster_of_another_version_names_the_package() {
    let place = place();
    Postgres::start(place.path()).unwrap().stop().unwrap();
    let data = place.path().join("postgres/data");
    fs::write(data.join("PG_VERSION"), "9\n").unwrap();
    let error = Postgres::start(place.path()).unwrap_err();
    assert!(matches!(&error, Error::OtherVersion { major, .. } if major == "9"));
    assert!(error.to_string().contains("postgresql-9"));
}

#[test]
fn a_failed_start_says_what_postgresql_said() {
    let place = place();
    Postgres::start(place.path()).unwrap().stop().unwrap();
    fs::write(place.path().join("postgres/data/pg_hba.conf"), "nonsense\n").unwrap();
    let error = Postgres::start(place.path()).unwrap_err();
    assert!(matches!(&error, Error::Start { .. }), "{error}");
    assert!(error.to_string().contains("pg_hba.conf"), "{error}");
}

#[test]
fn without_postgresql_the_remedy_is_named() {
    let said = Error::NotInstalled.to_string();
    for remedy in ["apt-get install postgresql-15", "PG_BIN_DIR", "DATABASE_URL"] {
        assert!(said.contains(remedy));
    }
    assert!(!said.contains('\n'));
}
