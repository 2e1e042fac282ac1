//! Messages, receipts, dead letters and poison.

use super::{Applies, Failure, Subject};
use crate::catalogue::{LawId::*, Rule::*};

pub(super) const FAILURES: &[Failure] = &[
    Failure {
        code: "F32",
        name: "refusals_have_no_policy",
        subject: Subject::Transport,
        story: &[
            "A message whose handling fails is requeued at once, with neither delay nor cap, or \
                refused for good.",
            "A database that is away for one second counts as the second kind, and the refused \
                message goes to a dead-letter route that leads nowhere.",
            "In another handler the same outage is logged and the message is acknowledged.",
        ],
        harm: "A short outage loses completions, and an error that cannot pass spins hot.",
        breaks: &[S11, L2, L4, L5, L12],
        prevented_by: &[D9, D15],
        applies: Applies::Yes,
    },
    Failure {
        code: "F36",
        name: "dead_letter_route_leads_nowhere",
        subject: Subject::Transport,
        story: &[
            "The dead-letter exchange compares routing keys exactly, and its queue is bound with a \
                wildcard that is therefore taken literally.",
            "Dead letters keep their own keys, match nothing and are dropped.",
            "The handler behind the queue would only have failed the row, without releasing \
                anything.",
        ],
        harm: "The net under all other failures has a hole, and no alarm says so.",
        breaks: &[S11, L2, L4],
        prevented_by: &[D9, D15],
        applies: Applies::Yes,
    },
    Failure {
        code: "F37",
        name: "confirmed_but_unroutable",
        subject: Subject::Transport,
        story: &[
            "A publisher waits for confirmations but does not ask for unroutable messages back.",
            "The queue that it addresses does not exist.",
            "The broker confirms the message and drops it.",
        ],
        harm: "The caller sees success, and the message is gone.",
        breaks: &[S11],
        prevented_by: &[D2, D9],
        applies: Applies::Yes,
    },
    Failure {
        code: "F46",
        name: "poison_without_identity",
        subject: Subject::Transport,
        story: &[
            "A message fails again and again before its handler learns which execution it is \
                about.",
            "Its deliveries run out, and the code that should fail the execution looks for the id \
                where it is not.",
            "The message is deleted all the same.",
        ],
        harm: "The execution shows as running with no message, claim or barrier left, and no sweep \
            can see it.",
        breaks: &[S11, L4, L11],
        prevented_by: &[D9, D14, D15],
        applies: Applies::Yes,
    },
    Failure {
        code: "F47",
        name: "receipt_without_a_token",
        subject: Subject::Transport,
        story: &[
            "The claim of A expires; the message is armed again and claimed by B.",
            "A acknowledges by message id and deletes the claim of B, or renews by id and is told \
                that it still holds the message.",
            "Elsewhere an acknowledgement is lost on a connection that had been closed while idle, \
                and finished work is delivered again.",
        ],
        harm: "Two consumers believe that they hold one message, or nobody does; what was finished \
            is done again.",
        breaks: &[S9, S12],
        prevented_by: &[D3, D13],
        applies: Applies::Yes,
    },
    Failure {
        code: "F49",
        name: "visibility_time_is_fixed",
        subject: Subject::Transport,
        story: &[
            "A claimed message is hidden for a fixed time.",
            "The work takes a second longer, and a second copy starts in the middle of it.",
            "The time is raised, and now the message of a dead worker stays hidden as long.",
        ],
        harm: "Every fixed value is shorter than some task or makes recovery slow. A renewed lease \
            needs a run deadline as well, or a hung worker renews for ever.",
        breaks: &[S5, L10],
        prevented_by: &[D5, D13],
        applies: Applies::Yes,
    },
    Failure {
        code: "F53",
        name: "send_with_an_unknown_outcome",
        subject: Subject::Transport,
        story: &[
            "The insert of a message commits, and the connection breaks before the reply.",
            "The sender tries again on a fresh connection.",
            "A second row is inserted.",
        ],
        harm: "The same step is enqueued twice.",
        breaks: &[S10],
        prevented_by: &[D6],
        applies: Applies::Yes,
    },
    Failure {
        code: "F59",
        name: "poison_by_bad_luck",
        subject: Subject::Transport,
        story: &[
            "Every delivery counts against the limit, whether or not the work began.",
            "The consumer's machine is evicted five times.",
            "The message is deleted as poison, and nobody checks that the failure was recorded.",
        ],
        harm: "A healthy message is lost, and somebody has to rebuild it from the logs.",
        breaks: &[S11, S28, L4],
        prevented_by: &[D15],
        applies: Applies::Yes,
    },
    Failure {
        code: "F61",
        name: "transport_changes_under_way",
        subject: Subject::Transport,
        story: &[
            "A guard is switched on by a mark in the message, and messages from before the release \
                lack it.",
            "The transport is switched while work is in flight.",
            "The consumers of the old transport are stopped.",
        ],
        harm: "Older work runs unguarded or is stranded.",
        breaks: &[S26, L9],
        prevented_by: &[D16],
        applies: Applies::Yes,
    },
    Failure {
        code: "F64",
        name: "handle_is_removed_before_the_verdict",
        subject: Subject::Transport,
        story: &[
            "An error path deletes the message, the barrier or the claim.",
            "It means to mark the execution as failed next.",
            "The process dies in between.",
        ],
        harm: "The execution is unfinished and nothing is left that could end it.",
        breaks: &[S11, L4],
        prevented_by: &[D3, D9],
        applies: Applies::Yes,
    },
];
