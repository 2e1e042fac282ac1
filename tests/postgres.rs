//! The store on PostgreSQL: what every store has to keep, directly and through a pooler, and what
//! only a server can do to it.

#[path = "contract/store/mod.rs"]
mod store;

#[path = "postgres/place.rs"]
mod place;

mod direct {
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
    crate::store::store_contract!(crate::place::pooled);
}
