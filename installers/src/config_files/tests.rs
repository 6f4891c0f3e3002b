use super::*;

fn digest(text: &str) -> Option<Digest> {
    (!text.is_empty()).then(|| Digest::of(text.as_bytes()))
}

/// What stands there afterwards, and the suffix of what is left beside it.
fn check(old: &str, disk: &str, new: &str, after: &str, beside: Option<&str>) {
    let states = States {
        old_shipped: digest(old),
        old_after: digest(old),
        disk: digest(disk),
        new_shipped: digest(new),
        restore: Restore::Nothing,
        was_ours: !old.is_empty(),
    };
    let (found, left) = judge(states);
    assert_eq!(
        found,
        digest(after),
        "old {old:?} disk {disk:?} new {new:?}"
    );
    assert_eq!(
        left.map(|it| it.suffix).as_deref(),
        beside,
        "old {old:?} disk {disk:?} new {new:?}"
    );
}

#[test]
fn untouched_is_replaced_edited_is_kept_and_both_changed_leaves_the_new_one_beside() {
    check("", "", "v1", "v1", None);
    check("v1", "v1", "v2", "v2", None);
    check("v1", "mine", "v1", "mine", None);
    check("v1", "mine", "v2", "mine", Some("new"));
    check("v1", "v2", "v2", "v2", None);
}

#[test]
fn deleted_stays_deleted_and_removed_packages_leave_only_edited_files() {
    check("v1", "", "v1", "", None);
    check("v1", "", "v2", "", None);
    check("v1", "v1", "", "", None);
    check("v1", "mine", "", "mine", None);
}

#[test]
fn a_file_that_was_there_before_is_kept_with_the_new_one_beside() {
    check("", "mine", "v1", "mine", Some("new"));
    check("", "v1", "v1", "v1", None);
}

/// As [`check`] for a rollback: `left` stood there when the older generation was left.
fn check_rollback(cur: [&str; 2], disk: &str, older: [&str; 2], after: &str, beside: Option<&str>) {
    let [shipped, installed] = cur;
    let [older_shipped, left] = older;
    let (found, kept) = judge(States {
        old_shipped: digest(shipped),
        old_after: digest(installed),
        disk: digest(disk),
        new_shipped: digest(older_shipped),
        restore: Restore::State(digest(left)),
        was_ours: true,
    });
    assert_eq!(found, digest(after));
    assert_eq!(kept.map(|it| it.suffix).as_deref(), beside);
}

#[test]
fn a_rollback_brings_back_what_stood_there_when_the_older_generation_was_left() {
    check_rollback(["v2", "v2"], "v2", ["v1", "v1"], "v1", None);
    check_rollback(["v2", "mine"], "mine", ["v1", "mine"], "mine", None);
    check_rollback(["v2", "v2"], "v2", ["v1", ""], "", None);
}

#[test]
fn a_rollback_keeps_edits_that_were_made_since() {
    check_rollback(["v1", "v1"], "mine", ["v1", "v1"], "mine", None);
    check_rollback(["v2", "v2"], "mine", ["v1", "v1"], "v1", Some("edited"));
}
