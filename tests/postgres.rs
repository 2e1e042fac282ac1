//! The store on PostgreSQL: what every store has to keep, directly and through a pooler, and what
//! only a server can do to it.

#[path = "faults/store.rs"]
mod faults;
#[path = "faults/postgres.rs"]
mod faults_postgres;
#[path = "contract/services.rs"]
mod services;
#[path = "contract/stage.rs"]
mod stage;
#[path = "contract/store/mod.rs"]
mod store;

#[path = "postgres/history.rs"]
mod history;
#[path = "postgres/limits.rs"]
mod limits;
#[path = "postgres/locks.rs"]
mod locks;
#[path = "postgres/loss.rs"]
mod loss;
#[path = "postgres/open.rs"]
mod open;
#[path = "postgres/place.rs"]
mod place;
#[path = "postgres/plans.rs"]
mod plans;
#[path = "postgres/proxy.rs"]
mod proxy;
#[path = "postgres/shared.rs"]
mod shared;

mod direct {
    crate::services::services_contract!(crate::place::direct);
    crate::store::store_contract!(crate::place::direct);

    #[test]
    fn the_store_and_the_snapshot_agree() {
        let server = crate::place::server();
        crate::store::random::the_store_and_the_snapshot_agree(async || {
            crate::place::store_on(&server).await
        });
    }
}

mod pooled {
    crate::services::services_contract!(crate::place::pooled);
    crate::store::store_contract!(crate::place::pooled);
}
