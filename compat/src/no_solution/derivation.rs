//! The derivation of a refusal, as a tree for programs and as lines for people.
//!
//! Both come from the same steps. A step that others rest on more than once is told once and
//! has a number. A tree may not nest too deeply for whoever reads it, and a proof may be as
//! long as the longest chain of requirements, so long stretches lie side by side and what
//! would lie too deep is told first, under a number.

use std::collections::{BTreeMap, BTreeSet};

use provisioning_package::PackageName;
use serde::Serialize;

use super::availability::{self, OfPackage};
use super::sentences::{self, versions_phrase};
use super::{Cause, CauseKind};
use crate::solver::proof::{Because, Bound, Fact, Proof, Step, ordered};
use crate::solver::universe::{PackageId, Universe};

/// Steps that rest on more than so many others, one on the other, are told side by side.
const HEIGHT_NESTED_MAX: usize = 8;
/// How deep the tree goes at most.
const DEPTH_MAX: usize = 24;

/// A node of the derivation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ProofNode {
    /// A requirement, or a fact about the registry.
    Cause(Cause),
    /// What follows from others.
    Step(ProofStep),
}

/// What follows from requirements and other steps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProofStep {
    /// Always `step`.
    pub kind: CauseKind,
    /// Its number, where another place refers to it.
    pub step: Option<usize>,
    /// What follows, as a sentence.
    pub text: String,
    /// What cannot all be so at once.
    pub excludes: Vec<Excluded>,
    /// What it follows from; nothing where the step of this number is told elsewhere.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub because: Vec<ProofNode>,
}

/// A package's part in what cannot be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Excluded {
    /// The package.
    pub package: PackageName,
    /// Which of its versions, as text.
    pub versions: String,
    /// Whether one of them is there, or none of them.
    pub present: bool,
}

/// The derivation in both forms.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Derivation {
    /// What the refusal rests on.
    pub because: Vec<ProofNode>,
    /// The same as sentences, in reading order.
    #[serde(skip)]
    pub lines: Vec<String>,
}

/// Tells the proof: its ends, and how they lead to the refusal.
pub(super) fn of_proof<'a>(universe: &Universe<'a>, proof: &Proof<'a>) -> (Vec<Cause>, Derivation) {
    let registry = availability::of_proof(universe, proof);
    let mut causes = sentences::of_facts(universe, &proof.asked, &proof.facts);
    causes.extend(registry.iter().flat_map(|it| it.causes.iter().cloned()));
    let teller = Teller {
        universe,
        proof,
        registry: &registry,
        blocks: blocks(&proof.steps),
    };
    let lines = if proof.is_plain || proof.steps.is_empty() {
        causes.iter().map(|it| it.text.clone()).collect()
    } else {
        teller.lines()
    };
    let because = teller.tree();
    (causes, Derivation { because, lines })
}

/// A stretch of steps that is told as one, by its last step.
struct Block {
    step: usize,
    /// The steps of the stretch.
    stretch: Vec<usize>,
    /// Steps outside that it rests on, each the last of a block before this one.
    rests_on: Vec<usize>,
}

struct Teller<'t, 'a> {
    universe: &'t Universe<'a>,
    proof: &'t Proof<'a>,
    registry: &'t [OfPackage],
    /// In the order of telling; a block's place and one is its number.
    blocks: Vec<Block>,
}

