//! The design rules: how a mechanism of failure is made impossible rather than guarded against.

codes! {
    /// A design rule. Each takes away the possibility of some [`Failure`](super::Failure)s.
    Rule { D1 D2 D3 D4 D5 D6 D7 D8 D9 D10 D11 D12 D13 D14 D15 D16 }
}

impl Rule {
    /// The rule's stable name, in `[a-z0-9_]+`.
    pub const fn name(self) -> &'static str {
        RULES[self as usize].name
    }

    /// What the rule demands, in a sentence or two.
    pub const fn statement(self) -> &'static str {
        RULES[self as usize].statement
    }
}

struct Text {
    rule: Rule,
    name: &'static str,
    statement: &'static str,
}

const RULES: [Text; Rule::ALL.len()] = [
    Text {
        rule: Rule::D1,
        name: "slots_are_rows",
        statement: "A slot is a row keyed by the execution that holds it. Releasing it deletes \
            that row, the number in use is counted from the rows under the lock of the queue key, \
            and promotion goes on while there is room.",
    },
    Text {
        rule: Rule::D2,
        name: "messages_are_rows_first",
        statement: "An outgoing message is a row committed together with the change that it \
            announces. A relay publishes it at least once.",
    },
    Text {
        rule: Rule::D3,
        name: "one_input_is_one_transaction",
        statement: "An input is consumed in one transaction: its dedupe key, the compare-and-set, \
            the rows of its consequences, its outgoing messages and, where the queue lives in the \
            same database, its acknowledgement.",
    },
    Text {
        rule: Rule::D4,
        name: "status_moves_by_compare_and_set",
        statement: "A status moves only by an update that names the states and the epoch it \
            expects, taken from the transition table. Terminal states absorb.",
    },
    Text {
        rule: Rule::D5,
        name: "attempts_carry_tokens",
        statement: "An attempt is a row with its worker, incarnation, token and lease. Every later \
            write on its behalf carries the token, and an older token is refused.",
    },
    Text {
        rule: Rule::D6,
        name: "domain_keys_are_unique",
        statement: "The database refuses duplicates by keys of the domain: one execution per \
            submit key, one run per execution, (rule, event), (execution, attempt number), (run, \
            task, occurrence, item).",
    },
    Text {
        rule: Rule::D7,
        name: "barriers_are_sets_of_members",
        statement: "A barrier is a set of member rows (run, generation, index), complete when all \
            N distinct members are. Its continuation is unique per (run, generation) and inserted \
            in the transaction that completes it.",
    },
    Text {
        rule: Rule::D8,
        name: "effects_have_a_ledger",
        statement: "An effect is a row unique per (execution, generation, kind, target), and its \
            key goes to the outside as the idempotency key.",
    },
    Text {
        rule: Rule::D9,
        name: "state_is_the_truth",
        statement: "Messages are hints. A sweep derives every missing hint from the state alone, \
            so losing all messages costs time and never work.",
    },
    Text {
        rule: Rule::D10,
        name: "sweeps_need_no_leader",
        statement: "There is one clock for deadlines. Each sweep is a compare-and-set per row and \
            harmless to repeat, so any number may run at once and a leader only saves effort.",
    },
    Text {
        rule: Rule::D11,
        name: "workers_fence_themselves",
        statement: "A worker stops its work before its lease ends. A slot is used again only when \
            the lease and the drift bound have passed, or the kill is confirmed.",
    },
    Text {
        rule: Rule::D12,
        name: "one_closed_vocabulary",
        statement: "One closed module owns the statuses, the terminal set, the names on the wire \
            and the error codes. Nothing is decided by matching text.",
    },
    Text {
        rule: Rule::D13,
        name: "receipts_carry_tokens",
        statement: "Acknowledging, renewing and releasing name both the message and the token \
            under which it was claimed.",
    },
    Text {
        rule: Rule::D14,
        name: "identity_is_typed",
        statement: "What a message is about stands in typed columns of the message, never only in \
            its payload.",
    },
    Text {
        rule: Rule::D15,
        name: "giving_up_is_parking",
        statement: "What cannot be processed, or cannot be judged, is parked with a reason and can \
            be replayed. Only starts count against a budget.",
    },
    Text {
        rule: Rule::D16,
        name: "transport_is_pinned",
        statement: "The transport is a column of the execution, set at submit. A transport is \
            drained when no non-terminal execution is pinned to it.",
    },
];

const _: () = {
    let mut place = 0;
    while place < RULES.len() {
        assert!(RULES[place].rule as usize == place, "the rules stand in the order of their codes");
        place += 1;
    }
};
