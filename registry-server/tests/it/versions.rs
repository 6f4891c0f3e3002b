//! Which versions of a package go with a core and a machine.

use provisioning_package::{ArchiveFormat, Target};
use provisioning_registry_api::command::{PackageVersions, PushMatrix, Yank};
use reqwest::Method;

use crate::registry::{Registry, json, manifest, pack, problem};

#[tokio::test]
async fn the_newest_version_that_fits_a_core_is_named_with_why_the_others_do_not() {
    let registry = Registry::start();
    for (version, core, target) in [
        ("1.0.0", "^3.0", Target::Any),
        ("1.1.0", "^3.1", Target::LinuxX86_64),
        ("1.2.0", "^3.1", Target::LinuxX86_64),
        ("2.0.0", "^4.0", Target::Any),
    ] {
        let spec = format!("redis@{version}");
        let text = manifest(&spec, &format!("core-version = \"{core}\"\n"));
        let packed = pack(&text, version, target, ArchiveFormat::TarZst);
        registry.publish(&spec, &[packed]).await.unwrap();
    }
    let matrix = PushMatrix {
        base: None,
        text: "[compatibility.core]\n\"3.1.0\" = { redis = \"<1.2\" }\n".to_owned(),
    };
    registry.send(Method::PUT, "matrix", &matrix).await;
    let path = "api/v1/packages/extension/redis/versions";
    let asked = format!("{path}?core=3.1.0&target=linux-x86_64");
    let found: PackageVersions = json(registry.get(&asked).await).await;
    assert_eq!(found.newest_that_fits.unwrap().to_string(), "1.1.0");
    let told: Vec<String> = found
        .versions
        .iter()
        .map(|it| {
            let reason = it.reason.as_deref().unwrap_or("fits");
            format!("{} {reason}", it.version)
        })
        .collect();
    assert_eq!(
        told,
        [
            "2.0.0 it needs core `^4.0`",
            "1.2.0 the matrix lets that core go only with `<1.2`",
            "1.1.0 fits",
            "1.0.0 fits",
        ]
    );
    let asked = format!("{path}?core=3.1.0&target=macos-arm64&limit=2");
    let found: PackageVersions = json(registry.get(&asked).await).await;
    assert_eq!(found.newest_that_fits.unwrap().to_string(), "1.0.0");
    assert_eq!(found.versions.len(), 2);
    let yank = Yank {
        reason: "loses data".to_owned(),
        replacement: None,
        force: false,
    };
    let one = "packages/extension/redis/versions/1.1.0/yank";
    registry.send(Method::PUT, one, &yank).await;
    let found: PackageVersions = json(registry.get(&format!("{path}?core=3.1.0")).await).await;
    assert_eq!(found.newest_that_fits.unwrap().to_string(), "1.0.0");
    let yanked = &found.versions[2];
    assert!(yanked.yanked.is_some() && !yanked.fits, "{yanked:?}");
}

#[tokio::test]
async fn versions_of_a_package_that_is_not_there_are_refused() {
    let registry = Registry::start();
    let path = "api/v1/packages/extension/redis/versions";
    assert_eq!(problem(registry.get(path).await).await.status, 404);
    let bad = format!("{path}?core=three");
    assert_eq!(problem(registry.get(&bad).await).await.code, "bad-request");
}
