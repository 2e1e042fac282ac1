//! Barriers, continuations and effects on the outside.

use super::{Applies, Failure, Subject};
use crate::catalogue::{LawId::*, Rule::*};

pub(super) const FAILURES: &[Failure] = &[
    Failure {
        code: "F51",
        name: "effects_happen_twice_or_never",
        subject: Subject::FanOut,
        story: &[
            "Two deliveries of the last step both read that the run is unfinished, and both notify \
                and bill.",
            "Or the final status is committed first and the process dies: the redelivery sees it \
                and skips the effects.",
            "Or the guard knows only success: a failed run notifies again at every redelivery.",
            "Or a failed run is later counted as completed, and billed after the failure notice.",
        ],
        harm: "Effects are repeated, lost, or contradict what was reported.",
        breaks: &[S12, S13, L8],
        prevented_by: &[D8],
        applies: Applies::Yes,
    },
    Failure {
        code: "F54",
        name: "barrier_is_armed_over_old_members",
        subject: Subject::FanOut,
        story: &[
            "A barrier of two is armed and member 0 is sent; sending member 1 fails, so the \
                barrier and its dedupe records are deleted.",
            "A redelivery arms the barrier again.",
            "The old member 0 and the new one both count it down.",
        ],
        harm: "The continuation runs with member 0 twice and member 1 missing.",
        breaks: &[S18],
        prevented_by: &[D7],
        applies: Applies::Later("It needs groups with a continuation, which are not built yet."),
    },
    Failure {
        code: "F56",
        name: "last_member_without_a_continuation",
        subject: Subject::FanOut,
        story: &[
            "The last member is counted, and the barrier stands at zero.",
            "The process dies before the continuation is enqueued.",
        ],
        harm: "All the work is done, and the run ends as a failure when its time is up.",
        breaks: &[S18, L8],
        prevented_by: &[D2, D7],
        applies: Applies::Later("It needs groups with a continuation, which are not built yet."),
    },
    Failure {
        code: "F57",
        name: "fan_out_is_sent_in_part",
        subject: Subject::FanOut,
        story: &[
            "Some of the messages of a fan-out are sent, one after the other.",
            "An error removes the barrier, and those already sent work for nothing.",
            "Or a crash leaves the barrier, which waits for members that were never sent.",
        ],
        harm: "Work is done for nobody, or the run waits for work that does not exist.",
        breaks: &[S17, L5],
        prevented_by: &[D3, D7],
        applies: Applies::Later("It needs groups with a continuation, which are not built yet."),
    },
    Failure {
        code: "F63",
        name: "payload_breaks_the_barrier",
        subject: Subject::FanOut,
        story: &[
            "Results are appended as they come, so the aggregate depends on timing.",
            "One of them holds a byte or a number that the store refuses, and the barrier is torn \
                down.",
            "A member that is skipped because the run was cancelled neither counts nor closes the \
                barrier.",
        ],
        harm: "The aggregate differs from run to run, or never comes and its clean-up with it.",
        breaks: &[S18, L8],
        prevented_by: &[D7],
        applies: Applies::Later("It needs groups with a continuation, which are not built yet."),
    },
];
