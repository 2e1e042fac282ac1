//! Databases that cannot be used, and what is said about them.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use steadfast_postgres::{OpenError, Options, PostgresStore, SCHEMA_VERSION};
use steadfast_servers::{Postgres, free_port};
use steadfast_services::port::Store as _;
use tokio::task::JoinSet;

use crate::place::{database, open, server};

async fn refused(url: &str) -> OpenError {
    let options = Options { acquire_timeout: Duration::from_secs(3), ..Options::default() };
    match PostgresStore::open(url, options).await {
        Ok(_) => panic!("{url} was opened"),
        Err(error) => {
            assert!(!error.to_string().contains("hunter2"), "the password is shown: {error}");
            error
        }
    }
}

#[tokio::test]
async fn nobody_there_no_such_database_and_a_server_that_is_none() {
    let server = server();
    let nobody = format!("postgres://u:hunter2@127.0.0.1:{}/d", free_port().unwrap());
    let error = refused(&nobody).await;
    assert!(matches!(error, OpenError::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().contains("127.0.0.1"), "{error}");
    let error = refused(&server.url("not_there")).await;
    assert!(matches!(error, OpenError::NoDatabase { .. }), "{error:?}");
    assert!(error.to_string().contains("not_there"), "{error}");
    let error = refused("amqp://u:hunter2@127.0.0.1/d").await;
    assert!(matches!(error, OpenError::Address(_)), "{error:?}");
}

#[tokio::test]
async fn a_wrong_password_and_a_user_that_is_none() {
    let directory = tempfile::tempdir().unwrap();
    let rules = directory.path().join("hba");
    let text = "host all careful 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n";
    std::fs::write(&rules, text).unwrap();
    for (path, mode) in [(directory.path(), 0o755), (rules.as_path(), 0o644)] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let server = Postgres::start(&[("hba_file", rules.to_str().unwrap())]).unwrap();
    server.execute("postgres", "CREATE ROLE careful LOGIN SUPERUSER PASSWORD 'right'").unwrap();
    server.create_database("d").unwrap();
    let with = |who: &str| format!("postgres://{who}@127.0.0.1:{}/d", server.port());
    for who in ["careful:hunter2", "nobody_at_all:hunter2"] {
        let error = refused(&with(who)).await;
        assert!(matches!(error, OpenError::Login { .. }), "{who}: {error:?}");
    }
    open(&with("careful:right")).await;
}

#[tokio::test]
async fn a_user_who_may_not_make_tables_is_told_so() {
    let server = server();
    let name = database(&server);
    server.execute("postgres", "CREATE ROLE guest LOGIN").unwrap();
    let guest = format!("postgres://guest@127.0.0.1:{}/{name}", server.port());
    let error = refused(&guest).await;
    assert!(matches!(error, OpenError::Permission { .. }), "{error:?}");
    assert!(error.to_string().contains("schema steadfast"), "{error}");
}

#[tokio::test]
async fn a_database_of_another_encoding_is_refused() {
    let server = server();
    let sql = "CREATE DATABASE ascii ENCODING 'SQL_ASCII' TEMPLATE template0";
    server.execute("postgres", sql).unwrap();
    let error = refused(&server.url("ascii")).await;
    assert!(
        matches!(&error, OpenError::Encoding { found, .. } if found == "SQL_ASCII"),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_newer_schema_is_left_alone_and_an_older_one_only_changed_with_leave() {
    let server = server();
    let url = server.url(&database(&server));
    let careful = || Options { migrate: false, ..Options::default() };
    let error = PostgresStore::open(&url, careful()).await.map(|_| ());
    assert!(matches!(error, Err(OpenError::OlderSchema { found: 0, .. })), "{error:?}");
    open(&url).await;
    PostgresStore::open(&url, careful()).await.expect("it is up to date");
    let name = url.rsplit('/').next().unwrap();
    let sql = "INSERT INTO steadfast.migration (version, name) VALUES (99, 'from the future')";
    server.execute(name, sql).unwrap();
    let error = refused(&url).await;
    let known = SCHEMA_VERSION;
    let is_newer =
        matches!(error, OpenError::NewerSchema { found: 99, known: k, .. } if k == known);
    assert!(is_newer, "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_who_open_a_new_database_at_once_make_its_tables_once() {
    let server = server();
    let name = database(&server);
    let mut tasks = JoinSet::new();
    for _ in 0..6 {
        let url = server.url(&name);
        tasks.spawn(async move { drop(open(&url).await) });
    }
    tasks.join_all().await;
    // Each is there once, by its key.
    let newest = "SELECT max(version) FROM steadfast.migration";
    assert_eq!(server.execute(&name, newest).unwrap().trim(), SCHEMA_VERSION.to_string());
}

#[tokio::test]
async fn a_connection_is_encrypted_if_that_is_asked_for_and_the_certificate_is_checked() {
    let server = server();
    let name = database(&server);
    let with = |options: &str| format!("{}?{options}", server.url(&name));
    let encrypted = format!(
        "SELECT count(*) FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) \
         WHERE a.datname = '{name}' AND s.ssl AND a.application_name = 'steadfast'"
    );
    let certificate = server.certificate();
    let checked = format!("sslmode=verify-full&sslrootcert={}", certificate.display());
    for options in ["sslmode=require", checked.as_str()] {
        let store = open(&with(options)).await;
        let tx = store.begin("test").await.expect("a transaction begins");
        let count = server.execute("postgres", &encrypted).unwrap();
        assert_eq!(count.trim(), "1", "{options}");
        drop(tx);
        store.close().await;
    }
    let error = refused(&with("sslmode=verify-full")).await;
    assert!(matches!(error, OpenError::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().contains("certificate"), "{error}");
}
