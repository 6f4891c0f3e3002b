//! What solving costs beside the bare algorithm: each graph is solved by this crate, from
//! index entries and requirement texts on, and by `pubgrub` alone, from integers on.
//!
//! `cargo bench -p provisioning-compat --bench ratios [FAMILY]` prints a table.
#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

#[path = "ratios/bare.rs"]
mod bare;
#[path = "ratios/families.rs"]
mod families;
#[path = "ratios/real.rs"]
mod real;

use std::time::{Duration, Instant};

use provisioning_compat::{Matrix, MemoryIndex, Request, Wanted, solve};
use provisioning_package::{PackageName, Selector, Target};

/// How long each side of each family is measured.
const MEASURED: Duration = Duration::from_millis(1_500);

/// One graph, and what is asked of it.
pub(crate) struct Case {
    /// What the table calls it.
    pub(crate) name: &'static str,
    /// The packages.
    pub(crate) index: MemoryIndex,
    /// What must be in the solution.
    pub(crate) wanted: Vec<(PackageName, Selector)>,
}

fn main() {
    let only: Vec<String> = std::env::args()
        .skip(1)
        .filter(|it| !it.starts_with("--"))
        .collect();
    println!(
        "| graph | versions | answer | ours | bare | ratio | bare, numbering included | ratio |"
    );
    println!("| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: |");
    for make in families::ALL {
        let case = make();
        if only.is_empty() || only.iter().any(|it| case.name.contains(it.as_str())) {
            measure(&case);
        }
    }
    match real::read() {
        Ok((case, reading)) => {
            println!("reading and parsing its entries takes {reading:.1?}");
            measure(&case);
        }
        Err(why) => println!("the real slice was left out: {why}"),
    }
}

fn measure(case: &Case) {
    let wanted = case
        .wanted
        .iter()
        .map(|(name, selector)| Wanted::by_you(name.clone(), selector.clone(), name.as_str()));
    let request = Request::new(
        wanted.collect(),
        Target::LinuxX86_64,
        jiff::Timestamp::UNIX_EPOCH,
    );
    let matrix = Matrix::default();
    let versions: usize = case.index.entries().map(|it| it.versions.len()).sum();
    let answer = match solve(&request, &matrix, &case.index) {
        Ok(solution) => format!("{} packages", solution.packages.len()),
        Err(refusal) => format!("refused, {} causes", refusal.causes.len()),
    };
    let ours = median(|| solve(&request, &matrix, &case.index).is_ok());
    let graph = bare::Graph::of(&case.index, &case.wanted);
    let bare = median(|| graph.resolve());
    let whole = median(|| bare::Graph::of(&case.index, &case.wanted).resolve());
    let ratio = |other: Duration| format!("{:.2}", ours.as_secs_f64() / other.as_secs_f64());
    println!(
        "| {} | {versions} | {answer} | {ours:.2?} | {bare:.2?} | {} | {whole:.2?} | {} |",
        case.name,
        ratio(bare),
        ratio(whole),
    );
}

/// The median time of as many runs as fit into [`MEASURED`], three at least.
fn median(run: impl Fn() -> bool) -> Duration {
    let mut times = Vec::new();
    let started = Instant::now();
    while times.len() < 3 || (started.elapsed() < MEASURED && times.len() < 2_000) {
        let start = Instant::now();
        std::hint::black_box(run());
        times.push(start.elapsed());
        if started.elapsed() > MEASURED * 8 {
            break;
        }
    }
    times.sort_unstable();
    times[times.len() / 2]
}
