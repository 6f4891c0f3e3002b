//! A real history, through everything: 1,000 commits, 12 packages, renames, merges, commits
//! that touch several packages. What comes out is compared with what git says.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{World, texts};

/// How many packages there are.
const PACKAGES: usize = 12;
/// How many commits there are.
const COMMITS: usize = 1000;
/// The commit at which downstream repositories begin.
const BEGIN: usize = 930;
/// Who commits.
const PEOPLE: &[&str] = &["Ada", "Bob", "Cy", "Dee", "Éva", "Fay Li"];

fn key(number: usize) -> String {
    format!("p{number:02}")
}

/// Odd packages have a specfile and name what goes downstream; even ones have neither.
fn has_spec(number: usize) -> bool {
    number % 2 == 1
}

fn configuration() -> String {
    let mut text =
        "jobs: []\nupstream_tag_template: 'v{version}'\nsync_changelog: true\npackages:\n"
            .to_owned();
    for number in 0..PACKAGES {
        let key = key(number);
        let more = if has_spec(number) {
            format!(
                ", downstream_package_name: rpm-{key}, specfile_path: pkg/{key}/rpm-{key}.spec, files_to_sync: [{{src: pkg/{key}/, dest: ., delete: true, filters: [protect .git*]}}]"
            )
        } else {
            String::new()
        };
        writeln!(text, "  {key}: {{paths: [pkg/{key}]{more}}}").unwrap();
    }
    text
}

fn spec(name: &str) -> String {
    format!(
        "Name: {name}\nVersion: 0\nRelease: 1\nSummary: A package\nLicense: MIT\nSource0: x.tar.gz\nBuildArch: noarch\n%description\nx\n%prep\n%autosetup -n x\n%install\ninstall -D -m 0644 base %{{buildroot}}/usr/share/{name}/base\n%files\n/usr/share/{name}/base\n%changelog\n"
    )
}

/// A stream for `git fast-import`, and what each package's files are as it goes.
struct Script {
    out: String,
    files: Vec<Vec<String>>,
    count: usize,
}

impl Script {
    fn new() -> Self {
        Self {
            out: "feature done\n".to_owned(),
            files: vec![Vec::new(); PACKAGES],
            count: 0,
        }
    }

    fn data(&mut self, text: &str) {
        writeln!(self.out, "data {}\n{text}", text.len()).unwrap();
    }

    fn begin(&mut self, branch: &str, message: &str, merge: Option<usize>) {
        self.count += 1;
        let who = PEOPLE[self.count % PEOPLE.len()];
        let mail = format!("{}@example.org", who.to_lowercase().replace(' ', "."));
        let (count, time) = (self.count, 1_700_000_000 + self.count * 600);
        writeln!(self.out, "commit refs/heads/{branch}\nmark :{count}").unwrap();
        writeln!(self.out, "author {who} <{mail}> {time} +0100").unwrap();
        writeln!(
            self.out,
            "committer Rel <rel@example.org> {} +0000",
            time + 60
        )
        .unwrap();
        self.data(message);
        if let Some(mark) = merge {
            writeln!(self.out, "merge :{mark}").unwrap();
        }
    }

    fn write(&mut self, path: &str, text: &str) {
        writeln!(self.out, "M 100644 inline {path}").unwrap();
        self.data(text);
    }

    fn change(&mut self, number: usize) {
        let (key, count) = (key(number), self.count);
        match count % 7 {
            0 if self.files[number].len() > 1 => {
                let from = self.files[number].remove(0);
                let to = format!("moved/{count} ä.txt");
                writeln!(self.out, "R \"pkg/{key}/{from}\" \"pkg/{key}/{to}\"").unwrap();
                self.files[number].push(to);
            }
            1 if self.files[number].len() > 3 => {
                let path = self.files[number].remove(0);
                writeln!(self.out, "D pkg/{key}/{path}").unwrap();
            }
            _ => {
                let path = format!("src/file-{}", count % 9);
                self.write(&format!("pkg/{key}/{path}"), &format!("{count}\n"));
                if !self.files[number].contains(&path) {
                    self.files[number].push(path);
                }
            }
        }
    }

