//! The keys of a package or a job: what each takes, and what it is when nobody says.
//!
//! They are Packit's (1.17), with its defaults, and `handle`, `manifest`, `forge`,
//! `build_service` and `extend` beside them. A key that Packit learns is one line here.

use serde_json::Value as Json;

/// What a key takes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// Text.
    Text,
    /// The name of a repository or package: text that can be a file's name.
    Name,
    /// A path of a file in the repository.
    Path,
    /// Text that is a set of version specifiers.
    Specifiers,
    /// A boolean, or what Packit takes for one.
    Bool,
    /// A whole number that is not negative.
    Count,
    /// A list of text.
    Texts,
    /// A list of folders and files in the repository.
    Paths,
    /// Text or a list of text, as globs.
    Globs,
    /// `Source0`, or its number.
    SourceId,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list of these words.
    Choices(&'static [&'static str]),
    /// A table of anything.
    Free,
    /// Text, a list, or a table from target to its options.
    Targets,
    /// Text, a list, or a table from branch to its options.
    Branches,
    /// A list of paths or of tables like rsync's arguments.
    Files,
    /// A table from an action to its commands.
    Actions,
    /// A list of `{path, url}`.
    Downloads,
    /// A table of these keys.
    Nested(&'static [Key]),
    /// A key that means nothing any more.
    Retired(&'static str),
}

/// A key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key {
    /// As it is written.
    pub(super) name: &'static str,
    /// What it takes.
    pub(super) kind: Kind,
    /// Whether `null` may be written, meaning the default.
    pub(super) nullable: bool,
    /// The default, as JSON.
    default: &'static str,
}

impl Key {
    /// What it is when nobody says.
    pub(super) fn default(&self) -> Json {
        serde_json::from_str(self.default).expect("the defaults below are JSON, and a test says so")
    }
}

/// A key that may be `null` and is unless somebody says otherwise.
const fn maybe(name: &'static str, kind: Kind) -> Key {
    Key {
        name,
        kind,
        nullable: true,
        default: "null",
    }
}

/// A key that may be `null`, which means this.
const fn or(name: &'static str, kind: Kind, default: &'static str) -> Key {
    Key {
        name,
        kind,
        nullable: true,
        default,
    }
}

/// A key that may not be `null`.
const fn set(name: &'static str, kind: Kind, default: &'static str) -> Key {
    Key {
        name,
        kind,
        nullable: false,
        default,
    }
}

