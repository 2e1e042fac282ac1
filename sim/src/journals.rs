//! The journals of all processes of a world, in memory, and the core asked again by them.

use std::sync::{Arc, Mutex};

use steadfast_core::DefinitionHash;
use steadfast_services::journal::{Checker, Findings, Journal, Sink};

use crate::library::Library;
use crate::process::Process;
use crate::sync::lock;

/// What every process has written down.
#[derive(Default)]
pub(crate) struct Journals(Vec<Written>);

struct Written {
    by: String,
    pages: Pages,
    library: Arc<Library>,
}

#[derive(Clone, Default)]
struct Pages(Arc<Mutex<Vec<u8>>>);

impl Sink for Pages {
    fn append(&self, record: &[u8]) {
        lock(&self.0).extend_from_slice(record);
    }
}

impl Journals {
    /// A journal for a process that has begun.
    pub(crate) fn open(&mut self, me: &Process, library: &Arc<Library>) -> Journal {
        let pages = Pages::default();
        pages.append(&Journal::preamble());
        let by = format!("{} in its life {}", me.name(), me.incarnation());
        self.0.push(Written { by, pages: pages.clone(), library: Arc::clone(library) });
        Journal::new(Box::new(pages))
    }

    /// Asks the core again for every decision.
    pub(crate) fn check(&self) -> Findings {
        let find = |hash: &DefinitionHash| self.0.iter().find_map(|w| w.library.workflow(hash));
        let mut checker = Checker::new(&find);
        for Written { by, pages, .. } in &self.0 {
            checker.read(by, &lock(&pages.0)).expect("it was written by this program");
        }
        checker.finish()
    }
}
