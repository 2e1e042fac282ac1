//! The data directory and what is refused when it is opened.

mod common;

use std::path::{Path, PathBuf};
use std::time::Duration;

use common::*;
use steadfast_core::ExecutionId;
use steadfast_core::worker::WorkerState;
use steadfast_embedded::{DataDir, EmbeddedStore, OpenError, Options, SCHEMA_VERSION};
use steadfast_services::port::{Batch, Query, Store, Transaction};

/// A directory that outlives the stores in it.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("embedded-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).expect("it can be created");
        Self(path)
    }

    fn path(&self) -> PathBuf {
        self.0.join("data")
    }

    async fn open(&self) -> Result<EmbeddedStore, OpenError> {
        EmbeddedStore::open(DataDir::open(self.path()).await?, Options::default()).await
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn what_was_committed_is_there_after_opening_again() {
    let scratch = Scratch::new("again");
    let store = scratch.open().await.unwrap();
    let mut tx = store.begin("test").await.unwrap();
    let ids = tx.allocate(2).await.unwrap();
    let before = tx.now().await.unwrap();
    tx.apply(Batch::InsertExecutions(&[execution(ids.start)])).await.unwrap();
    commit(tx).await;
    store.close().await.unwrap();
    assert!(store.begin("test").await.is_err(), "it is closed");
    drop(store);
    let files = std::fs::read_dir(scratch.path()).unwrap();
    let mut names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["lock", "logs", "steadfast.db"], "the log is folded in");

    let store = scratch.open().await.unwrap();
    assert!(Query::execution(&store, ExecutionId(ids.start)).await.unwrap().is_some());
    let mut tx = store.begin("test").await.unwrap();
    assert_eq!(tx.allocate(1).await.unwrap(), ids.end..ids.end + 1, "no identity was wasted");
    assert!(tx.now().await.unwrap() >= before);
}

#[tokio::test]
async fn without_a_close_nothing_is_lost_and_no_identity_comes_twice() {
    let scratch = Scratch::new("unclosed");
    let store = scratch.open().await.unwrap();
    let mut tx = store.begin("test").await.unwrap();
    let ids = tx.allocate(5).await.unwrap();
    commit(tx).await;
    drop(store);
    let store = scratch.open().await.unwrap();
    let mut tx = store.begin("test").await.unwrap();
    assert!(tx.allocate(1).await.unwrap().start >= ids.end);
}

#[tokio::test]
async fn the_clock_does_not_fall_behind_what_is_stored() {
    let scratch = Scratch::new("clock");
    let store = scratch.open().await.unwrap();
    let mut row = execution(1);
    // As if the system's clock had been an hour ahead.
    let mut tx = store.begin("test").await.unwrap();
    row.created_at = tx.now().await.unwrap() + steadfast_core::Span::from_secs(3600);
    tx.apply(Batch::InsertExecutions(std::slice::from_ref(&row))).await.unwrap();
    commit(tx).await;
    store.close().await.unwrap();
    drop(store);
    let store = scratch.open().await.unwrap();
    let mut tx = store.begin("test").await.unwrap();
    assert!(tx.now().await.unwrap() >= row.created_at);
}

#[tokio::test]
async fn a_directory_in_use_is_refused_and_names_the_process() {
    let scratch = Scratch::new("in-use");
    let first = DataDir::open(scratch.path()).await.unwrap();
    let error = DataDir::open(scratch.path()).await.unwrap_err();
    let OpenError::InUse { path, pid } = &error else { panic!("{error}") };
    assert_eq!((path.as_path(), *pid), (scratch.path().as_path(), Some(std::process::id())));
    assert!(error.to_string().contains("is in use by process"), "{error}");
    drop(first);
    DataDir::open(scratch.path()).await.unwrap();
}

#[tokio::test]
async fn a_lock_that_is_let_go_in_time_is_waited_for() {
    let scratch = Scratch::new("waits");
    let first = DataDir::open(scratch.path()).await.unwrap();
    let let_go = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        drop(first);
    };
    let (second, ()) = tokio::join!(DataDir::open(scratch.path()), let_go);
    second.unwrap();
}

#[tokio::test]
async fn whoever_inherits_the_lock_keeps_the_directory_locked() {
    let scratch = Scratch::new("inherited");
    let first = DataDir::open(scratch.path()).await.unwrap();
    // A copy of the descriptor as a child's standard input: the child holds the lock as well.
    let inherited = first.lock_fd().try_clone_to_owned().unwrap();
    let mut child =
        std::process::Command::new("sleep").arg("0.7").stdin(inherited).spawn().unwrap();
    drop(first);
    let probe = std::fs::File::open(scratch.path().join("lock")).unwrap();
    assert!(probe.try_lock().is_err(), "the child has it");
    DataDir::open(scratch.path()).await.unwrap();
    assert!(child.wait().unwrap().success());
}

