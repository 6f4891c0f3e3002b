//! Proofs with more than one branch: what follows is said, and a step that is needed again
//! has a number.

use provisioning_compat::{Matrix, VersionsToml, solve};

use crate::peers::shelf;
use crate::shelf::asking;

fn refused(index: &str, specs: &[&str]) -> String {
    let refusal = solve(&asking(specs), &Matrix::default(), &shelf(index).index());
    refusal.unwrap_err().to_string()
}

fn refused_under(matrix: &str, index: &str, specs: &[&str]) -> String {
    let matrix = VersionsToml::parse(matrix, None).unwrap().matrix;
    let refusal = solve(&asking(specs), &matrix, &shelf(index).index());
    refusal.unwrap_err().to_string()
}

#[test]
fn two_versions_that_fail_for_different_reasons_are_two_steps() {
    let index = "foo 1.0.0: a ^1.0.0; b ^1.0.0\nfoo 1.1.0: x ^1.0.0; y ^1.0.0
        a 1.0.0: b ^2.0.0\nb 1.0.0\nb 2.0.0\nx 1.0.0: y ^2.0.0\ny 1.0.0\ny 2.0.0";
    insta::assert_snapshot!(refused(index, &["foo@^1.0.0"]), @r"
    no solution for `foo@^1.0.0`: these cannot all hold
      - you asked for `foo@^1.0.0`
      - foo 1.0.0 needs a `^1.0.0`
      - a 1.0.0 needs b `^2.0.0`
      - foo 1.0.0 needs b `^1.0.0`
      - so foo 1.0.0 cannot be used (1)
      - foo 1.1.0 needs x `^1.0.0`
      - x 1.0.0 needs y `^2.0.0`
      - foo 1.1.0 needs y `^1.0.0`
      - so, with (1), these cannot all hold
    help: `provisioning info foo` shows the versions of foo and what each needs
    nothing was changed
    ");
}

#[test]
fn each_of_two_excludes_the_others_only_friend() {
    let index = "a 1.0.0: b =1.0.0\na 2.0.0: b =2.0.0\nb 1.0.0: a =2.0.0\nb 2.0.0: a =1.0.0";
    insta::assert_snapshot!(refused(index, &["a", "b"]), @r"
    no solution for `a` and `b`: these cannot all hold
      - you asked for `a`
      - a 1.0.0 needs b `=1.0.0`
      - b 1.0.0 needs a `=2.0.0`
      - so a 1.0.0 cannot be used (1)
      - a 2.0.0 needs b `=2.0.0`
      - b 2.0.0 needs a `=1.0.0`
      - so, with (1), these cannot all hold
    help: `provisioning info a` shows the versions of a and what each needs
    nothing was changed
    ");
}

#[test]
fn pigeons_without_enough_holes_are_counted_out_in_steps() {
    let index = "p 1.0.0: h1 =1.0.0\np 2.0.0: h2 =1.0.0\nq 1.0.0: h1 =2.0.0\nq 2.0.0: h2 =2.0.0
        r 1.0.0: h1 =3.0.0\nr 2.0.0: h2 =3.0.0\nh1 1.0.0\nh1 2.0.0\nh1 3.0.0\nh2 1.0.0\nh2 2.0.0\nh2 3.0.0";
    insta::assert_snapshot!(refused(index, &["p", "q", "r"]), @r"
    no solution for `p`, `q` and `r`: these cannot all hold
      - you asked for `p`
      - you asked for `q`
      - you asked for `r`
      - p 1.0.0 needs h1 `=1.0.0`
      - q 2.0.0 needs h2 `=2.0.0`
      - q 1.0.0 needs h1 `=2.0.0`
      - r 2.0.0 needs h2 `=3.0.0`
      - r 1.0.0 needs h1 `=3.0.0`
      - so p 1.0.0, q and r cannot go together (1)
      - p 2.0.0 needs h2 `=1.0.0`
      - so, with (1), these cannot all hold
    help: without `p` it would fit: `provisioning install q r`
    help: without `q` it would fit: `provisioning install p r`
    help: without `r` it would fit: `provisioning install p q`
    nothing was changed
    ");
}

#[test]
fn the_menu_of_the_first_article_is_a_list_to_follow() {
    let index = "menu 1.0.0: dropdown >=1.0.0, <2.0.0\nmenu 1.1.0: dropdown >=2.0.0\nmenu 1.2.0: dropdown >=2.0.0
        menu 1.3.0: dropdown >=2.0.0\nmenu 1.4.0: dropdown >=2.0.0\nmenu 1.5.0: dropdown >=2.0.0
        dropdown 1.8.0: intl =3.0.0\ndropdown 2.0.0: icons =2.0.0\ndropdown 2.1.0: icons =2.0.0
        dropdown 2.2.0: icons =2.0.0\ndropdown 2.3.0: icons =2.0.0\nicons 1.0.0\nicons 2.0.0
        intl 3.0.0\nintl 4.0.0\nintl 5.0.0";
    insta::assert_snapshot!(refused(index, &["menu", "icons@1.0.0", "intl@5.0.0"]), @r"
    no solution for `icons@1.0.0`, `intl@5.0.0` and `menu`: these cannot all hold
      - you asked for `icons@1.0.0`
      - you asked for `intl@5.0.0`
      - you asked for `menu`
      - menu 1.0.0 needs dropdown `>=1.0.0, <2.0.0`
      - dropdown 2.0.0 to 2.3.0 need icons `=2.0.0`
      - dropdown 1.8.0 needs intl `=3.0.0`
      - menu 1.1.0 to 1.5.0 need dropdown `>=2.0.0`
    help: icons 2.0.0 would fit: `provisioning install icons@2.0.0 intl@5.0.0 menu`
    help: intl 3.0.0 would fit: `provisioning install icons@1.0.0 intl@3.0.0 menu`
    help: without `menu` it would fit: `provisioning install icons@1.0.0 intl@5.0.0`
    nothing was changed
    ");
}

#[test]
fn a_missing_package_behind_one_branch_and_a_quarrel_behind_the_other() {
    let index = "a 1.0.0: gone ^1\na 2.0.0: b ^1; c ^1\nb 1.0.0: c ^2\nc 1.0.0\nc 2.0.0";
    insta::assert_snapshot!(refused(index, &["a"]), @r"
    no solution for `a`: this registry has no package `gone`
      - you asked for `a`
      - a 2.0.0 needs b `^1`
      - b 1.0.0 needs c `^2`
      - a 2.0.0 needs c `^1`
      - a 1.0.0 needs gone `^1`
      - this registry has no package `gone`
    help: `provisioning search gone` looks for packages by word
    nothing was changed
    ");
}

#[test]
fn versions_with_equal_needs_are_one_range() {
    let mut index = String::from("b 1.0.0\nb 2.0.0\n");
    for minor in 0..30 {
        index.extend([format!("a 1.{minor}.0: b ^2\n")]);
    }
    insta::assert_snapshot!(refused(&index, &["a", "b@1"]), @r"
    no solution for `a` and `b@1`: these cannot all hold
      - you asked for `a`
      - a 1.0.0 to 1.29.0 need b `^2`
      - you asked for `b@1`
    help: without `a` it would fit: `provisioning install b@1`
    help: b 2.0.0 would fit: `provisioning install a b@2.0.0`
    nothing was changed
    ");
}

#[test]
fn versions_with_gaps_are_cut_short_after_eight_ranges() {
    let mut index = String::from("b 1.0.0\nb 2.0.0\nb 3.0.0\n");
    for minor in 0..40 {
        let needs = if minor % 2 == 0 { "^2" } else { "^3" };
        index.extend([format!("a 1.{minor}.0: b {needs}\n")]);
    }
    insta::assert_snapshot!(refused(&index, &["a", "b@1"]), @r"
    no solution for `a` and `b@1`: these cannot all hold
      - you asked for `a`
      - a 1.0.0, 1.2.0, 1.4.0, 1.6.0, 1.8.0, 1.10.0, 1.12.0, 1.14.0 and more up to 1.38.0 need b `^2`
      - a 1.1.0, 1.3.0, 1.5.0, 1.7.0, 1.9.0, 1.11.0, 1.13.0, 1.15.0 and more up to 1.39.0 need b `^3`
      - you asked for `b@1`
    help: without `a` it would fit: `provisioning install b@1`
    help: b 3.0.0 would fit: `provisioning install a b@3.0.0`
    nothing was changed
    ");
}

#[test]
fn a_step_that_two_others_rest_on_is_told_once() {
    // Whatever c is, x is kept out; a and b each need x in one of their versions.
    let index = "a 1.0.0: x ^1\na 2.0.0: y ^1\nb 1.0.0: x ^1\nb 2.0.0: z ^1
        x 1.0.0: c *\nc 1.0.0: d ^1\nc 2.0.0: e ^1\nd 1.0.0: k ^2\ne 1.0.0: k ^2
        y 1.0.0: z ^2\nz 1.0.0\nz 2.0.0\nk 1.0.0\nk 2.0.0";
    insta::assert_snapshot!(refused(index, &["a", "b", "k@1"]), @r"
    no solution for `a`, `b` and `k@1`: these cannot all hold
      - you asked for `a`
      - a 2.0.0 needs y `^1`
      - y 1.0.0 needs z `^2`
      - a 1.0.0 needs x `^1`
      - x 1.0.0 needs c `*`
      - c 2.0.0 needs e `^1`
      - e 1.0.0 needs k `^2`
      - c 1.0.0 needs d `^1`
      - d 1.0.0 needs k `^2`
      - you asked for `k@1`
      - you asked for `b`
      - b 2.0.0 needs z `^1`
      - b 1.0.0 needs x `^1`
    help: without `a` it would fit: `provisioning install b k@1`
    help: k 2.0.0 would fit: `provisioning install a b k@2.0.0`
    help: without `b` it would fit: `provisioning install a k@1`
    nothing was changed
    ");
}

#[test]
fn a_package_that_needs_another_version_of_itself_says_so() {
    let index = "a 1.0.0: a =2.0.0\na 2.0.0";
    insta::assert_snapshot!(refused(index, &["a@1.0.0"]), @r"
    no solution for `a@1.0.0`: these cannot all hold
      - you asked for `a@1.0.0`
      - a 1.0.0 needs a `=2.0.0`
    help: a 2.0.0 would fit: `provisioning install a@2.0.0`
    nothing was changed
    ");
}

#[test]
fn a_circle_that_never_closes_is_told_round_once() {
    let index =
        "a 1.0.0: b ^2\nb 2.0.0: c ^1\nc 1.0.0: a ^2\na 2.0.0: c ^2\nc 2.0.0: b ^1\nb 1.0.0: a ^1";
    insta::assert_snapshot!(refused(index, &["a", "c@1"]), @r"
    no solution for `a` and `c@1`: these cannot all hold
      - you asked for `c@1`
      - c 1.0.0 needs a `^2`
      - a 2.0.0 needs c `^2`
    help: `provisioning info c` shows the versions of c and what each needs
    nothing was changed
    ");
}

#[test]
fn rows_of_two_versions_that_fail_are_told_with_their_lines() {
    let matrix = "[compatibility.core]\n\"3.1.0\" = { platform = \"^2.3\" }\n\"3.2.0\" = { platform = \"^2.4\" }\n";
    let index = "core 3.1.0\ncore 3.2.0\nplatform 2.2.0\nplatform 2.4.0";
    insta::assert_snapshot!(refused_under(matrix, index, &["core", "platform@2.2.0"]), @r"
    no solution for `core` and `platform@2.2.0`: these cannot all hold
      - you asked for `core`
      - the matrix lets core 3.1.0 go only with platform `^2.3` (versions.toml line 2)
      - the matrix lets core 3.2.0 go only with platform `^2.4` (versions.toml line 3)
      - you asked for `platform@2.2.0`
    help: without `core` it would fit: `provisioning install platform@2.2.0`
    help: platform 2.4.0 would fit: `provisioning install core platform@2.4.0`
    nothing was changed
    ");
}

#[test]
fn two_rows_that_contradict_each_other_are_both_told() {
    let matrix = "[compatibility.core]\n\"3.1.0\" = { platform = \"^2.3\" }\n[compatibility.platform]\n\"2.3.0\" = { core = \"^3.2\" }\n";
    let index = "core 3.1.0\nplatform 2.2.0\nplatform 2.3.0";
    insta::assert_snapshot!(refused_under(matrix, index, &["core", "platform"]), @r"
    no solution for `core` and `platform`: no version of core meets `^3.2`
      - you asked for `core`
      - the matrix lets core 3.1.0 go only with platform `^2.3` (versions.toml line 2)
      - the matrix lets platform 2.3.0 go only with core `^3.2` (versions.toml line 4)
      - you asked for `platform`
      - no version of core meets `^3.2`: this registry has 3.1.0
    help: without `core` it would fit: `provisioning install platform`
    help: without `platform` it would fit: `provisioning install core`
    nothing was changed
    ");
}

#[test]
fn an_extension_written_for_another_api_names_row_and_api() {
    let matrix = "[compatibility.core]\n\"3.2.1\" = { extensions = \"^1.0\" }\n\"3.1.0\" = { extensions = \"^0.9\" }\n";
    let matrix = VersionsToml::parse(matrix, None).unwrap().matrix;
    let mut shelf = shelf("core 3.1.0\ncore 3.2.1");
    shelf.add(crate::shelf::Item::of("mongodb 1.2.0").api("1.1.0"));
    let refusal = solve(&asking(&["core@3.1.0", "mongodb"]), &matrix, &shelf.index());
    insta::assert_snapshot!(refusal.unwrap_err(), @r"
    no solution for `core@3.1.0` and `mongodb`: these cannot all hold
      - you asked for `core@3.1.0`
      - you asked for `mongodb`
      - the matrix lets core 3.1.0 go only with extensions of API `^0.9` (versions.toml line 3), and mongodb 1.2.0 is written for API 1.1.0
    help: core 3.2.1 would fit: `provisioning install core@3.2.1 mongodb`
    help: without `mongodb` it would fit: `provisioning install core@3.1.0`
    nothing was changed
    ");
}

#[test]
fn a_row_keeps_out_what_a_package_needs() {
    let matrix = "[compatibility.mongodb]\n\"1.2.0\" = { redis = \"^1.1\" }\n";
    let index = "mongodb 1.2.0\ncache 1.0.0: redis ^2\nredis 1.1.0\nredis 2.0.0";
    insta::assert_snapshot!(refused_under(matrix, index, &["mongodb", "cache"]), @r"
    no solution for `cache` and `mongodb`: these cannot all hold
      - you asked for `cache`
      - cache 1.0.0 needs redis `^2`
      - you asked for `mongodb`
      - the matrix lets mongodb 1.2.0 go only with redis `^1.1` (versions.toml line 2)
    help: without `cache` it would fit: `provisioning install mongodb`
    help: without `mongodb` it would fit: `provisioning install cache`
    nothing was changed
    ");
}
