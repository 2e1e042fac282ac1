//! Who is at work: every future of a node says so when it is polled. A run that no longer moves
//! can then name the node that keeps it, and a panic ends the run as a fall of a law, with its
//! node, its time and its place in the code, instead of a trace on the screen.

use std::any::Any;
use std::cell::RefCell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook, take_hook};
use std::pin::Pin;
use std::sync::Once;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use crate::law::WorldLaw;
use crate::{Node, World};

/// A future that belongs to a node.
pub(crate) struct Watched<F> {
    world: World,
    node: Node,
    future: Pin<Box<F>>,
    is_over: bool,
}

impl<F: Future> Watched<F> {
    pub(crate) fn new(world: &World, node: Node, future: F) -> Self {
        Self { world: world.clone(), node, future: Box::pin(future), is_over: false }
    }
}

impl<F: Future> Future for Watched<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        // Once nobody waits for this run any more, what spins by yielding ends here.
        if self.is_over || self.world.is_given_up() {
            return Poll::Pending;
        }
        self.world.0.at_work.store(self.node.0, Ordering::Relaxed);
        let future = &mut self.future;
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(polled) => polled,
            Err(panic) => {
                self.is_over = true;
                if !self.world.is_given_up() {
                    let detail = format!("{} {}", self.world.name_of(self.node), said(&*panic));
                    self.world.violate(WorldLaw::NoPanic, detail);
                }
                Poll::Pending
            }
        }
    }
}

impl World {
    /// The node that was polled last, or is being polled.
    pub(crate) fn at_work(&self) -> Node {
        Node(self.0.at_work.load(Ordering::Relaxed))
    }

    fn is_given_up(&self) -> bool {
        self.0.given_up.load(Ordering::Relaxed)
    }
}

thread_local! {
    /// Where the last panic of this thread was; `None` on threads that run no seed.
    static HEARD: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// From now on panics of this thread are kept and not printed.
pub(crate) fn keep_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            if !keep(panic) {
                before(panic);
            }
        }));
    });
    HEARD.with(|heard| *heard.borrow_mut() = Some(String::new()));
}

/// Keeps the place of a panic, if this thread keeps panics.
fn keep(panic: &PanicHookInfo<'_>) -> bool {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let kept = HEARD.try_with(|heard| {
        let mut heard = heard.borrow_mut();
        let keeps = heard.is_some();
        if keeps {
            *heard = Some(place);
        }
        keeps
    });
    kept.unwrap_or(false)
}

/// What a panic said, and where.
pub(crate) fn said(panic: &(dyn Any + Send)) -> String {
    let place = HEARD.with(|heard| heard.borrow().clone().unwrap_or_default());
    // What belongs to a package of somebody else is named from the package on.
    let place = place.rsplit_once("/registry/src/").map_or(place.as_str(), |(_, rest)| {
        rest.split_once('/').map_or(rest, |(_, inside)| inside)
    });
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    let text = text.unwrap_or_else(|| "without words".into());
    format!("panicked at {place}: {text}")
}
