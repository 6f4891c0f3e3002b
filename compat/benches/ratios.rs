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

use provisioning_compat::{Index as _, Matrix, MemoryIndex, Request, Wanted, solve};
use provisioning_package::{PackageName, Selector, Target};
use provisioning_registry_api::index::IndexEntry;

/// How long each family is measured.
const MEASURED: Duration = Duration::from_secs(4);

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
            println!("reading and parsing cargo's own entries takes {reading:.1?}");
            match read_as_ours(&case) {
                Ok(reading) => println!("reading and parsing ours takes {reading:.1?}"),
                Err(why) => println!("reading ours was left out: {why}"),
            }
            measure(&case);
        }
        Err(why) => println!("the real slice was left out: {why}"),
    }
}

/// How long it takes to read the entries that a solution needs from files in our format, as
/// the client does it.
fn read_as_ours(case: &Case) -> std::io::Result<Duration> {
    let folder = std::env::temp_dir().join(format!("provisioning-ratios-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let mut paths = Vec::new();
    for (name, _) in &case.wanted {
        let entry = case
            .index
            .entry(name)
            .expect("what is locked is in the index");
        let path = folder.join(name.as_str());
        std::fs::write(&path, serde_json::to_vec(entry)?)?;
        paths.push(path);
    }
    let [reading] = medians([&|| {
        let entries = paths.iter().map(|path| {
            let bytes = std::fs::read(path).ok()?;
            serde_json::from_slice::<IndexEntry>(&bytes).ok()
        });
        entries.collect::<Option<MemoryIndex>>().is_some()
    }]);
    std::fs::remove_dir_all(folder)?;
    Ok(reading)
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
    let graph = bare::Graph::of(&case.index, &case.wanted);
    let [ours, bare] = medians([&|| solve(&request, &matrix, &case.index).is_ok(), &|| {
        graph.resolve()
    }]);
    let [whole] = medians([&|| bare::Graph::of(&case.index, &case.wanted).resolve()]);
    let ratio = |other: Duration| format!("{:.2}", ours.as_secs_f64() / other.as_secs_f64());
    println!(
        "| {} | {versions} | {answer} | {ours:.2?} | {bare:.2?} | {} | {whole:.2?} | {} |",
        case.name,
        ratio(bare),
        ratio(whole),
    );
}

/// The median time of each, over as many rounds as fit into [`MEASURED`], three at least. They
/// take turns, so that whatever else the machine does falls on all of them.
fn medians<const N: usize>(runs: [&dyn Fn() -> bool; N]) -> [Duration; N] {
    let mut times = [const { Vec::new() }; N];
    let started = Instant::now();
    while times[0].len() < 3 || (started.elapsed() < MEASURED && times[0].len() < 2_000) {
        for (run, times) in runs.iter().zip(&mut times) {
            let start = Instant::now();
            std::hint::black_box(run());
            times.push(start.elapsed());
        }
    }
    times.map(|mut it| {
        it.sort_unstable();
        it[it.len() / 2]
    })
}