    /// The whole history; its last line ends the stream.
    fn history() -> String {
        let mut script = Self::new();
        script.begin("main", "begin", None);
        script.write(".provisioning.yaml", &configuration());
        for number in 0..PACKAGES {
            let key = key(number);
            script.write(&format!("pkg/{key}/base"), "base\n");
            if has_spec(number) {
                let name = format!("rpm-{key}");
                script.write(&format!("pkg/{key}/{name}.spec"), &spec(&name));
            }
        }
        while script.count < COMMITS {
            let next = script.count + 1;
            if next.is_multiple_of(40) {
                script.side_branch();
            } else if next.is_multiple_of(11) {
                script.begin("main", &format!("readme {next}"), None);
                script.write("README", &format!("{next}\n"));
            } else if next.is_multiple_of(10) {
                script.begin(
                    "main",
                    &format!("three packages {next}\n\nAll at once."),
                    None,
                );
                for step in 0..3 {
                    script.change((next + step * 4) % PACKAGES);
                }
            } else {
                script.begin("main", &format!("one package {next}"), None);
                script.change(next * 5 % PACKAGES);
            }
        }
        script.out.push_str("done\n");
        script.out
    }

    /// Two commits on a branch of their own, and the merge.
    fn side_branch(&mut self) {
        let base = self.count;
        writeln!(self.out, "reset refs/heads/side\nfrom :{base}\n").unwrap();
        for _ in 0..2 {
            let next = self.count + 1;
            self.begin("side", &format!("side {next}"), None);
            let path = format!("pkg/{}/side/{next}", key(next % PACKAGES));
            self.write(&path, &format!("{next}\n"));
        }
        let (first, second) = (self.count - 1, self.count);
        self.begin("main", &format!("merge {second}"), Some(second));
        for next in [first, second] {
            let path = format!("pkg/{}/side/{next}", key(next % PACKAGES));
            self.write(&path, &format!("{next}\n"));
        }
    }
}

fn sample() -> World {
    let world = World::new();
    world.init("src");
    world.feed(
        "src",
        &["fast-import", "--quiet", "--done"],
        &Script::history(),
    );
    world.git("src", &["reset", "--quiet", "--hard", "main"]);
    world
}

fn downstream(number: usize) -> String {
    if has_spec(number) {
        format!("rpms/rpm-{}", key(number))
    } else {
        format!("rpms/{}", key(number))
    }
}

/// The source commits that a downstream repository names, the oldest first.
fn named(world: &World, repository: &str, key: &str) -> Vec<(String, String)> {
    let log = world.git(repository, &["log", "--reverse", "--format=%H"]);
    let pair = |commit: &str| {
        let message = world.message(repository, commit);
        assert!(
            message.ends_with(&format!("\nSource-package: {key}")),
            "{message}"
        );
        let (_, rest) = message.rsplit_once("From-source-git-commit: ").unwrap();
        (commit.to_owned(), rest.lines().next().unwrap().to_owned())
    };
    log.lines().map(pair).collect()
}

/// Author, time and subject.
const WHO: &str = "--format=%an <%ae> %ad %s";

