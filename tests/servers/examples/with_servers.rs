//! Runs a command with `DATABASE_URL` and `AMQP_URL` set to private servers, which are gone when it
//! has ended.
//!
//! `cargo run -p steadfast-servers --example with_servers -- [NAME=VALUE ...] COMMAND [ARGUMENT ...]`
//!
//! `NAME=VALUE` before the command are settings of PostgreSQL, such as `shared_buffers=1GB`. The
//! server is on disk with `fsync` and `synchronous_commit` on, as it is by default.

use std::process::{Command, ExitCode};

use steadfast_servers::{Failure, Postgres, RabbitServer};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).peekable();
    let mut settings = Vec::new();
    while let Some((name, value)) = arguments.peek().and_then(|word| word.split_once('=')) {
        settings.push((name.to_owned(), value.to_owned()));
        arguments.next();
    }
    let Some(program) = arguments.next() else {
        eprintln!("say what to run: [NAME=VALUE ...] COMMAND [ARGUMENT ...]");
        return ExitCode::from(2);
    };
    let mut command = Command::new(program);
    command.args(arguments);
    match run(&settings, &mut command) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::from(4)
        }
    }
}

fn run(settings: &[(String, String)], command: &mut Command) -> Result<u8, Failure> {
    let settings: Vec<(&str, &str)> = settings.iter().map(|(n, v)| (&n[..], &v[..])).collect();
    let database = Postgres::start(&settings)?;
    let broker = RabbitServer::start()?;
    let url = database.create_database("steadfast")?;
    command.env("DATABASE_URL", url).env("AMQP_URL", broker.url());
    command.env("STEADFAST__TRANSPORT", "rabbitmq");
    let ended = command.status().map_err(|error| Failure::system("starting the command", error))?;
    Ok(ended.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}
