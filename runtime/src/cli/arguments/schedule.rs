//! The grammar of `schedule`.

use clap::{Subcommand, ValueEnum};

use super::Parameters;

/// `schedule`.
#[derive(Debug, Subcommand)]
pub(crate) enum Schedule {
    /// Create a schedule; the same one again is left as it is.
    Create {
        /// Its name.
        name: String,
        /// Which action, as `pack.name`.
        action: String,
        /// When: five fields, or a nickname such as `@daily`.
        #[arg(long, value_name = "EXPRESSION", required_unless_present = "every")]
        cron: Option<String>,
        /// How many seconds lie between two due times.
        #[arg(long, value_name = "SECONDS", conflicts_with_all = ["cron", "timezone"],
            value_parser = clap::value_parser!(u32).range(1..))]
        every: Option<u32>,
        /// The time zone of the expression, such as `Europe/Berlin`; UTC if not given.
        #[arg(long, value_name = "ZONE")]
        timezone: Option<String>,
        /// What becomes of due times that were missed; `once` if not given.
        #[arg(long)]
        missed: Option<MissedPolicy>,
        /// Do not fire before it is resumed.
        #[arg(long)]
        paused: bool,
        #[command(flatten)]
        parameters: Parameters,
    },
    /// A page of schedules, in the order of their names.
    List {
        /// At most this many.
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: u32,
        /// Where the last page ended.
        #[arg(long)]
        cursor: Option<String>,
    },
    /// One schedule.
    Show {
        /// Which schedule.
        name: String,
    },
    /// Fire no more for the time being.
    Pause {
        /// Which schedule.
        name: String,
    },
    /// Fire again, from now on.
    Resume {
        /// Which schedule.
        name: String,
    },
    /// Remove one; what it has submitted goes on.
    Delete {
        /// Which schedule.
        name: String,
    },
}

/// What becomes of due times that were missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum MissedPolicy {
    /// They are left out.
    Skip,
    /// The last of them is fired.
    Once,
    /// All of them are fired, 100 at the most.
    All,
}

impl MissedPolicy {
    /// Its name in the API.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Once => "once",
            Self::All => "all",
        }
    }
}