fn split_is_what_git_says(world: &World) {
    let done = world.source(&["split", "-C", "src", "--to", "split"]);
    assert_eq!(done["packages"].as_array().unwrap().len(), PACKAGES);
    assert_eq!(
        done["left_over"],
        serde_json::json!([".provisioning.yaml", "README"])
    );
    for number in 0..PACKAGES {
        let (folder, path) = (
            format!("split/{}", key(number)),
            format!("pkg/{}", key(number)),
        );
        assert_eq!(
            world.tree(&folder, "HEAD"),
            world.tree("src", &format!("HEAD:{path}"))
        );
        let whole = ["log", "--date=raw", WHO, "--topo-order", "--no-merges"];
        let limited = [&whole[..], &["--full-history", "--", &path]].concat();
        let (ours, gits) = (world.git(&folder, &whole), world.git("src", &limited));
        let sorted = |text: &str| {
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        assert_eq!(sorted(&ours), sorted(&gits), "{path}");
    }
}

fn downstream_is_what_git_says(world: &World, begin: &str, head: &str) {
    for number in 0..PACKAGES {
        let (repository, path) = (downstream(number), format!("pkg/{}", key(number)));
        let pairs = named(world, &repository, &key(number));
        assert_eq!(pairs[0].1, begin);
        assert_eq!(pairs.last().unwrap().1, head);
        let range = format!("{begin}..{head}");
        let listed = world.git(
            "src",
            &[
                "log",
                "--first-parent",
                "--reverse",
                "--format=%H",
                &range,
                "--",
                &path,
            ],
        );
        let mut expected: Vec<&str> = listed.lines().collect();
        if expected.last() != Some(&head) {
            expected.push(head);
        }
        let carried: Vec<&str> = pairs[1..]
            .iter()
            .map(|(_, source)| source.as_str())
            .collect();
        assert_eq!(carried, expected, "{repository}");
        for (commit, source) in &pairs[1..] {
            assert_eq!(
                world.tree(&repository, commit),
                world.tree("src", &format!("{source}:{path}"))
            );
            let show = ["show", "--no-patch", "--date=raw", WHO];
            let (ours, theirs) = (
                world.git(&repository, &[&show[..], &[commit]].concat()),
                world.git("src", &[&show[..], &[source]].concat()),
            );
            assert_eq!(ours, theirs);
        }
        assert_eq!(world.git(&repository, &["status", "--porcelain"]), "");
    }
}

fn edits_come_back(world: &World) {
    let mut edits = BTreeMap::new();
    for number in [1, 4, 7] {
        let repository = downstream(number);
        let name = format!("downstream {number}");
        let first = world.commit(
            "Dana",
            &repository,
            &name,
            &[("base", "edited\n"), ("new/ö", "1\n")],
        );
        let second = world.commit("Gus", &repository, "nothing", &[]);
        edits.insert(number, [first, second]);
    }
    let before = world.git("src", &["rev-parse", "HEAD"]);
    let store = ["status", "-C", "src", "--downstream-store", "rpms"];
    let status = world.source(&store);
    for (number, state) in texts(&status["packages"], "state").iter().enumerate() {
        let expected = if edits.contains_key(&number) {
            "behind"
        } else {
            "in-sync"
        };
        assert_eq!(state, expected, "{number}");
    }
    for (number, commits) in &edits {
        let done = world.source(&["update-source", &downstream(*number), "src"]);
        assert_eq!(texts(&done["commits"], "downstream"), *commits);
        let path = format!("pkg/{}", key(*number));
        assert_eq!(
            world.tree("src", &format!("HEAD:{path}")),
            world.tree(&downstream(*number), "HEAD")
        );
        for (source, downstream) in texts(&done["commits"], "source").iter().zip(commits) {
            let trailers = format!(
                "From-dist-git-commit: {downstream}\nSource-package: {}",
                key(*number)
            );
            assert!(world.message("src", source).ends_with(&trailers));
        }
    }
    let log = world.git(
        "src",
        &[
            "log",
            "--reverse",
            "--format=%an %s",
            &format!("{before}.."),
        ],
    );
    assert_eq!(
        log,
        "Dana downstream 1\nGus nothing\nDana downstream 4\nGus nothing\nDana downstream 7\nGus nothing"
    );
    let status = world.source(&store);
    assert!(
        texts(&status["packages"], "state")
            .iter()
            .all(|it| it == "in-sync")
    );
    let touched = world.source(&["affected", "-C", "src", "--base", &before]);
    assert_eq!(
        texts(&touched["packages"], "package"),
        ["p01", "p04", "p07"]
    );
}

fn everything_builds(world: &World) {
    world.git("src", &["tag", "v1.0"]);
    let built = world.source(&["build", "-C", "src", "-o", "made"]);
    assert_eq!(built["packages"].as_array().unwrap().len(), PACKAGES);
    let odd: Vec<String> = (0..PACKAGES).filter(|it| has_spec(*it)).map(key).collect();
    let odd: Vec<&str> = odd.iter().map(String::as_str).collect();
    let srpms = world.source(&[&["srpm", "-C", "src", "-o", "made"], &odd[..]].concat());
    for package in srpms["packages"].as_array().unwrap() {
        let file = package["files"][0].as_str().unwrap();
        assert!(
            file.contains("-1.0-") && file.ends_with(".src.rpm"),
            "{file}"
        );
    }
    let rpms = world.source(&["local-build", "p01", "-C", "src", "-o", "made"]);
    assert_eq!(rpms["packages"][0]["files"].as_array().unwrap().len(), 1);
}

#[test]
fn a_thousand_commits_of_twelve_packages_are_everywhere_what_git_says() {
    let world = sample();
    assert!(
        world
            .git("src", &["rev-list", "--count", "main"])
            .parse::<usize>()
            .unwrap()
            >= COMMITS
    );
    split_is_what_git_says(&world);
    let head = world.git("src", &["rev-parse", "main"]);
    let log = world.git(
        "src",
        &["log", "--first-parent", "--reverse", "--format=%H", "main"],
    );
    let mainline: Vec<&str> = log.lines().collect();
    let begin = mainline[mainline.len() - (COMMITS - BEGIN)].to_owned();
    for number in 0..PACKAGES {
        world.init(&downstream(number));
    }
    let update = ["update-downstream", "src", "--downstream-store", "rpms"];
    world.git("src", &["reset", "--quiet", "--hard", &begin]);
    world.source(&update);
    world.git("src", &["reset", "--quiet", "--hard", &head]);
    world.source(&update);
    downstream_is_what_git_says(&world, &begin, &head);
    edits_come_back(&world);
    world.source(&update);
    everything_builds(&world);
}
