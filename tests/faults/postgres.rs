//! The store on PostgreSQL, broken by a proxy, by an administrator and by a restart.

use std::sync::{Arc, Mutex};

use steadfast_postgres::PostgresStore;
use steadfast_servers::{Postgres, Stop};

use crate::faults::{At, Blow, Breakable, whatever_breaks_the_outcome_is_true};
use crate::loss::terminate;
use crate::place::open;
use crate::proxy::{Loss, Proxy};

struct Real {
    server: Arc<Mutex<Postgres>>,
    database: &'static str,
    proxy: Proxy,
    store: PostgresStore,
}

impl Breakable for Real {
    type Store = PostgresStore;

    fn store(&self) -> &PostgresStore {
        &self.store
    }

    async fn strike(&self, at: At, blow: Blow) -> bool {
        let statement: &[u8] = match at {
            At::Load => b"FROM execution_live e WHERE e.id = ANY(",
            At::Write => b"INSERT INTO execution",
            At::Commit => b"COMMIT\0",
        };
        let loss = match blow {
            Blow::BeforeItIsHeard => Loss::Request,
            Blow::BeforeItIsTold => Loss::Reply,
            Blow::InTheAnswer => Loss::RestOfTheReply,
            Blow::SessionEnded => {
                terminate(&self.server.lock().expect("nobody panicked"), self.database);
                return true;
            }
            Blow::ServerRestarts => {
                let mut server = self.server.lock().expect("nobody panicked");
                server.stop(Stop::Fast).expect("it stops");
                server.start_again().expect("it starts");
                return true;
            }
        };
        self.proxy.lose_at(statement, loss);
        true
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_breaks_postgresql_the_outcome_is_true() {
    let server = Postgres::start(&[]).unwrap_or_else(|failure| panic!("{failure}"));
    let database = "broken";
    server.create_database(database).expect("a database can be made");
    let proxy = Proxy::to(server.port()).await;
    let store = open(&proxy.url(database)).await;
    let server = Arc::new(Mutex::new(server));
    let tried = whatever_breaks_the_outcome_is_true(Real { server, database, proxy, store }).await;
    assert_eq!(tried, 15);
}
