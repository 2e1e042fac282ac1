//! Data directories: going on after a crash, and directories that cannot be used.

use std::fs;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;
use serde_json::json;
use sqlx::{Connection, SqliteConnection};

use crate::support::{Place, eventually, lives};

/// Four items, one at a time; each leaves a line in `pack/log`, and the second holds on until the
/// file `pack/go` is there.
fn stations() -> Place {
    let place = Place::new();
    let declared = "parameters: {n: {type: integer, required: true}}\nparameter_format: dotenv\n";
    let script = "eval \"$(cat)\"; echo \"$n\" >> log; echo $$ > pid\n\
                  while [ \"$n\" = 1 ] && [ ! -e go ]; do sleep 0.05; done\n";
    place.action("stop", declared, script);
    place.write(
        "flow.yaml",
        "ref: t.flow\nparameters: {word: {type: string, default: w}}\ntasks:\n  - name: stops\n    \
         action: t.stop\n    with_items: [0, 1, 2, 3]\n    input: {n: \"{{ item }}\"}\n\
         output_map: {stops: \"{{ length(task.stops.results) }}\"}\n",
    );
    place
}

const RUN: [&str; 8] = ["run", "flow.yaml", "--pack", "pack", "--data", "data", "-o", "json"];

fn log(place: &Place) -> String {
    fs::read_to_string(place.path("pack/log")).unwrap_or_default()
}

#[test]
fn a_killed_run_goes_on_where_it_was() {
    let place = stations();
    let running = place.steadfast(&RUN).start();
    eventually("the second item", || log(&place) == "0\n1\n");
    running.signal(Signal::KILL);
    drop(running);
    eventually("the end of the action", || !lives(&place.path("pack/pid")));
    place.write("pack/go", "");
    // The definition that it began with is used, and the change is reported.
    let text = fs::read_to_string(place.path("flow.yaml")).unwrap();
    place.write("flow.yaml", text.replace("stops:", "halts:"));
    let ended = place.run(&RUN).code(0).says("resuming execution").says("1 tasks done");
    let ended = ended.says("flow.yaml has changed since execution");
    let value = ended.json();
    assert_eq!(value["result"], json!({"stops": 4}));
    assert_eq!(log(&place), "0\n1\n1\n2\n3\n", "the first item is not run again");
    assert_eq!(value["tasks"][1]["attempts"], 2);
    // It has been delivered, so the next one is new.
    let next = place.run(&RUN).code(0);
    assert!(!next.stderr.contains("resuming"), "{next:#?}");
    assert_ne!(next.json()["id"], value["id"]);
    assert_eq!(next.json()["result"], json!({"halts": 4}));
}

#[test]
fn a_stopped_run_goes_on_and_other_parameters_are_another_run() {
    let place = stations();
    let running = place.steadfast(&RUN).start();
    eventually("the second item", || log(&place) == "0\n1\n");
    running.signal(Signal::INT);
    running.wait().code(130);
    place.write("pack/go", "");
    let mut other = RUN.to_vec();
    other.extend(["-p", "word=other"]);
    let other = place.run(&other).code(0).says("other runs in data are unfinished");
    let ended = place.run(&RUN).code(0).says("resuming");
    assert_ne!(other.json()["id"], ended.json()["id"]);
    assert_eq!(ended.json()["result"], json!({"stops": 4}));
}

#[test]
fn a_result_that_could_not_be_written_is_written_the_next_time() {
    let place = stations();
    place.write("pack/go", "");
    let full = place.steadfast(&RUN).stdout_to("/dev/full").run().code(4);
    full.says("the result cannot be written to standard output");
    let again = place.run(&RUN).code(0).says("had ended, and its result had not been written");
    assert_eq!(log(&place), "0\n1\n2\n3\n", "nothing is run again");
    assert_eq!(again.json()["result"], json!({"stops": 4}));
    let new = place.run(&RUN).code(0);
    assert_ne!(new.json()["id"], again.json()["id"]);
}

