//! Which version of each package a search probably takes: the newest that everything known
//! so far lets in. It is only a guess, made to fetch ahead; nothing relies on it.

use std::collections::{HashMap, HashSet};

use provisioning_compat::{BoundOn, Matrix, Request};
use provisioning_package::{PackageName, Version, VersionReq};
use provisioning_registry_api::index::{IndexEntry, IndexVersion};

/// What is known so far of what a search will take.
pub(super) struct Guess<'r> {
    request: &'r Request,
    /// Requirements on each package, each once.
    required: HashMap<PackageName, HashSet<VersionReq>>,
    followed: HashSet<(PackageName, Version)>,
}

impl<'r> Guess<'r> {
    /// What `request` itself says.
    pub(super) fn of(request: &'r Request) -> Self {
        let mut guess = Self {
            request,
            required: HashMap::new(),
            followed: HashSet::new(),
        };
        for wanted in &request.wanted {
            guess.require(&wanted.name, wanted.selector.requirement());
        }
        for (name, selector) in &request.pins {
            guess.require(name, selector.requirement());
        }
        guess
    }

    /// The version of a package that a search probably takes.
    pub(super) fn version<'e>(&self, entry: &'e IndexEntry) -> Option<&'e IndexVersion> {
        let installed = self.request.installed.get(&entry.name);
        let required = self.required.get(&entry.name);
        let meets = |it: &&IndexVersion| {
            let mut required = required.into_iter().flatten();
            required.all(|req| req.matches(&it.version))
        };
        let is_installed = |it: &&IndexVersion| Some(&it.version) == installed;
        let kept = entry
            .versions
            .iter()
            .find(|it| is_installed(it) && meets(it));
        let fitting = entry
            .versions
            .iter()
            .filter(|it| it.yanked.is_none() && meets(it));
        kept.or_else(|| {
            if self.request.minimal {
                fitting.min_by(|left, right| left.version.cmp(&right.version))
            } else {
                fitting.max_by(|left, right| left.version.cmp(&right.version))
            }
        })
    }

    /// Takes `version` for the one that is chosen; what it needs and nobody knew to be
    /// needed like this.
    pub(super) fn follow(
        &mut self,
        name: &PackageName,
        version: &IndexVersion,
        matrix: &Matrix,
    ) -> Vec<PackageName> {
        if !self
            .followed
            .insert((name.clone(), version.version.clone()))
        {
            return Vec::new();
        }
        let row = matrix.row(name, &version.version);
        for bound in row.iter().flat_map(|it| &it.bounds) {
            if let BoundOn::Package(name) = &bound.on {
                self.require(name, bound.req.clone());
            }
        }
        let mut needed = Vec::new();
        for (name, dependency) in &version.dependencies {
            let is_new = self.require(name, dependency.req.clone());
            if is_new && !dependency.optional {
                needed.push(name.clone());
            }
        }
        needed
    }

    fn require(&mut self, name: &PackageName, req: VersionReq) -> bool {
        match self.required.get_mut(name) {
            Some(known) => known.insert(req),
            None => self.required.entry(name.clone()).or_default().insert(req),
        }
    }
}
