//! `docs/operations.md`: every block of commands in it is run as it stands there, in its order,
//! against a deployment. A step that fails, or that a reader could not repeat, fails here.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::deployment::Deployment;
use crate::program::binary;
use crate::support::{Running, eventually};

/// The blocks of commands, each with the heading that it stands under.
fn blocks(document: &str) -> Vec<(String, String)> {
    let (mut heading, mut block) = (String::new(), None::<String>);
    let mut found = Vec::new();
    for line in document.lines() {
        match (&mut block, line) {
            (None, "```sh") => block = Some(String::new()),
            (None, line) if line.starts_with('#') => {
                heading = line.trim_start_matches(['#', ' ']).to_owned();
            }
            (None, line) => assert!(!line.starts_with("```"), "what is `{line}`?"),
            (Some(text), "```") => found.push((heading.clone(), std::mem::take(text))),
            (Some(text), line) => {
                text.push_str(line);
                text.push('\n');
                continue;
            }
        }
        if line == "```" {
            block = None;
        }
    }
    found
}

/// What the variables of the document stand for now.
struct Reader<'d> {
    deployment: &'d Deployment,
    programs: std::path::PathBuf,
}

impl Reader<'_> {
    fn run(&self, heading: &str, block: &str, more: &[(&str, String)]) {
        #[expect(
            clippy::disallowed_methods,
            reason = "the programs of the document are found by it"
        )]
        let path = std::env::var("PATH").expect("there is one");
        let postgres = self.deployment.database().programs().display();
        let path = format!("{}:{postgres}:{path}", self.programs.display());
        let directory = self.programs.parent().expect("it is in a directory");
        let mut shell = Command::new("bash");
        shell.args(["-e", "-u", "-o", "pipefail", "-c", block]).current_dir(directory);
        shell.env("PATH", path).env("STEADFAST_API_URL", self.deployment.url());
        shell.env("STEADFAST__TRANSPORT", "rabbitmq");
        shell.env("DATABASE_URL", self.deployment.database_url());
        shell.env("AMQP_URL", self.deployment.broker().url());
        shell.env_remove("STEADFAST_API_TOKEN").env_remove("RUST_LOG");
        let output = shell.envs(more.iter().map(|(name, value)| (name, value))).output();
        let output = output.expect("bash can be run");
        let said = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "under `{heading}`:\n{block}\n{said}");
    }

    /// A message that nobody can read.
    fn parked(&self) -> String {
        let list = || self.deployment.api("parked", &["list"])["items"].clone();
        if list().as_array().is_none_or(Vec::is_empty) {
            self.deployment.throw("steadfast.hints", "advance", b"garbage");
        }
        eventually("a parked message", || list().as_array().is_some_and(|all| !all.is_empty()));
        list()[0]["id"].as_str().expect("text").to_owned()
    }

    /// An execution that waits, behind another one.
    fn waiting(&self) -> String {
        let ids: Vec<u64> = (0..4).map(|_| self.deployment.submit("t.line")).collect();
        ids.last().expect("there are some").to_string()
    }
}

#[test]
fn every_command_of_the_manual_works_as_it_stands_there() {
    let document = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operations.md");
    let document = fs::read_to_string(document).expect("it is there");
    let blocks = blocks(&document);
    assert!(blocks.len() > 15, "{blocks:#?}");
    let deployment = Deployment::new();
    deployment.place().action("line", "concurrency_limit: 1\n", "sleep 3\n");
    let _server = deployment.serve();
    let mut ada: Option<Running> = Some(deployment.worker("ada"));
    let _bob = deployment.worker("bob");
    let _carl = deployment.worker("carl");
    let programs = deployment.place().path("bin");
    fs::create_dir(&programs).expect("it can be made");
    std::os::unix::fs::symlink(binary(), programs.join("steadfast")).expect("it can be made");
    let control = programs.join("rabbitmqctl");
    deployment.broker().write_rabbitmqctl(&control).expect("it can be written");
    let reader = Reader { deployment: &deployment, programs };
    let mut id = String::new();
    let mut seen_drill = false;
    for (heading, block) in &blocks {
        let mut more = vec![
            ("ACTION", String::from("t.line")),
            ("SLOW", String::from("t.slow")),
            ("WORKER", String::from("ada")),
            ("OTHER", String::from("bob")),
            ("SPARE", String::from("carl")),
            ("PROBE", deployment.probe_address("bob")),
        ];
        if block.contains("\"$ID\"") {
            if id.is_empty() {
                id = reader.waiting();
            }
            more.push(("ID", id.clone()));
        }
        if block.contains("$PARKED") {
            more.push(("PARKED", reader.parked()));
        }
        if block.contains("$WORKER_PID") {
            seen_drill = true;
            let pid = ada.as_ref().expect("it runs until then").id();
            more.push(("WORKER_PID", pid.to_string()));
        }
        reader.run(heading, block, &more);
        if block.contains("$WORKER_PID") {
            drop(ada.take());
        }
    }
    assert!(seen_drill);
    assert!(Path::new(&deployment.place().path("steadfast.sql")).is_file(), "the dump was made");
    let parked = deployment.api("parked", &["list"]);
    assert_eq!(parked["items"].as_array().map(Vec::len), Some(0), "{parked}");
}