#[tokio::test]
async fn a_temporary_directory_goes_with_its_store() {
    let directory = DataDir::temporary().await.unwrap();
    let path = directory.path().to_path_buf();
    let store = EmbeddedStore::open(directory, Options::default()).await.unwrap();
    assert!(path.join("steadfast.db").exists() && store.directory().logs().is_dir());
    store.close().await.unwrap();
    drop(store);
    assert!(!path.exists());
}

async fn refusal(path: &Path) -> OpenError {
    let directory = DataDir::open(path).await;
    let opened = match directory {
        Ok(directory) => EmbeddedStore::open(directory, Options::default()).await,
        Err(error) => return error,
    };
    match opened {
        Ok(_) => panic!("it was opened"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn files_that_are_no_databases_or_damaged_are_refused() {
    let scratch = Scratch::new("damaged");
    std::fs::create_dir_all(scratch.path()).unwrap();
    let file = scratch.path().join("steadfast.db");
    std::fs::write(&file, "to do: buy milk\n".repeat(1000)).unwrap();
    assert!(
        matches!(refusal(&scratch.path()).await, OpenError::NotADatabase(path) if path == file)
    );
    std::fs::remove_file(&file).unwrap();

    let store = scratch.open().await.unwrap();
    store.close().await.unwrap();
    drop(store);
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[100..4096].fill(0xAA);
    std::fs::write(&file, bytes).unwrap();
    let error = refusal(&scratch.path()).await;
    assert!(matches!(error, OpenError::Corrupt { .. }), "{error}");
    assert!(error.to_string().contains("is damaged"), "{error}");
}

#[tokio::test]
async fn a_path_that_cannot_be_a_directory_is_refused() {
    let scratch = Scratch::new("file");
    std::fs::write(scratch.path(), "").unwrap();
    let error = refusal(&scratch.path()).await;
    assert!(matches!(error, OpenError::Unusable { .. }), "{error}");
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    use sqlx::{ConnectOptions, Connection};
    let scratch = Scratch::new("newer");
    scratch.open().await.unwrap().close().await.unwrap();
    let file = scratch.path().join("steadfast.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&file);
    let mut connection = options.connect().await.unwrap();
    sqlx::query("UPDATE _sqlx_migrations SET version = version + 7")
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    let error = refusal(&scratch.path()).await;
    let OpenError::NewerSchema { found, known, .. } = error else { panic!("{error}") };
    assert_eq!((found, known), (SCHEMA_VERSION + 7, SCHEMA_VERSION));
}

#[tokio::test]
async fn the_workers_of_the_former_process_are_dead_at_once() {
    let scratch = Scratch::new("former");
    let store = scratch.open().await.unwrap();
    let (mut gone, alive) = (worker("gone"), worker("w"));
    gone.state = WorkerState::Gone;
    let running = execution_in(1, steadfast_core::Status::Running);
    let workers = [gone, alive];
    let batches =
        [Batch::InsertWorkers(&workers), Batch::InsertExecutions(std::slice::from_ref(&running))];
    apply(&store, &batches).await.unwrap();
    drop(store);

    let store = scratch.open().await.unwrap();
    assert_eq!(store.bury_former_workers().await, Ok(1));
    assert_eq!(store.bury_former_workers().await, Ok(0));
    let mut tx = store.begin("test").await.unwrap();
    let found = tx.workers(Some(&["w".into(), "gone".into()])).await.unwrap();
    let states: Vec<_> = found.iter().map(|worker| worker.state).collect();
    assert_eq!(states, [WorkerState::Gone, WorkerState::Dead]);
    assert_eq!(tx.find_orphans(9).await.unwrap()[0].execution, running.id);
}

#[tokio::test]
async fn an_inspection_finds_rows_that_refer_to_nothing() {
    let store = store().await;
    assert!(store.integrity_check().await.unwrap().is_sound());
    let lost = execution_in(1, steadfast_core::Status::Queued);
    apply(&store, &[Batch::InsertExecutions(&[lost])]).await.unwrap();
    let health = store.integrity_check().await.unwrap();
    assert_eq!(health.problems, ["1 executions in a queue that does not exist"]);
}
