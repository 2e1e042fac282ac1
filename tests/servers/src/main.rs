//! Private servers by hand: starts one of each, says where they are, and holds them until its input
//! ends or it is killed. Whatever of them there was is then gone.

use std::io::{Read as _, Write as _};

use steadfast_servers::{Failure, PgBouncer, Postgres, RabbitServer};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (database, pooler, broker) = start()?;
    let mut out = std::io::stdout();
    writeln!(out, "DATABASE_URL={}", database.create_database("steadfast")?)?;
    writeln!(out, "POOLED_URL={}", pooler.url("steadfast"))?;
    writeln!(out, "AMQP_URL={}", broker.url())?;
    for home in [database.home(), pooler.home(), broker.home()] {
        writeln!(out, "in {}", home.display())?;
    }
    out.flush()?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn start() -> Result<(Postgres, PgBouncer, RabbitServer), Failure> {
    let database = Postgres::start(&[])?;
    let pooler = PgBouncer::start(&database, &[])?;
    Ok((database, pooler, RabbitServer::start()?))
}
