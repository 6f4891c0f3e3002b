//! What the rendered scripts hold, without running them.

use std::collections::BTreeMap;

use provisioning_installers::scripts::{Script, ScriptArchive, render};
use provisioning_package::{ArchiveFormat, Digest, Target};

use super::registry::{Answer, Registry, context};

#[test]
fn every_script_embeds_the_root_and_the_digest_of_the_client() {
    let registry = Registry::start(Answer::Whole);
    let client = registry.context.client.as_ref().unwrap();
    for script in Script::ALL {
        let text = registry.script(script);
        assert!(text.contains(&registry.context.root_fingerprint.hex()));
        assert!(text.contains(&registry.context.base_url), "{script:?}");
        for (target, archive) in &client.archives {
            assert!(text.contains(target.as_str()), "{script:?}: {target}");
            assert!(text.contains(&archive.digest.hex()), "{script:?}: {target}");
        }
    }
}

#[test]
fn the_same_registry_gives_the_same_bytes() {
    let registry = Registry::start(Answer::Whole);
    for script in Script::ALL {
        assert_eq!(registry.script(script), registry.script(script));
    }
}

#[test]
fn an_archive_that_a_bare_machine_cannot_unpack_counts_as_absent() {
    let archive = |format, content: &[u8]| ScriptArchive {
        digest: Digest::of(content),
        size: 1,
        path: "archives/sha256/x".to_owned(),
        format,
    };
    let archives = BTreeMap::from([
        (Target::LinuxArm64, archive(ArchiveFormat::TarZst, b"zst")),
        (Target::LinuxX86_64, archive(ArchiveFormat::TarGz, b"gz")),
    ]);
    let registry = context("http://127.0.0.1:1", archives);
    for script in Script::ALL {
        let text = render(script, &registry);
        assert!(text.contains(&Digest::of(b"gz").hex()), "{script:?}");
        assert!(!text.contains(&Digest::of(b"zst").hex()), "{script:?}");
    }
}

#[test]
fn a_name_with_line_breaks_stays_inside_its_literal() {
    let mut registry = context("http://127.0.0.1:1", BTreeMap::new());
    registry.registry_name = "a\ntouch /tmp/b'; \"c\" `d`".to_owned();
    for script in Script::ALL {
        let text = render(script, &registry);
        let uses = text.matches("touch /tmp/b").count();
        assert!(uses <= 1, "{script:?} uses the name {uses} times");
    }
}
