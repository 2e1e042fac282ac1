//! What can be done to a world.

/// A fault, or its mending. Each is counted by name every time it strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A node's process dies without a chance to say so.
    Kill,
    /// A dead node's process starts again under the same name.
    Restart,
}

impl Fault {
    /// Every fault.
    pub const ALL: &'static [Self] = &[Self::Kill, Self::Restart];

    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Restart => "restart",
        }
    }
}
