//! `provisioning bundle promote`: move a published bundle through its gates.

use clap::ValueEnum;
use jiff::civil::Date;
use provisioning_package::BundleName;
use provisioning_registry_api::bundle::BundleState;
use provisioning_registry_api::command::{BundleMoved, PromoteBundle, Waiver};

use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::write_api::WriteClient;

/// Move a published bundle to its next state, if its gates let it through
///
/// `testing` → `candidate` needs the gate `tests`, `candidate` → `stable` (`lts` where the
/// bundle names its last day) the gate `upgrades`. Each judges by evidence that
/// `bundle test --submit` sent; what is unknown or failed never passes. `--waive GATE
/// --reason WHY` takes a gate on yourself: your name and reason stay with the bundle.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  provisioning bundle promote stable-3.3\n  \
                  provisioning bundle promote stable-3.3 --to stable\n  \
                  provisioning bundle promote stable-3.3 --to lts --lts-until 2027-09-01")]
pub(crate) struct Args {
    /// The bundle
    #[arg(value_parser = BundleName::parse)]
    name: BundleName,
    /// How far [default: the next state]
    #[arg(long, value_name = "STATE")]
    to: Option<To>,
    /// Which sequence [default: the newest]
    #[arg(long, value_name = "N")]
    sequence: Option<u64>,
    /// Pass this gate without evidence; may be given twice
    #[arg(long, value_name = "GATE", requires = "reason")]
    waive: Vec<Gate>,
    /// Why a gate is waived
    #[arg(long, value_name = "WHY", requires = "waive")]
    reason: Option<String>,
    /// The day until which it is supported
    #[arg(long, value_name = "DAY")]
    lts_until: Option<Date>,
}

/// The states that a bundle is promoted to.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum To {
    Candidate,
    Stable,
    Lts,
    Eol,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Gate {
    Tests,
    Upgrades,
}

impl From<To> for BundleState {
    fn from(to: To) -> Self {
        match to {
            To::Candidate => Self::Candidate,
            To::Stable => Self::Stable,
            To::Lts => Self::Lts,
            To::Eol => Self::Eol,
        }
    }
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    let reason = args.reason.clone().unwrap_or_default();
    if !args.waive.is_empty() && reason.trim().is_empty() {
        return Err(Failure::usage("a waiver says why: `--reason` is empty"));
    }
    let waivers = args.waive.iter().map(|gate| Waiver {
        gate: match gate {
            Gate::Tests => "tests".to_owned(),
            Gate::Upgrades => "upgrades".to_owned(),
        },
        reason: reason.clone(),
    });
    let asked = PromoteBundle {
        sequence: args.sequence,
        to: args.to.map(BundleState::from),
        waivers: waivers.collect(),
        lts_until: args.lts_until,
    };
    let api = WriteClient::open(context).await?;
    let moved = api.promote_bundle(&args.name, &asked).await?;
    show(&moved, context)?;
    Ok(Exit::Done)
}

/// Prints how far sequences have come.
pub(super) fn show(moved: &BundleMoved, context: &Context) -> Outcome<()> {
    context.output.result(moved, |out| {
        for sequence in &moved.sequences {
            writeln!(
                out,
                "{} #{} is {}",
                moved.name,
                sequence.sequence,
                sequence.state.as_str()
            )?;
            for gate in &sequence.gates {
                writeln!(out, "  {}", super::show::gate_line(gate))?;
            }
        }
        for (channel, head) in &moved.channels {
            writeln!(
                out,
                "the channel `{channel}` points at {} #{}",
                head.bundle, head.sequence
            )?;
        }
        Ok(())
    })
}
