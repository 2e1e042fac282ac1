//! How the production processes begin, and how they refuse to.

use rustix::process::Signal;

use crate::deployment::Deployment;

#[test]
fn a_schema_that_is_not_there_is_named_with_what_to_do() {
    let deployment = Deployment::bare();
    for verb in
        [&["serve", "--listen", "127.0.0.1:0"][..], &["executor"], &["worker", "--name", "ada"]]
    {
        deployment.steadfast(verb).run().code(4).says("steadfast migrate");
    }
    deployment.steadfast(&["migrate"]).run().code(0);
    deployment.steadfast(&["migrate"]).run().code(0).says("the schema is at version");
}

#[test]
fn servers_that_are_not_there_yet_are_waited_for_and_migrate_says_so() {
    let mut deployment = Deployment::new();
    deployment.stop_the_database();
    deployment.steadfast(&["migrate"]).run().code(3).says("cannot be reached");
    let mut executor = deployment.steadfast(&["executor"]).start();
    executor.until("waiting for the database");
    deployment.start_the_database();
    executor.until("executor is up");
    executor.signal(Signal::INT);
    executor.wait().code(130);
}

#[test]
fn what_is_missing_in_the_configuration_is_named() {
    let deployment = Deployment::new();
    let without = |name: &str, value: &str| {
        deployment.steadfast(&["executor"]).env(name, value).run().code(2).shows_nothing()
    };
    without("STEADFAST__TRANSPORT", "embedded").says("`transport` is `embedded`");
    without("DATABASE_URL", "sqlite://here").says("`database.url` is not set");
    deployment.steadfast(&["worker"]).run().code(2).says("--name NAME");
    without("AMQP_URL", "amqps://u:secret@localhost").says("TLS");
}
