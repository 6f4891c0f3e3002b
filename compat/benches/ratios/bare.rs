//! The same graph for `pubgrub` alone: packages and versions are integers, and every
//! requirement is a range already.

use std::collections::HashMap;
use std::convert::Infallible;

use provisioning_compat::{Index as _, MemoryIndex};
use provisioning_package::{PackageName, Selector, VersionReq};
use pubgrub::{
    Dependencies, DependencyConstraints, DependencyProvider, PackageResolutionStatistics, Ranges,
};

/// How many decisions a hopeless search may take before it is stopped.
const DECISIONS_MAX: u32 = 200_000;

type Set = Ranges<u32>;

/// Packages by number, each version a list of needs.
pub(crate) struct Graph {
    needs: Vec<Vec<Vec<(u32, Set)>>>,
    decisions: std::cell::Cell<u32>,
}

impl Graph {
    /// Numbers everything that `wanted` can reach; 0 is the request.
    pub(crate) fn of(index: &MemoryIndex, wanted: &[(PackageName, Selector)]) -> Self {
        let mut graph = Self {
            needs: vec![Vec::new()],
            decisions: std::cell::Cell::new(0),
        };
        let mut numbers: HashMap<PackageName, u32> = HashMap::new();
        let mut open: Vec<PackageName> = Vec::new();
        let mut number = |name: &PackageName, open: &mut Vec<PackageName>| {
            let next = u32::try_from(numbers.len() + 1).expect("few packages");
            *numbers.entry(name.clone()).or_insert_with(|| {
                open.push(name.clone());
                next
            })
        };
        let root = wanted
            .iter()
            .map(|(name, selector)| {
                let set = set(index, name, &selector.requirement());
                (number(name, &mut open), set)
            })
            .collect();
        graph.needs[0] = vec![root];
        let mut done = 0;
        while done < open.len() {
            let name = open[done].clone();
            done += 1;
            let versions = index.entry(&name).map_or(&[][..], |it| &it.versions);
            let mut of_package = Vec::new();
            for version in versions {
                let needs = version.dependencies.iter().filter(|it| !it.1.optional);
                of_package.push(
                    needs
                        .map(|(needed, it)| {
                            (number(needed, &mut open), set(index, needed, &it.req))
                        })
                        .collect(),
                );
            }
            graph.needs.push(of_package);
        }
        graph
    }

    /// Whether there is a solution.
    pub(crate) fn resolve(&self) -> bool {
        self.decisions.set(0);
        pubgrub::resolve(self, 0, 0_u32).is_ok()
    }

    fn count(&self, package: u32) -> u32 {
        let versions = &self.needs[package as usize];
        u32::try_from(versions.len()).expect("few versions")
    }
}

fn set(index: &MemoryIndex, name: &PackageName, req: &VersionReq) -> Set {
    let versions = index.entry(name).map_or(&[][..], |it| &it.versions);
    let numbers = (0_u32..).zip(versions);
    numbers
        .filter(|(_, it)| req.matches(&it.version))
        .fold(Set::empty(), |set, (it, _)| {
            set.union(&Set::between(it, it + 1))
        })
}

impl DependencyProvider for Graph {
    type P = u32;
    type V = u32;
    type VS = Set;
    type Priority = (std::cmp::Reverse<usize>, u32);
    type M = String;
    type Err = Stopped;

    fn prioritize(
        &self,
        package: &u32,
        range: &Set,
        statistics: &PackageResolutionStatistics,
    ) -> Self::Priority {
        let versions = 0..self.count(*package);
        let left = versions.filter(|it| range.contains(it)).count();
        (std::cmp::Reverse(left), statistics.conflict_count())
    }

    fn choose_version(&self, package: &u32, range: &Set) -> Result<Option<u32>, Stopped> {
        let mut versions = (0..self.count(*package)).rev();
        Ok(versions.find(|it| range.contains(it)))
    }

    fn get_dependencies(
        &self,
        package: &u32,
        version: &u32,
    ) -> Result<Dependencies<u32, Set, String>, Stopped> {
        let needs = &self.needs[*package as usize][*version as usize];
        let needs: DependencyConstraints<u32, Set> = needs.iter().cloned().collect();
        Ok(Dependencies::Available(needs))
    }

    fn should_cancel(&self) -> Result<(), Stopped> {
        let decisions = self.decisions.get() + 1;
        self.decisions.set(decisions);
        if decisions > DECISIONS_MAX {
            return Err(Stopped(None));
        }
        Ok(())
    }
}

/// The search was stopped.
#[derive(Debug)]
pub(crate) struct Stopped(Option<Infallible>);

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "stopped {:?}", self.0)
    }
}

impl std::error::Error for Stopped {}
