//! The catalogue as a document.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{
    Applies, Due, FAILURES, Failure, Kind, LAWS, Law, LawId, MUTANTS, Mutant, Rule, Subject,
};

/// The whole catalogue in markdown, as kept in `docs/catalogue.md`.
pub fn render_catalogue() -> String {
    let mut page = head();
    page.push_str(&laws("Safety laws", SAFETY, Kind::Safety));
    page.push_str(&laws("Liveness laws", LIVENESS, Kind::Liveness));
    page.push_str(&rules());
    page.push_str(&failures());
    page.push_str(&mutants());
    page
}

const SAFETY: &str = "What never happens. They are judged after every step, under all faults.";

const LIVENESS: &str = "What always happens in the end, and by when. They are judged after faults \
    have stopped, while clocks run, every runtime has an eligible worker, and every action ends \
    or is killed at its run deadline.";

fn head() -> String {
    let (laws, failures) = (LAWS.len(), FAILURES.len());
    let (rules, mutants) = (Rule::ALL.len(), MUTANTS.len());
    format!(
        "# Laws and failures\n\n\
        <!-- Made from core/src/catalogue; do not edit. To make it again:\n     \
        STEADFAST_BLESS=1 cargo test -p steadfast-tests --test catalogue -->\n\n\
        What the engine promises ({laws} laws), the ways in which engines of this kind have broken \
        such promises ({failures} mechanisms of failure), the {rules} design rules that leave them \
        no room, and the {mutants} bugs that are planted to prove that the laws are watched.\n\n\
        A law says on what evidence it is judged: a *snapshot* of the rows, one committed \
        *transition*, the *log* of a run, or the *world*, where rows cannot tell which processes \
        really run or how much time has passed.\n\n"
    )
}

fn laws(title: &str, about: &str, kind: Kind) -> String {
    let mut text =
        format!("## {title}\n\n{about}\n\n| law | statement | judged on |\n|---|---|---|\n");
    let of_kind = || LAWS.iter().filter(move |law| law.kind == kind);
    for law in of_kind() {
        let (code, scope) = (law.code, law.scope.as_str());
        let cells = [anchored(code, law.name), cell(law.statement), scope.into()];
        text.push_str(&row(&cells));
    }
    text.push_str("\n| law | without it | guards against | proved by |\n|---|---|---|---|\n");
    for law in of_kind() {
        let cells = [law_link(law), cell(law.why), failure_links(law), mutant_links(law)];
        text.push_str(&row(&cells));
    }
    text.push('\n');
    text
}

fn rules() -> String {
    let mut text = String::from(
        "## Design rules\n\n\
        How a failure is made impossible rather than guarded against.\n\n\
        | rule | statement | leaves no room for |\n|---|---|---|\n",
    );
    for rule in Rule::ALL.iter().copied() {
        let prevented = FAILURES.iter().filter(|failure| failure.prevented_by.contains(&rule));
        let cells = [
            anchored(rule.code(), rule.name()),
            cell(rule.statement()),
            list(by_number(prevented).into_iter().map(|failure| link(failure.code))),
        ];
        text.push_str(&row(&cells));
    }
    text.push('\n');
    text
}

fn failures() -> String {
    let mut text = String::from(
        "## Mechanisms of failure\n\n\
        Each is a story of who does what in which order until a law is broken.\n\n",
    );
    for subject in Subject::ALL {
        text.push_str(&format!("### {}\n\n", subject.title()));
        for failure in FAILURES.iter().filter(|failure| failure.subject == *subject) {
            text.push_str(&failure_entry(failure));
        }
    }
    text
}

fn failure_entry(failure: &Failure) -> String {
    let Failure { code, name, story, harm, breaks, prevented_by, .. } = failure;
    let mut text = format!("#### {}\n\n", anchored(code, name));
    for (place, step) in story.iter().enumerate() {
        text.push_str(&format!("{}. {step}\n", place + 1));
    }
    let breaks = list(breaks.iter().map(|id| link(id.code())));
    let prevented_by = list(prevented_by.iter().map(|rule| link(rule.code())));
    text.push_str(&format!("\n{harm} Breaks {breaks}; prevented by {prevented_by}."));
    match failure.applies {
        Applies::Yes => {}
        Applies::No(reason) => text.push_str(&format!(" *Does not apply here.* {reason}")),
        Applies::Later(reason) => text.push_str(&format!(" *Applies later.* {reason}")),
    }
    text.push_str("\n\n");
    text
}

fn mutants() -> String {
    let mut text = String::from(
        "## Planted bugs\n\n\
        Each is planted alone, and a simulation that does not report a broken law has failed. The \
        first law is the one that the bug is meant for. Some wait for the part that they belong \
        to.\n\n\
        | bug | what is made wrong | breaks |\n|---|---|---|\n",
    );
    for mutant in MUTANTS {
        let Mutant { name, statement, law, also, due } = mutant;
        let laws = core::iter::once(law).chain(*also).map(|id: &LawId| link(id.code()));
        let name = format!("<a id=\"{name}\"></a>`{name}`");
        let wrong = match due {
            Due::Now => cell(statement),
            Due::Later(reason) => format!("{} *Waits.* {}", cell(statement), cell(reason)),
        };
        text.push_str(&row(&[name, wrong, list(laws)]));
    }
    text
}

fn anchored(code: &str, name: &str) -> String {
    format!("<a id=\"{}\"></a>**{code}** `{name}`", code.to_ascii_lowercase())
}

fn link(code: &str) -> String {
    format!("[{code}](#{})", code.to_ascii_lowercase())
}

fn law_link(law: &Law) -> String {
    format!("{} `{}`", link(law.code), law.name)
}

fn failure_links(law: &Law) -> String {
    list(law.failures.iter().map(|code| link(code)))
}

fn mutant_links(law: &Law) -> String {
    list(law.mutants.iter().map(|name| format!("[`{name}`](#{name})")))
}

fn by_number<'a>(failures: impl Iterator<Item = &'a Failure>) -> Vec<&'a Failure> {
    let mut sorted: Vec<_> = failures.collect();
    sorted.sort_by_key(|failure| (failure.code.len(), failure.code));
    sorted
}

fn list(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn row(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}
