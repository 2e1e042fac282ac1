//! `doctor` on servers: a row for everything that must be right, and what to do where it is not.

use serde_json::Value;
use steadfast_servers::PgBouncer;

use crate::deployment::Deployment;
use crate::support::{Ended, Start};

/// What `doctor` says of one thing.
fn check(command: Start, code: i32, name: &str) -> (String, String) {
    let ended = command.run().code(code);
    row(&ended, name)
}

fn row(ended: &Ended, name: &str) -> (String, String) {
    let value = ended.json();
    let rows = value["checks"].as_array().expect("a list");
    let found = rows.iter().find(|row| row["check"] == name);
    let found = found.unwrap_or_else(|| panic!("no {name} in {value:#}"));
    let text = |name: &str| found[name].as_str().expect("text").to_owned();
    (text("state"), text("detail"))
}

#[track_caller]
fn fails(command: Start, name: &str, advice: &str) {
    let (state, detail) = check(command, 1, name);
    assert_eq!(state, "failed", "{name}: {detail}");
    assert!(detail.contains(advice), "{name} without `{advice}`: {detail}");
    assert!(!detail.contains("secret"), "{detail}");
}

fn doctor(deployment: &Deployment) -> Start {
    deployment.steadfast(&["doctor", "-o", "json"])
}

#[test]
fn doctor_finds_a_deployment_in_order_also_behind_a_pooler() {
    let deployment = Deployment::new();
    let ended = doctor(&deployment).run().code(0);
    let names = [
        "database",
        "database schema",
        "database clock",
        "database connections",
        "database pooler",
        "message queue",
        "message queue: queue steadfast.advance",
        "message queue: queue steadfast.parked",
        "message queue: exchange steadfast.dlx",
        "message queue: round trip",
    ];
    for name in names {
        let (state, detail) = row(&ended, name);
        assert!(state == "ok" || name == "database", "{name}: {detail}");
    }
    assert!(row(&ended, "database pooler").1.contains("none"), "{ended:?}");
    let text = deployment.steadfast(&["doctor"]).run().code(0).stdout;
    assert!(text.contains("such processes fit"), "{text}");

    let pooler = PgBouncer::start(deployment.database(), &[]).expect("it starts");
    let through = pooler.url("steadfast");
    let ended = doctor(&deployment)
        .env("DATABASE_URL", &through)
        .env("STEADFAST__DATABASE__DIRECT_URL", deployment.database_url())
        .run()
        .code(0);
    assert!(row(&ended, "database pooler").1.contains("goes around"), "{ended:?}");
    assert_eq!(row(&ended, "database listen").0, "ok");
    // A direct address that is not direct is refused nothing, and hears nothing.
    let indirect = doctor(&deployment).env("STEADFAST__DATABASE__DIRECT_URL", &through);
    fails(indirect, "database listen", "name the server itself in database.direct_url");
}

#[test]
fn what_is_wrong_with_the_database_is_one_row_that_says_what_to_do() {
    let mut deployment = Deployment::bare();
    fails(doctor(&deployment), "database schema", "run `steadfast migrate`");
    deployment.steadfast(&["migrate"]).run().code(0);
    let database = |url: &str| doctor(&deployment).env("DATABASE_URL", url);
    let port = deployment.database().port();
    let nobody = format!("postgres://nobody:secret@127.0.0.1:{port}/steadfast");
    fails(database(&nobody), "database", "check user and password");
    let nowhere = format!("postgres://postgres@127.0.0.1:{port}/nowhere");
    fails(database(&nowhere), "database", "create it or correct database.url");
    fails(database("postgres://u:secret@127.0.0.1:1/x"), "database", "check that the server runs");
    fails(database("postgres://u:secret@no.such.host.invalid/x"), "database", "cannot be reached");
    fails(database("sqlite://here"), "database", "`database.url` is not set");

    let sql = "CREATE ROLE reader LOGIN; GRANT USAGE ON SCHEMA steadfast TO reader; \
               GRANT SELECT ON ALL TABLES IN SCHEMA steadfast TO reader";
    deployment.database().execute("steadfast", sql).expect("it is made");
    let reader = format!("postgres://reader@127.0.0.1:{port}/steadfast");
    fails(database(&reader), "database", "may not write");
    let greedy = doctor(&deployment).env("STEADFAST__DATABASE__MAX_CONNECTIONS", "5000");
    fails(greedy, "database connections", "lower database.max_connections");

    let newer = "INSERT INTO steadfast.migration (version, name) VALUES (99, 'future')";
    deployment.database().execute("steadfast", newer).expect("it is written");
    fails(doctor(&deployment), "database schema", "use that version or another database");
    deployment.stop_the_database();
    fails(doctor(&deployment), "database", "check that the server runs");
}

#[test]
fn what_is_wrong_with_the_broker_is_one_row_that_says_what_to_do() {
    let mut deployment = Deployment::new();
    let queue = |deployment: &Deployment, url: &str| doctor(deployment).env("AMQP_URL", url);
    let url = |user: &str| deployment.broker().url_for(user, "secret");
    fails(queue(&deployment, &url("nobody")), "message queue", "check the user and the password");
    fails(queue(&deployment, "amqp://u:secret@127.0.0.1:1/%2f"), "message queue", "that it runs");
    let elsewhere = deployment.broker().url().replace("%2f", "elsewhere");
    fails(queue(&deployment, &elsewhere), "message queue", "add_vhost");

    let control = |arguments: &[&str]| {
        deployment.broker().rabbitmqctl(arguments).expect("it is done");
    };
    control(&["add_user", "poor", "secret"]);
    control(&["set_permissions", "poor", "nothing", "nothing", "nothing"]);
    let poor = url("poor");
    fails(queue(&deployment, &poor), "message queue: queue steadfast.admit", "set_permissions");
    // May declare and read, and not write.
    control(&["set_permissions", "poor", ".*", "^steadfast\\.(own|delay)", ".*"]);
    fails(queue(&deployment, &poor), "message queue: round trip", "set_permissions");

    assert_eq!(doctor(&deployment).run().code(0).json()["ok"], Value::Bool(true));
    let other = doctor(&deployment).env("STEADFAST__MESSAGE_QUEUE__DEAD_LETTER__TTL_MS", "5000");
    fails(other, "message queue: queue steadfast.dead", "other properties");

    control(&["set_vm_memory_high_watermark", "0.000001"]);
    fails(doctor(&deployment), "message queue: round trip", "rabbitmqctl status");
    control(&["set_vm_memory_high_watermark", "0.6"]);
    deployment.stop_the_broker();
    fails(doctor(&deployment), "message queue", "that it runs");
    let alone = doctor(&deployment).env("STEADFAST__TRANSPORT", "embedded");
    fails(alone, "transport", "need `rabbitmq` or `postgres`");
    let without = doctor(&deployment).env("STEADFAST__TRANSPORT", "postgres");
    assert_eq!(without.run().code(0).json()["ok"], Value::Bool(true));
}