#[test]
fn a_directory_in_use_is_exit_code_4() {
    let place = stations();
    let running = place.steadfast(&RUN).start();
    eventually("the second item", || log(&place) == "0\n1\n");
    place.run(&RUN).code(4).says("data is in use by process").shows_nothing();
    let dev = place.run(&["dev", "--data", "data", "--listen", "127.0.0.1:0"]);
    dev.code(4).says("data is in use by process").shows_nothing();
    place.run(&["doctor", "--data", "data"]).code(0).shows("in use by process");
    running.signal(Signal::TERM);
    running.wait().code(143);
}

#[test]
fn a_directory_of_a_newer_version_is_exit_code_4() {
    let place = stations();
    place.write("pack/go", "");
    place.run(&RUN).code(0);
    add_migration(&place.path("data/steadfast.db"));
    place.run(&RUN).code(4).says("was written by a newer version").shows_nothing();
    let dev = place.run(&["dev", "--data", "data", "--listen", "127.0.0.1:0"]);
    dev.code(4).says("was written by a newer version").shows_nothing();
    place.run(&["doctor", "--data", "data"]).code(1).says("not in order: schema");
}

/// As a later version would leave it.
fn add_migration(database: &Path) {
    let address = format!("sqlite://{}", database.display());
    let executor = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    executor.block_on(async {
        let mut connection = SqliteConnection::connect(&address).await.unwrap();
        let insert = "INSERT INTO _sqlx_migrations \
                      (version, description, success, checksum, execution_time) \
                      VALUES (1000, 'later', TRUE, x'00', 0)";
        sqlx::query(insert).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    });
}

#[test]
fn a_directory_with_something_else_in_it_is_exit_code_4() {
    let place = stations();
    place.write("data/steadfast.db", "this is a letter, not a database\n".repeat(99));
    place.run(&RUN).code(4).says("is not a database").shows_nothing();
    place.write("file", "");
    let mut onto_a_file = RUN;
    onto_a_file[5] = "file";
    place.run(&onto_a_file).code(4).shows_nothing();
}

/// A small disk of its own; gone when dropped.
struct Disk<'a>(&'a Path);

impl<'a> Disk<'a> {
    /// `None` where this user may not mount.
    fn mount(at: &'a Path) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let mut mount = Command::new("mount");
        let mounted =
            mount.args(["-t", "tmpfs", "-o", "size=2m", "steadfast-test"]).arg(at).output();
        mounted.is_ok_and(|output| output.status.success()).then_some(Self(at))
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).output();
    }
}

#[test]
fn a_full_disk_is_exit_code_4() {
    let place = stations();
    let at = place.path("disk");
    let Some(_disk) = Disk::mount(&at) else {
        // Without the right to mount, the disk that is always full has to do.
        let full = place.steadfast(&["pack", "check", "nowhere"]).stdout_to("/dev/full");
        full.run().code(4).says("cannot be written");
        return;
    };
    let filler = vec![0_u8; 4 << 20];
    // As much as fits.
    let _ = fs::write(at.join("filler"), filler);
    let mut arguments = RUN;
    arguments[5] = "disk/data";
    place.write("pack/go", "");
    place.run(&arguments).code(4).says("no space is left").shows_nothing();

    // It fills up while a run is under way.
    fs::remove_file(at.join("filler")).unwrap();
    fs::remove_file(place.path("pack/go")).unwrap();
    let running = place.steadfast(&arguments).start();
    eventually("the second item", || log(&place).ends_with("0\n1\n"));
    let _ = fs::write(at.join("filler"), vec![0_u8; 4 << 20]);
    place.write("pack/go", "");
    running.wait().code(4).says("no space is left").shows_nothing();
    fs::remove_file(at.join("filler")).unwrap();
    let ended = place.run(&arguments).code(0).says("resuming");
    assert_eq!(ended.json()["result"], json!({"stops": 4}));
}