/// Cuts the steps into stretches, each told after those that it rests on.
fn blocks(steps: &[Step<'_>]) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut told: BTreeSet<usize> = BTreeSet::new();
    let mut open: Vec<Block> = Vec::new();
    open.extend(steps.len().checked_sub(1).map(|last| block(steps, last)));
    while let Some(last) = open.pop() {
        if told.contains(&last.step) {
            continue;
        }
        let untold: Vec<usize> = last
            .rests_on
            .iter()
            .filter(|it| !told.contains(it))
            .copied()
            .collect();
        if untold.is_empty() {
            told.insert(last.step);
            blocks.push(last);
        } else {
            open.push(last);
            open.extend(untold.into_iter().rev().map(|it| block(steps, it)));
        }
    }
    blocks
}

fn block(steps: &[Step<'_>], step: usize) -> Block {
    let mut block = Block {
        step,
        stretch: vec![step],
        rests_on: Vec::new(),
    };
    let mut at = step;
    loop {
        let below = below(&steps[at]);
        let next = tallest_own(steps, &below);
        block
            .rests_on
            .extend(below.into_iter().filter(|it| Some(*it) != next));
        match next {
            Some(next) => block.stretch.push(next),
            None => break,
        }
        at = *block.stretch.last().unwrap_or(&step);
    }
    block.rests_on.sort_unstable();
    block.rests_on.dedup();
    block
}

fn below(step: &Step<'_>) -> Vec<usize> {
    let mut below: Vec<usize> = step
        .because
        .iter()
        .filter_map(|it| match it {
            Because::Fact(_) => None,
            Because::Step(place) => Some(*place),
        })
        .collect();
    below.dedup();
    below
}

/// The step with the longest way to it, of those that nothing else rests on.
fn tallest_own(steps: &[Step<'_>], below: &[usize]) -> Option<usize> {
    let own = below.iter().filter(|it| steps[**it].uses == 1);
    own.max_by_key(|it| (steps[**it].height, **it)).copied()
}

impl<'a> Teller<'_, 'a> {
    fn facts_of(&self, stretch: &[usize]) -> Vec<Fact<'a>> {
        let because = stretch.iter().flat_map(|it| &self.proof.steps[*it].because);
        ordered(because.filter_map(|it| match it {
            Because::Fact(fact) => Some(fact.clone()),
            Because::Step(_) => None,
        }))
    }

    fn causes_of(&self, facts: &[Fact<'_>], said: &mut BTreeSet<PackageId>) -> Vec<Cause> {
        let mut causes = sentences::of_facts(self.universe, &self.proof.asked, facts);
        let unmet = facts.iter().filter(|it| it.demand.set.is_empty());
        let unmet: BTreeSet<PackageId> = unmet.map(|it| it.demand.target).collect();
        for of_package in self.registry {
            let is_here = unmet.contains(&of_package.id);
            if is_here && of_package.is_alone && said.insert(of_package.id) {
                causes.extend(of_package.causes.iter().cloned());
            }
        }
        causes
    }

    /// What is true of several packages' requirements together is told at the end.
    fn rest_of_registry(&self, said: &mut BTreeSet<PackageId>) -> Vec<Cause> {
        let rest = self.registry.iter().filter(|it| said.insert(it.id));
        rest.flat_map(|it| it.causes.iter().cloned()).collect()
    }

    fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        let mut seen: BTreeSet<String> = BTreeSet::new();
        let mut said = BTreeSet::new();
        let numbers: BTreeMap<usize, usize> = self.numbers();
        // What was asked for is what a reader starts from.
        let asked = self.proof.facts.iter().filter(|it| it.owner.is_none());
        let asked: Vec<Fact<'_>> = asked.cloned().collect();
        for cause in sentences::of_facts(self.universe, &self.proof.asked, &asked) {
            if seen.insert(cause.text.clone()) {
                lines.push(cause.text);
            }
        }
        let last = self.blocks.len().saturating_sub(1);
        for (place, block) in self.blocks.iter().enumerate() {
            let facts = self.facts_of(&block.stretch);
            let mut causes = self.causes_of(&facts, &mut said);
            if place == last {
                causes.extend(self.rest_of_registry(&mut said));
            }
            let texts = causes.into_iter().map(|it| it.text);
            lines.extend(texts.filter(|it| seen.insert(it.clone())));
            let rests_on: Vec<String> = block
                .rests_on
                .iter()
                .map(|it| format!("({})", numbers[it]))
                .collect();
            let with = match rests_on.as_slice() {
                [] => "so ".to_owned(),
                some => format!("so, with {}, ", joined(some)),
            };
            let what = self.conclusion(block.step);
            let number = if place == last {
                String::new()
            } else {
                format!(" ({})", place + 1)
            };
            lines.push(format!("{with}{what}{number}"));
        }
        lines
    }

    fn numbers(&self) -> BTreeMap<usize, usize> {
        let places = self.blocks.iter().enumerate();
        places.map(|(place, it)| (it.step, place + 1)).collect()
    }

    fn tree(&self) -> Vec<ProofNode> {
        let Some(root) = self.blocks.last() else {
            let mut said = BTreeSet::new();
            let mut causes = self.causes_of(&self.proof.facts, &mut said);
            causes.extend(self.rest_of_registry(&mut said));
            return causes.into_iter().map(ProofNode::Cause).collect();
        };
        let mut growing = Growing {
            teller: self,
            numbers: self.numbers(),
            told: BTreeSet::new(),
            postponed: Vec::new(),
            said: BTreeSet::new(),
        };
        growing.numbers.remove(&root.step);
        let mut because = growing.because(root.step, 0);
        while let Some(step) = growing.postponed.pop() {
            // What was too deep comes first, so that a reader has met it.
            let early = growing.whole(step, 0);
            because.insert(0, ProofNode::Step(early));
        }
        let rest = self.rest_of_registry(&mut growing.said);
        because.extend(rest.into_iter().map(ProofNode::Cause));
        because
    }

    fn conclusion(&self, step: usize) -> String {
        let mut there: Vec<String> = Vec::new();
        let mut lacking: Vec<String> = Vec::new();
        let mut is_plural = false;
        for it in self.excludes(step) {
            is_plural |= it.present && it.versions.contains([' ', ',']);
            let text = phrase(&it);
            if it.present {
                there.push(text);
            } else {
                lacking.push(text);
            }
        }
        let needs = if is_plural { "need" } else { "needs" };
        match (there.as_slice(), lacking.as_slice()) {
            ([], []) => "these cannot all hold".to_owned(),
            ([one], []) if one.contains(' ') => format!("{one} cannot be used"),
            ([one], []) => format!("no version of {one} can be used"),
            (several, []) => format!("{} cannot go together", joined(several)),
            ([], needed) => format!("{} is needed", needed.join(" or ")),
            ([one], needed) => format!("{one} {needs} {}", needed.join(" or ")),
            (several, needed) => format!(
                "{} cannot go together without {}",
                joined(several),
                needed.join(" or ")
            ),
        }
    }

    fn excludes(&self, step: usize) -> Vec<Excluded> {
        let mut excludes: Vec<Excluded> = Vec::new();
        for (id, bound) in &self.proof.steps[step].excludes {
            let view = self.universe.view(*id);
            let count = self.universe.count(*id);
            let (numbers, present) = match bound {
                Bound::There(numbers) => (numbers, true),
                Bound::Lacking(numbers) => (numbers, false),
            };
            let mut places: BTreeSet<usize> = numbers.indices(count).collect();
            if let Some(asked) = self.proof.asked.get(id).filter(|_| present) {
                let asked: BTreeSet<usize> = asked.indices(count).collect();
                let both: BTreeSet<usize> = places.intersection(&asked).copied().collect();
                places = if both.is_empty() { places } else { both };
            }
            if places.is_empty() && !present {
                continue;
            }
            let versions = if places.len() == count {
                "*".to_owned()
            } else {
                versions_phrase(&view, &places)
            };
            excludes.push(Excluded {
                package: view.name.clone(),
                versions,
                present,
            });
        }
        excludes
    }
}

/// A package with some of its versions, in a sentence.
fn phrase(excluded: &Excluded) -> String {
    let Excluded {
        package, versions, ..
    } = excluded;
    match versions.as_str() {
        "*" => package.to_string(),
        _ => format!("{package} {versions}"),
    }
}

/// The tree while it grows.
struct Growing<'g, 't, 'a> {
    teller: &'g Teller<'t, 'a>,
    numbers: BTreeMap<usize, usize>,
    told: BTreeSet<usize>,
    /// Steps that were referred to only, because they lay too deep.
    postponed: Vec<usize>,
    said: BTreeSet<PackageId>,
}

