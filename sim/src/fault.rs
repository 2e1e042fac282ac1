//! What can be done to a world. Each variant reads as a sentence, and is counted by name.

use serde::{Deserialize, Serialize};

use crate::chance::Site;

/// Declares an enum of faults with their names and the whole list.
macro_rules! faults {
    ($(#[$doc:meta])* $name:ident $all:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$vdoc])* $variant,)+ }

        /// All of them.
        pub const $all: &[$name] = &[$($name::$variant,)+];

        impl $name {
            /// Its name in reports.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }
    };
}

faults! {
    /// A fault at a port, at one logical point.
    Strike STRIKES {
        /// The process dies at this await.
        Crash = "crash",
        /// The pool hands out a connection that was reaped while it idled.
        DeadConnection = "dead_connection",
        /// The connection is reset before the statement arrives; the transaction is rolled back.
        ConnectionReset = "connection_reset",
        /// The store refuses a statement for no fault of its own.
        StatementFails = "statement_fails",
        /// The store refuses to serialize the transaction.
        SerializationRefused = "serialization_refused",
        /// A statement takes far longer than usual.
        SlowStatement = "slow_statement",
        /// A statement takes longer than its timeout, and is cancelled.
        StatementTimesOut = "statement_times_out",
        /// The commit lands, and its answer is lost.
        CommitLandsReplyLost = "commit_lands_reply_lost",
        /// The connection is lost before the commit arrives; nobody can tell.
        CommitLost = "commit_lost",
        /// The connection is lost while the server commits, which takes it a while yet.
        CommitLandsLate = "commit_lands_late",
        /// The commit is refused.
        CommitRefused = "commit_refused",
        /// The commit lands at once, and its answer comes late.
        CommitAnswersLate = "commit_answers_late",
        /// The broker cannot be reached; nothing is published.
        PublishFails = "publish_fails",
        /// The broker has taken the messages, and its confirm is lost.
        ConfirmLost = "confirm_lost",
        /// A message is confirmed and goes nowhere.
        MessageLost = "message_lost",
        /// A message arrives twice.
        MessageDoubled = "message_doubled",
        /// A message is overtaken by later ones.
        MessageLate = "message_late",
        /// A message arrives that speaks of something which is not there.
        MessageGarbled = "message_garbled",
        /// The channel closes: what was delivered comes again, and its receipts are void.
        ChannelCloses = "channel_closes",
        /// The answer about a delivery does not arrive; it comes again later.
        SettleLost = "settle_lost",
        /// The subscription is refused.
        SubscribeFails = "subscribe_fails",
        /// The broker has taken some of the messages, and the connection is gone.
        PublishedInPart = "published_in_part",
        /// A question whether a worker moves gets no answer.
        ProbeLost = "probe_lost",
        /// A worker that moves is heard to hang.
        ProbeLies = "probe_lies",
        /// A receiver outside says that it cannot take it now.
        ReceiverFails = "receiver_fails",
        /// A receiver outside says that it will not take it.
        ReceiverRefuses = "receiver_refuses",
        /// A receiver outside takes its time.
        ReceiverIsSlow = "receiver_is_slow",
        /// A receiver outside has taken it, and its answer is lost.
        ReceiverAnswerLost = "receiver_answer_lost",
    }
}

impl Strike {
    /// What can strike at a site. At most one does, the first that is drawn.
    #[must_use]
    pub const fn at(site: Site) -> &'static [Self] {
        match site {
            Site::Begin => &[Self::Crash, Self::DeadConnection],
            Site::Load | Site::Write => &[
                Self::Crash,
                Self::ConnectionReset,
                Self::StatementFails,
                Self::SerializationRefused,
                Self::SlowStatement,
                Self::StatementTimesOut,
            ],
            Site::Commit => &[
                Self::Crash,
                Self::CommitLandsReplyLost,
                Self::CommitLost,
                Self::CommitLandsLate,
                Self::CommitRefused,
                Self::CommitAnswersLate,
            ],
            Site::Publish => {
                &[Self::Crash, Self::PublishFails, Self::ConfirmLost, Self::PublishedInPart]
            }
            Site::Deliver => &[
                Self::MessageLost,
                Self::MessageDoubled,
                Self::MessageLate,
                Self::MessageGarbled,
                Self::ChannelCloses,
            ],
            Site::Settle => &[Self::Crash, Self::ChannelCloses, Self::SettleLost],
            Site::Subscribe => &[Self::Crash, Self::SubscribeFails],
            Site::Probe => &[Self::Crash, Self::ProbeLost, Self::ProbeLies],
            Site::Call => &[
                Self::Crash,
                Self::ReceiverFails,
                Self::ReceiverRefuses,
                Self::ReceiverIsSlow,
                Self::ReceiverAnswerLost,
            ],
        }
    }

    /// The family that it comes and goes with.
    #[must_use]
    pub const fn family(self) -> Family {
        match self {
            Self::Crash => Family::Crash,
            Self::DeadConnection | Self::ConnectionReset => Family::Connection,
            Self::StatementFails
            | Self::SerializationRefused
            | Self::SlowStatement
            | Self::StatementTimesOut => Family::Statement,
            Self::CommitLandsReplyLost
            | Self::CommitLost
            | Self::CommitLandsLate
            | Self::CommitRefused
            | Self::CommitAnswersLate => Family::Commit,
            Self::PublishFails
            | Self::ConfirmLost
            | Self::MessageLost
            | Self::MessageDoubled
            | Self::MessageLate
            | Self::MessageGarbled
            | Self::ChannelCloses
            | Self::SettleLost
            | Self::SubscribeFails
            | Self::PublishedInPart => Family::Message,
            Self::ProbeLost | Self::ProbeLies => Family::Hang,
            Self::ReceiverFails
            | Self::ReceiverRefuses
            | Self::ReceiverIsSlow
            | Self::ReceiverAnswerLost => Family::Receiver,
        }
    }
}

faults! {
    /// Faults that a seed has all together, or not at all.
    Family FAMILIES {
        /// Processes die and come back.
        Crash = "crash",
        /// Connections to the store break.
        Connection = "connection",
        /// Statements fail or are slow.
        Statement = "statement",
        /// Commits fail or leave their outcome open.
        Commit = "commit",
        /// Messages are lost, doubled, late, or void.
        Message = "message",
        /// Links are cut.
        Partition = "partition",
        /// Processes stand still.
        Pause = "pause",
        /// Clocks go wrong.
        Clock = "clock",
        /// The store or the broker goes away and comes back.
        Outage = "outage",
        /// Actions hang, or do not stop when they are told to.
        Action = "action",
        /// People cancel, pause and change limits.
        Operator = "operator",
        /// Workers hang while they beat, and are misheard.
        Hang = "hang",
        /// Those who are told of ends fail, refuse, or lose their answers.
        Receiver = "receiver",
    }
}

faults! {
    /// Something done to a part of the world, and its mending.
    Fault FAULTS {
        /// A node's process dies without a chance to say so.
        Kill = "kill",
        /// A node's host is gone: nobody closes its connections.
        LoseHost = "lose_host",
        /// A dead node's process starts again under the same name.
        Restart = "restart",
        /// A node stands still; time goes on.
        Pause = "pause",
        /// A paused node goes on.
        Resume = "resume",
        /// A node cannot reach the store.
        CutStore = "cut_store",
        /// A node cannot reach the broker.
        CutBroker = "cut_broker",
        /// A node reaches everything again.
        Heal = "heal",
        /// A node's clock jumps.
        ClockJump = "clock_jump",
        /// The store's clock jumps.
        StoreClockJump = "store_clock_jump",
        /// The store restarts: connections break, what was not committed is rolled back.
        StoreRestart = "store_restart",
        /// The store refuses everything.
        StoreDown = "store_down",
        /// The store works again.
        StoreUp = "store_up",
        /// The broker restarts and forgets what was not durable.
        BrokerRestart = "broker_restart",
        /// The broker refuses everything.
        BrokerDown = "broker_down",
        /// The broker works again.
        BrokerUp = "broker_up",
        /// The broker is short of memory: it takes nothing from publishers, and delivers.
        BrokerBlocks = "broker_blocks",
        /// The broker takes messages again.
        BrokerUnblocks = "broker_unblocks",
        /// An operator cancels an execution.
        Cancel = "cancel",
        /// An operator changes a limit.
        ChangeLimit = "change_limit",
        /// An operator pauses a queue, or lets it go on.
        PauseQueue = "pause_queue",
        /// An operator cordons a worker, or lets it take work again.
        Cordon = "cordon",
        /// A node comes back with another configuration.
        Reconfigure = "reconfigure",
        /// An operator drains a worker.
        Drain = "drain",
        /// A sweep lets go of what ended a while ago.
        Retention = "retention",
        /// A worker beats and does nothing else.
        Hang = "hang",
        /// A worker that hung moves again.
        Unhang = "unhang",
    }
}
