//! Asking whoever sits at the terminal whether a plan is to be carried out.
//!
//! In a pipe, a script or CI nobody is asked anything: there the command is the consent.

use provisioning_installers::{Action, Generation, Plan, Prefix, missing};

use super::shown::lines;
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::output::bytes;
use crate::prompt::{Answer, confirm, is_interactive};

/// Shows the plan and asks. Whether it was shown; a "no" is a failure.
pub(super) fn agree(
    plan: &Plan,
    before: Option<&Generation>,
    prefix: &Prefix,
    context: &Context,
) -> Outcome<bool> {
    if context.settings.yes || !is_interactive(context) {
        return Ok(false);
    }
    let output = &context.output;
    let strong = |text: &str| output.strong_beside(text);
    let faint = |text: &str| output.faint_beside(text);
    for line in lines(plan, before, strong, faint) {
        output.status(&line);
    }
    output.status(&summary(plan, prefix));
    if confirm(context, "Proceed?", Answer::Yes)? {
        return Ok(true);
    }
    Err(Failure::new("declined", "you said no"))
}

/// How much of it there is: `2 to upgrade, 1 to remove; 12.0 MiB to fetch`.
fn summary(plan: &Plan, prefix: &Prefix) -> String {
    let kinds = [
        (Action::Install, "to install"),
        (Action::Upgrade, "to upgrade"),
        (Action::Downgrade, "to downgrade"),
        (Action::Remove, "to remove"),
    ];
    let counts: Vec<String> = kinds
        .iter()
        .filter_map(|(action, words)| {
            let count = plan
                .changes
                .iter()
                .filter(|it| it.action == *action)
                .count();
            (count > 0).then(|| format!("{count} {words}"))
        })
        .collect();
    let fetched: u64 = missing(prefix, plan).iter().map(|it| it.size).sum();
    let fetch = if fetched == 0 {
        "nothing to fetch".to_owned()
    } else {
        format!("{} to fetch", bytes(fetched))
    };
    format!("{}; {fetch}", counts.join(", "))
}