impl Growing<'_, '_, '_> {
    /// What a step rests on. It never goes deeper than [`DEPTH_MAX`].
    fn because(&mut self, step: usize, depth: usize) -> Vec<ProofNode> {
        let steps = &self.teller.proof.steps;
        let mut stretch = vec![step];
        let mut others: Vec<usize> = Vec::new();
        let mut at = step;
        loop {
            let below = below(&steps[at]);
            let is_tall = steps[at].height > HEIGHT_NESTED_MAX;
            let next = tallest_own(steps, &below).filter(|_| is_tall);
            others.extend(below.into_iter().filter(|it| Some(*it) != next));
            match next {
                Some(next) => stretch.push(next),
                None => break,
            }
            at = *stretch.last().unwrap_or(&step);
        }
        let facts = self.teller.facts_of(&stretch);
        let causes = self.teller.causes_of(&facts, &mut self.said);
        let mut nodes: Vec<ProofNode> = causes.into_iter().map(ProofNode::Cause).collect();
        for other in others {
            nodes.push(ProofNode::Step(self.child(other, depth + 1)));
        }
        nodes
    }

    fn child(&mut self, step: usize, depth: usize) -> ProofStep {
        let is_shared = self.teller.proof.steps[step].uses > 1;
        if is_shared && self.told.contains(&step) {
            return self.reference(step);
        }
        if depth > DEPTH_MAX {
            if !self.postponed.contains(&step) {
                self.postponed.push(step);
            }
            self.told.insert(step);
            return self.reference(step);
        }
        self.whole(step, depth)
    }

    fn whole(&mut self, step: usize, depth: usize) -> ProofStep {
        self.told.insert(step);
        let number = self.number(step);
        ProofStep {
            step: number,
            because: self.because(step, depth),
            ..self.reference(step)
        }
    }

    fn reference(&mut self, step: usize) -> ProofStep {
        ProofStep {
            kind: CauseKind::Step,
            step: self.number(step),
            text: self.teller.conclusion(step),
            excludes: self.teller.excludes(step),
            because: Vec::new(),
        }
    }

    /// The number of a step that is referred to.
    fn number(&mut self, step: usize) -> Option<usize> {
        if self.postponed.contains(&step) && !self.numbers.contains_key(&step) {
            let next = self.numbers.values().max().copied().unwrap_or_default() + 1;
            self.numbers.insert(step, next);
        }
        self.numbers.get(&step).copied()
    }
}

/// `a, b and c`.
pub(super) fn joined(parts: &[String]) -> String {
    match parts.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    }
}