const SUCCESS: &[Key] = &[set("successful_build", Kind::Bool, "false")];
const COMMENT: &[Key] = &[maybe("message", Kind::Text)];
const ISSUE: &[Key] = &[set("create", Kind::Bool, "true")];
const NOTIFICATIONS: &[Key] = &[
    set(
        "pull_request",
        Kind::Nested(SUCCESS),
        r#"{"successful_build": false}"#,
    ),
    set(
        "failure_comment",
        Kind::Nested(COMMENT),
        r#"{"message": null}"#,
    ),
    set("failure_issue", Kind::Nested(ISSUE), r#"{"create": true}"#),
];
const TEST_COMMAND: &[Key] = &[
    maybe("default_labels", Kind::Texts),
    maybe("default_identifier", Kind::Text),
];
const LABELS: &[Key] = &[
    set("present", Kind::Texts, "[]"),
    set("absent", Kind::Texts, "[]"),
];
const REQUIRE: &[Key] = &[or(
    "label",
    Kind::Nested(LABELS),
    r#"{"present": [], "absent": []}"#,
)];
const OSH: &[Key] = &[
    maybe("analyzer", Kind::Text),
    maybe("config", Kind::Text),
    maybe("profile", Kind::Text),
];
const FORGES: &[&str] = &["forgejo", "gitea", "github", "gitlab"];
const FORGE: &[Key] = &[
    set("kind", Kind::Choice(FORGES), r#""forgejo""#),
    maybe("url", Kind::Text),
    maybe("project", Kind::Text),
];
const BUILD_SERVICE: &[Key] = &[maybe("url", Kind::Text)];
const INSTANCES: &[&str] = &["dev", "stg", "prod"];
const BOOTSTRAPS: &[&str] = &["default", "on", "off", "image"];

/// What the parts of `handle` are called among the keys.
pub(super) const HANDLE_PATHS: &str = "handle.paths";
/// The other part of `handle`.
pub(super) const HANDLE_IGNORE_PATHS: &str = "handle.ignore_paths";

/// The keys of a package, which a job may have too.
pub(super) const KEYS: &[Key] = &[
    maybe("config_file_path", Kind::Text),
    maybe("specfile_path", Kind::Path),
    maybe("downstream_package_name", Kind::Name),
    maybe("upstream_project_url", Kind::Text),
    maybe("upstream_package_name", Kind::Name),
    set("paths", Kind::Paths, r#"["./"]"#),
    maybe("upstream_ref", Kind::Text),
    set("upstream_tag_template", Kind::Text, r#""{version}""#),
    set(
        "archive_root_dir_template",
        Kind::Text,
        r#""{upstream_pkg_name}-{version}""#,
    ),
    set(
        "dist_git_url",
        Kind::Retired(
            "it is made from `dist_git_base_url`, `dist_git_namespace` and `downstream_package_name`",
        ),
        "null",
    ),
    or(
        "dist_git_base_url",
        Kind::Text,
        r#""https://src.fedoraproject.org/""#,
    ),
    or("dist_git_namespace", Kind::Text, r#""rpms""#),
    maybe("allowed_gpg_keys", Kind::Texts),
    set("spec_source_id", Kind::SourceId, r#""Source0""#),
    set("files_to_sync", Kind::Files, "[]"),
    set("actions", Kind::Actions, "{}"),
    set("create_pr", Kind::Bool, "true"),
    set("sync_changelog", Kind::Bool, "false"),
    set("create_sync_note", Kind::Bool, "true"),
    or("patch_generation_ignore_paths", Kind::Texts, "[]"),
    set("patch_generation_patch_id_digits", Kind::Count, "4"),
    set(
        "notifications",
        Kind::Nested(NOTIFICATIONS),
        r#"{"pull_request": {"successful_build": false}, "failure_comment": {"message": null},
            "failure_issue": {"create": true}}"#,
    ),
    set("copy_upstream_release_description", Kind::Bool, "false"),
    or("sources", Kind::Downloads, "[]"),
    set("merge_pr_in_ci", Kind::Bool, "true"),
    maybe("srpm_build_deps", Kind::Texts),
    maybe("identifier", Kind::Text),
    set("packit_instances", Kind::Choices(INSTANCES), r#"["prod"]"#),
    maybe("issue_repository", Kind::Text),
    maybe("release_suffix", Kind::Text),
    maybe("version_suffix", Kind::Text),
    set("update_release", Kind::Bool, "true"),
    set("preserve_spec", Kind::Bool, "false"),
    set("upstream_tag_include", Kind::Text, r#""""#),
    set("upstream_tag_exclude", Kind::Text, r#""""#),
    set(
        "prerelease_suffix_pattern",
        Kind::Text,
        r#""([.\\-_~^]?)(alpha|beta|rc|pre(view)?)([.\\-_]?\\d+)?""#,
    ),
    maybe("prerelease_suffix_macro", Kind::Text),
    set("upload_sources", Kind::Bool, "true"),
    set(
        "test_command",
        Kind::Nested(TEST_COMMAND),
        r#"{"default_labels": null, "default_identifier": null}"#,
    ),
    set(
        "require",
        Kind::Nested(REQUIRE),
        r#"{"label": {"present": [], "absent": []}}"#,
    ),
    maybe("status_name_template", Kind::Text),
    set("sync_test_job_statuses_with_builds", Kind::Bool, "true"),
    or("targets", Kind::Targets, "{}"),
    set("use_copr_dist_git_build", Kind::Bool, "false"),
    set("timeout", Kind::Count, "7200"),
    maybe("owner", Kind::Text),
    maybe("project", Kind::Text),
    or("dist_git_branches", Kind::Branches, "[]"),
    maybe("branch", Kind::Text),
    set("scratch", Kind::Bool, "false"),
    set("list_on_homepage", Kind::Bool, "false"),
    set("preserve_project", Kind::Bool, "false"),
    set("use_internal_tf", Kind::Bool, "false"),
    or("additional_packages", Kind::Texts, "[]"),
    or("additional_repos", Kind::Texts, "[]"),
    or("bootstrap", Kind::Choice(BOOTSTRAPS), r#""default""#),
    maybe("fmf_url", Kind::Text),
    maybe("fmf_ref", Kind::Text),
    maybe("fmf_path", Kind::Text),
    or("env", Kind::Free, "{}"),
    set("enable_net", Kind::Bool, "false"),
    or("allowed_pr_authors", Kind::Texts, r#"["packit"]"#),
    or("allowed_committers", Kind::Texts, "[]"),
    or("allowed_builders", Kind::Texts, r#"["packit"]"#),
    maybe("tmt_plan", Kind::Text),
    maybe("tf_post_install_script", Kind::Text),
    or("tf_extra_params", Kind::Free, "{}"),
    or("bodhi_extra_params", Kind::Free, "{}"),
    set("module_hotfixes", Kind::Bool, "false"),
    maybe("image_distribution", Kind::Text),
    maybe("image_request", Kind::Free),
    maybe("image_customizations", Kind::Free),
    maybe("copr_chroot", Kind::Text),
    maybe("pkg_tool", Kind::Text),
    maybe("sig", Kind::Text),
    maybe("version_update_mask", Kind::Text),
    maybe("version_update_specifiers", Kind::Specifiers),
    or("parse_time_macros", Kind::Free, "{}"),
    set("osh_diff_scan_after_copr_build", Kind::Bool, "true"),
    maybe("csmock_args", Kind::Text),
    set(
        "osh_options",
        Kind::Nested(OSH),
        r#"{"analyzer": null, "config": null, "profile": null}"#,
    ),
    set("use_target_repo_for_fmf_url", Kind::Bool, "false"),
    set("clone_repos_before_run_condition", Kind::Bool, "false"),
    set("skip_missing_branched_composes", Kind::Bool, "false"),
    // Ours.
    maybe("manifest", Kind::Path),
    maybe("forge", Kind::Nested(FORGE)),
    maybe("build_service", Kind::Nested(BUILD_SERVICE)),
    maybe(HANDLE_PATHS, Kind::Globs),
    or(HANDLE_IGNORE_PATHS, Kind::Globs, "[]"),
];

/// The keys that only a job has, beside `job`, `trigger`, `package` and `packages`.
pub(super) const JOB_KEYS: &[Key] = &[
    or("skip_build", Kind::Bool, "false"),
    or("skip_install", Kind::Bool, "false"),
    or("manual_trigger", Kind::Bool, "false"),
    maybe("labels", Kind::Texts),
    maybe("sidetag_group", Kind::Text),
    maybe("dependents", Kind::Texts),
    maybe("dependencies", Kind::Texts),
];

/// What a job may be: Packit's, then ours.
pub(super) const JOB_KINDS: &[&str] = &[
    "propose_downstream",
    "pull_from_upstream",
    "sync_from_downstream",
    "copr_build",
    "upstream_koji_build",
    "koji_build",
    "tests",
    "bodhi_update",
    "vm_image_build",
    "koji_build_tag",
    "build",
    "srpm",
    "test",
    "publish",
    "propose",
    "update",
];

/// What may set a job off.
pub(super) const TRIGGERS: &[&str] = &["release", "pull_request", "commit", "koji_build", "ignore"];

/// The actions that a configuration may replace.
pub(super) const ACTIONS: &[&str] = &[
    "run-condition",
    "post-upstream-clone",
    "pre-sync",
    "create-patches",
    "prepare-files",
    "create-archive",
    "get-current-version",
    "fix-spec-file",
    "post-modifications",
    "changelog-entry",
    "commit-message",
    // Ours: what a job of the kind `test` runs.
    "test",
];

/// The options that a target may have.
pub(super) const TARGET_OPTIONS: &[Key] = &[
    set("distros", Kind::Texts, "[]"),
    set("additional_packages", Kind::Texts, "[]"),
    set("additional_repos", Kind::Texts, "[]"),
    set("additional_modules", Kind::Text, r#""""#),
    set("with_opts", Kind::Texts, "[]"),
    set("without_opts", Kind::Texts, "[]"),
];

/// The option that a branch of `dist_git_branches` may have.
pub(super) const BRANCH_OPTIONS: &[Key] = &[set("fast_forward_merge_into", Kind::Texts, "[]")];

/// An item of `files_to_sync`.
pub(super) const FILE_ITEM: &[Key] = &[
    set("src", Kind::Texts, "[]"),
    set("dest", Kind::Text, r#""""#),
    set("mkpath", Kind::Bool, "false"),
    set("delete", Kind::Bool, "false"),
    or("filters", Kind::Texts, "[]"),
];

/// An item of `sources`.
pub(super) const DOWNLOAD: &[Key] = &[
    set("path", Kind::Text, r#""""#),
    set("url", Kind::Text, r#""""#),
];

/// The jobs of a configuration that names none.
pub(super) const DEFAULT_JOBS: &str = "\
- {job: copr_build, trigger: pull_request, targets: [fedora-stable]}
- {job: tests, trigger: pull_request, targets: [fedora-stable]}
- {job: propose_downstream, trigger: release, dist_git_branches: [fedora-all]}
";

/// The key of this name among some.
pub(super) fn find<'k>(keys: &'k [Key], name: &str) -> Option<&'k Key> {
    keys.iter().find(|it| it.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_json_and_every_name_is_there_once() {
        let mut names = Vec::new();
        for key in KEYS.iter().chain(JOB_KEYS) {
            let _ = key.default();
            assert!(!names.contains(&key.name), "{}", key.name);
            names.push(key.name);
        }
    }
}
